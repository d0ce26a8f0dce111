"""The same candles give the same signals, bit for bit, whatever happens to those who compute them.

The session's candle topics are copied under other prefixes with 1, 4 and 8 partitions, and the
stages run over them: one worker and three, the 1H topic late, killed, frozen, replaced, woken.
"""

import asyncio
from typing import NamedTuple

import pytest

from chandler.replay.recompute import Recomputed
from chandler.streams.reader import Record
from tests.conftest import free_port_base
from tests.simulation.branches import (
    Found,
    Workers,
    branch,
    due,
    evaluated,
    found_of,
    made,
    portions,
    publish,
    recomputed,
    running,
)
from tests.simulation.session import Session
from tests.simulation.system import System

pytestmark = [pytest.mark.kafka, pytest.mark.system]

PORTS = 80  # of four workers of each service


class Scale(NamedTuple):
    """How much is done to the stages."""

    symbols: int
    late_s: float  # of the 1H topic against the others
    frozen_s: float  # longer than a session in the group
    kills: int
    parts: int  # in which the candles are published


SHORT = Scale(symbols=14, late_s=3.0, frozen_s=8.0, kills=2, parts=6)
LONG = Scale(symbols=1_000, late_s=60.0, frozen_s=30.0, kills=20, parts=40)


@pytest.fixture(scope="module")
def scale(is_long: bool) -> Scale:
    return LONG if is_long else SHORT


@pytest.fixture(scope="module")
def records(recorded: list[Record], scale: Scale) -> list[Record]:
    """The candles of some symbols, from all over the alphabet."""
    symbols = sorted({record.key for record in recorded})
    kept = set(symbols[:: max(1, len(symbols) // scale.symbols)])
    return [record for record in recorded if record.key in kept]


@pytest.fixture(scope="module")
def expected(session: Session, records: list[Record]) -> Recomputed:
    return recomputed(session.system, records)


def promised(expected: Recomputed) -> Found:
    return found_of(expected.signals, expected.matrix)


def test_there_is_enough_to_compare(session: Session, expected: Recomputed, scale: Scale) -> None:
    assert len(expected.signals) > (500 if scale is LONG else 100)
    assert len(expected.matrix) > 3_000
    assert expected.letters == []


@pytest.mark.parametrize(
    ("partitions", "workers"),
    [
        (1, 1),
        (4, 3),
        pytest.param(4, 1, marks=pytest.mark.long),
        pytest.param(8, 1, marks=pytest.mark.long),
        pytest.param(8, 3, marks=pytest.mark.long),
    ],
)
async def test_signals_are_the_same_with_any_partitions_and_workers(
    session: Session, records: list[Record], expected: Recomputed, partitions: int, workers: int
) -> None:
    target = await branch(session.system, f"p{partitions}w{workers}", partitions, expected)
    async with running(target, workers):
        await publish(target, records)
        await evaluated(target)

    assert await made(target) == promised(expected)


async def test_hours_that_come_late_change_nothing(
    session: Session, records: list[Record], expected: Recomputed, scale: Scale
) -> None:
    target = await branch(session.system, "late", 4, expected)
    async with running(target, 1):
        await publish(target, (each for each in records if each.topic != "candles.1H"))
        await asyncio.sleep(scale.late_s)
        assert (await made(target)).signals < len(expected.signals)
        await publish(target, (each for each in records if each.topic == "candles.1H"))
        await evaluated(target)

    assert await made(target) == promised(expected)


async def test_killed_frozen_replaced_and_woken_workers_change_nothing(
    session: Session,
    records: list[Record],
    expected: Recomputed,
    scale: Scale,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    target = await branch(session.system, "chaos", 8, expected)
    parts = portions(records, scale.parts)
    data = tmp_path_factory.mktemp("workers") / "data"
    workers = Workers(target, System(data, free_port_base(PORTS)), each=3, seed=7)
    try:
        for number, part in enumerate(parts[:-1]):
            await publish(target, part)
            if number == 0:
                await evaluated(target, 1)
            while workers.killed < (number + 1) * scale.kills // (len(parts) - 1):
                workers.kill(("signals", "indicators")[workers.killed % 2])
        workers.freeze("signals", 0, spare=3)
        await evaluated(target, due(target, parts[-1]))
        await asyncio.to_thread(workers.thaw, scale.frozen_s)
        await publish(target, parts[-1])
        await evaluated(target)
    finally:
        await asyncio.to_thread(workers.end)

    assert await made(target) == promised(expected)
