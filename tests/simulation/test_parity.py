"""The same candles give the same signals, bit for bit, whatever happens to those who compute them.

The session's candle topics are copied under other prefixes with 1, 4 and 8 partitions, and the
stages run over them: one worker and three, the 1H topic late, killed, frozen, replaced, woken.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
import pytest

from chandler.core.events import Candle
from chandler.replay.audit.recompute import Recomputed
from services.loading import configuration
from services.profile import Profile
from tests.conftest import free_port_base
from tests.simulation.branches import (
    Branch,
    Found,
    Workers,
    branch,
    evaluable,
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

OpenBranch = Callable[[str, int], Awaitable[Branch]]
PORTS = 80  # of four workers of each service


class Scale(NamedTuple):
    """How much is done to the stages."""

    symbols: int
    late_s: float  # of the 1H topic against the others
    frozen_s: float  # longer than a session in the group
    kills: int


SHORT = Scale(symbols=14, late_s=3.0, frozen_s=8.0, kills=3)
LONG = Scale(symbols=1_000, late_s=60.0, frozen_s=30.0, kills=20)


@pytest.fixture(scope="module")
def scale(is_long: bool) -> Scale:
    return LONG if is_long else SHORT


@pytest.fixture(scope="module")
def candles(recorded: list[Candle], scale: Scale) -> list[Candle]:
    """The candles of some symbols, from all over the alphabet."""
    symbols = sorted({candle.symbol for candle in recorded})
    kept = set(symbols[:: max(1, len(symbols) // scale.symbols)])
    return [candle for candle in recorded if candle.symbol in kept]


@pytest.fixture(scope="module")
def profile(session: Session) -> Profile:
    return configuration(session.system.installation, session.system.environ).profile


@pytest.fixture(scope="module")
def expected(profile: Profile, candles: list[Candle]) -> Recomputed:
    return recomputed(profile, candles)


@pytest.fixture
def open_branch(session: Session, profile: Profile, expected: Recomputed) -> OpenBranch:
    """Makes empty topics on the session's Kafka: `await open_branch("late", partitions=4)`."""

    async def made_there(name: str, partitions: int) -> Branch:
        kafka = session.system.installation
        installation = msgspec.structs.replace(kafka, topic_prefix=f"{name}.")
        return await branch(installation, profile, partitions, expected)

    return made_there


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
    open_branch: OpenBranch,
    candles: list[Candle],
    expected: Recomputed,
    partitions: int,
    workers: int,
) -> None:
    target = await open_branch(f"p{partitions}w{workers}", partitions)
    async with running(target, workers):
        await publish(target, candles)
        await evaluated(target)

    assert await made(target) == promised(expected)


async def test_hours_that_come_late_change_nothing(
    open_branch: OpenBranch, candles: list[Candle], expected: Recomputed, scale: Scale
) -> None:
    target = await open_branch("late", 4)
    async with running(target, 1):
        await publish(target, (each for each in candles if each.granularity != "1H"))
        await asyncio.sleep(scale.late_s)
        assert (await made(target)).signals < len(expected.signals)
        await publish(target, (each for each in candles if each.granularity == "1H"))
        await evaluated(target)

    assert await made(target) == promised(expected)


async def test_killed_frozen_replaced_and_woken_workers_change_nothing(
    open_branch: OpenBranch,
    candles: list[Candle],
    expected: Recomputed,
    scale: Scale,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    target, chance = await open_branch("chaos", 8), random.Random(7)
    counts = evaluable(target.profile, candles)
    parts = portions(candles, scale.kills + 2)
    data = tmp_path_factory.mktemp("workers") / "data"
    workers = Workers(target, System(data, free_port_base(PORTS)), 3, chance)
    published = 0
    try:
        for part in parts[:-1]:
            await publish(target, part)
            in_the_midst = published + chance.randrange(len(part))
            published += len(part)
            if workers.killed < scale.kills:
                await evaluated(target, counts[in_the_midst])
                workers.kill()
        workers.freeze("signals", 0, spare=3)
        await evaluated(target, counts[published])
        await asyncio.to_thread(workers.thaw, scale.frozen_s)
        await publish(target, parts[-1])
        await evaluated(target)
    finally:
        await asyncio.to_thread(workers.end)

    assert await made(target) == promised(expected)
