"""The desk's loop on a real Kafka: the order of things, each input once, whatever dies when."""

import asyncio
import signal as signals
import time

import msgspec
import pytest

from chandler.core.events import Event
from chandler.core.trading.events import Command, DeskTaken, OrderFilled, OrdersOut, Refusal
from chandler.streams.exact import taker
from chandler.streams.exact.journal import restored
from chandler.streams.points import POINTS
from chandler.streams.settings import Installation
from tests.streams.desk.cluster import (
    PARTITIONS,
    SYMBOLS,
    Sent,
    begun,
    desk_cluster,
    desk_running,
    exit_of,
    exits_out,
    ids,
    instrument,
    journal,
    journal_when,
    publish_events,
    pump,
    row,
    signal,
    spawn,
    ticker,
    tickers_out,
)
from tests.streams.exact_cluster import START_MS, died, end, publish_raw, read

pytestmark = pytest.mark.kafka

MINUTE = 60_000


@pytest.fixture
async def cluster(installation: Installation) -> Installation:
    """Tickers up to 0 are out, and everybody has evaluated the close of 0."""
    return await begun_cluster(installation, "d")


async def begun_cluster(installation: Installation, name: str) -> Installation:
    own = await desk_cluster(installation, name)
    await publish_events(
        own, [tickers_out(0), *(("matrix", row(symbol, 0)) for symbol in SYMBOLS), *exits_out(0)]
    )
    return own


def ticks(first: int, number: int = 20) -> list[Sent]:
    """`number` tickers of each symbol after `first`, and their watermark."""
    return [
        *(
            ("tickers", ticker(symbol, first + 10 * n, "101" if n == 3 else "100"))
            for n in range(1, number + 1)
            for symbol in SYMBOLS
        ),
        tickers_out(first + 10 * number),
    ]


async def test_what_is_taken_stands_in_the_order_of_things_whatever_the_arrival(cluster):
    async with desk_running(cluster) as told:
        await begun(cluster)
        await publish_events(cluster, [("signals", signal("AUSDT", MINUTE, 0.2))])
        await publish_events(cluster, [("exits", exit_of("BUSDT", MINUTE)), *exits_out(2 * MINUTE)])
        await publish_events(cluster, [("tickers", ticker("CUSDT", MINUTE))])
        await publish_events(cluster, [("tickers", ticker("AUSDT", MINUTE - 1))])
        await publish_events(cluster, [("signals", signal("DUSDT", MINUTE, 0.9))])
        verdicts = {"AUSDT": "long", "DUSDT": "long"}
        rows: list[Sent] = [
            ("matrix", row(symbol, MINUTE, verdicts.get(symbol, "below threshold")))
            for symbol in SYMBOLS
        ]
        await publish_events(cluster, rows)
        await publish_events(cluster, [("tickers", ticker("DUSDT", MINUTE + 1))])
        await publish_events(cluster, [tickers_out(MINUTE + 1)])
        found = await journal_when(cluster, 6)

    assert ids(found) == [
        "AUSDT@59999",
        "CUSDT@60000",
        "engine-DUSDT-60000",
        "engine-AUSDT-60000",
        "exit-BUSDT-60000",
        "DUSDT@60001",
    ]
    assert told.lates == []
    assert told.windows == []


async def test_a_signal_whose_matrix_row_came_first_is_not_overtaken(cluster):
    async with desk_running(cluster) as told:
        await begun(cluster)
        rows: list[Sent] = [
            ("matrix", row(symbol, MINUTE, "long" if symbol == "AUSDT" else "cooling down"))
            for symbol in SYMBOLS
        ]
        later = [("tickers", ticker("BUSDT", MINUTE + 5)), tickers_out(MINUTE + 5)]
        await publish_events(cluster, [*rows, *later, *exits_out(MINUTE + 5)])
        await publish_events(cluster, [("tickers", ticker("BUSDT", MINUTE - 1))])
        await begun(cluster, MINUTE - 1)
        await publish_events(cluster, [("signals", signal("AUSDT", MINUTE))])
        found = await journal_when(cluster, 2)

    assert ids(found)[-2:] == ["engine-AUSDT-60000", "BUSDT@60005"]
    assert "signals" not in told.lates


async def test_a_signal_waits_for_its_symbols_guard_and_sees_it_as_it_was(cluster):
    async with desk_running(cluster):
        await begun(cluster)
        await publish_events(cluster, [("pumps", pump("AUSDT", 0))])
        await publish_events(cluster, [("tickers", ticker("AUSDT", 10)), tickers_out(MINUTE)])
        await publish_events(cluster, [*exits_out(MINUTE), ("signals", signal("AUSDT", MINUTE))])
        rows: list[Sent] = [
            ("matrix", row(symbol, MINUTE, "long" if symbol == "AUSDT" else "cooling down"))
            for symbol in SYMBOLS
        ]
        await publish_events(cluster, rows)
        await begun(cluster, MINUTE - 1)
        before = ids(await journal(cluster))
        started = msgspec.structs.replace(pump("AUSDT", MINUTE - 5), kind="started", pump="up")
        ended = msgspec.structs.replace(pump("AUSDT", MINUTE + 5), kind="ended")
        await publish_events(cluster, [("pumps", started), ("pumps", ended)])
        found = await journal_when(cluster, 2)

    assert before == ["AUSDT@10"]
    assert ids(found) == ["AUSDT@10", "engine-AUSDT-60000"]
    assert found[1].seen.guard == started


async def test_the_window_of_a_silent_input_closes_and_what_it_says_later_is_late(cluster):
    async with desk_running(cluster, window_s_max=1.0) as told:
        await begun(cluster)
        await publish_events(cluster, [("tickers", ticker("AUSDT", 10)), tickers_out(1_000)])
        await begun(cluster, 1_000)
        await publish_events(cluster, [("exits", exit_of("AUSDT", 500)), *exits_out(500)])
        await publish_events(cluster, [("tickers", ticker("AUSDT", 1_500)), tickers_out(1_500)])
        await publish_events(cluster, exits_out(1_500))
        found = await journal_when(cluster, 5)

    assert {window.input for window in told.windows} == {"exits"}
    assert [record.kind for record in found] == [
        *(["WindowClosed"] * PARTITIONS),
        "Ticker",
        "ExitRequested",
        "Ticker",
    ]
    late = found[-2]
    assert late.late
    assert late.at == START_MS + 1_001
    assert [record.late for record in found if record is not late] == [False] * 4


async def test_a_command_takes_its_place_on_arrival_and_one_from_far_ahead_at_once(cluster):
    far = signal("AUSDT", 50 * 365 * 24 * 60 * MINUTE, source="stranger")
    async with desk_running(cluster) as told:
        await begun(cluster)
        await publish_events(cluster, [("signals.external", far)])
        await publish_events(cluster, [("signals.external", signal("AUSDT", 20, source="me"))])
        await publish_events(cluster, [*exits_out(1_000), *ticks(0, 5)])
        found = await journal_when(cluster, 22)

    assert ids(found).index(far.id) < ids(found).index("AUSDT@10")
    assert ids(found).index("me-AUSDT-20") > ids(found).index("DUSDT@20")
    assert ids(found).index("me-AUSDT-20") < ids(found).index("AUSDT@30")
    assert told.lates == ["signals.external"]


async def test_a_command_is_seen_with_the_wall_time_at_which_it_was_read(cluster):
    command = Command(id="c", who="cli", what="close_all", at=20)
    before = time.time_ns() // 1_000_000
    async with desk_running(cluster):
        await begun(cluster)
        await publish_events(cluster, [("commands", command), *exits_out(1_000), *ticks(0, 5)])
        found = await journal_when(cluster, 21)

    taken = {each.kind: each.seen.taken_ms for each in found}
    assert before <= taken.pop("Command") <= time.time_ns() // 1_000_000
    assert set(taken.values()) == {0}


async def test_what_is_left_when_the_time_of_a_turn_is_over_is_taken_without_being_woken(
    cluster, monkeypatch
):
    monkeypatch.setattr(taker, "FOLD_S_MAX", 1e-6)  # one take in a turn
    quiet = [("instruments", instrument(f"{number}USDT")) for number in range(100)]
    async with desk_running(cluster) as told:
        await begun(cluster)
        await publish_events(cluster, quiet)
        await publish_events(cluster, [tickers_out(5), *exits_out(5)])

        await begun(cluster, 5)  # it stands there when all of them were taken

    assert told.windows == []


DESK_POINTS = [
    f"{point}:{nth}"
    for point in POINTS
    if not point.startswith(("request", "reply"))
    for nth in (1, 3)
]


async def test_a_desk_killed_at_any_point_takes_each_input_once_and_in_the_same_order(
    installation,
):
    async def survives(point: str) -> list[str]:
        cluster = await begun_cluster(installation, point.replace(":", "."))
        doomed = spawn(cluster, point)
        try:
            feeding = asyncio.create_task(feed(cluster))
            assert await died(doomed) == -signals.SIGKILL
            async with desk_running(cluster) as told:
                found = await journal_when(cluster, 240)
            await feeding
        finally:
            end(doomed)
        return await faults(cluster, found, told.lates)

    gate = asyncio.Semaphore(3)

    async def bounded(point: str) -> list[str]:
        async with gate:
            return await survives(point)

    found = await asyncio.gather(*map(bounded, DESK_POINTS))

    assert dict(zip(DESK_POINTS, found, strict=True)) == {point: [] for point in DESK_POINTS}


async def feed(cluster: Installation) -> None:
    """Tickers in several bites, each when the desk has taken the one before."""
    await begun(cluster)
    for first in range(0, 600, 200):
        await publish_events(cluster, [*exits_out(first + 200), *ticks(first)])
        await begun(cluster, first + 200)


async def faults(cluster: Installation, found: list[DeskTaken], lates: list[str]) -> list[str]:
    """What is wrong with the books."""
    wrong = []
    if [record.seq for record in found] != list(range(1, len(found) + 1)):
        wrong.append("the journal has a hole")
    named = ids(found)
    if len(set(named)) != len(named):
        wrong.append("an input was taken twice")
    if lates:
        wrong.append(f"late: {lates[:3]}")
    if [(record.at, record.kind) for record in found] != sorted(
        (record.at, record.kind) for record in found
    ):
        wrong.append("out of order")
    orders: list[Event] = await read(cluster, "orders")
    said = [each for each in orders if isinstance(each, Refusal | OrderFilled)]
    if len(said) != len(found):
        wrong.append(f"{len(found)} decisions, {len(said)} outputs")
    return wrong


async def test_a_frozen_shard_that_wakes_up_writes_nothing_and_ends(cluster):
    frozen = spawn(cluster)
    try:
        await begun(cluster)
        await publish_events(cluster, [*exits_out(200), *ticks(0)])
        await journal_when(cluster, 80)
        frozen.send_signal(signals.SIGSTOP)
        async with desk_running(cluster) as told:
            await publish_events(cluster, [*exits_out(400), *ticks(200)])
            await journal_when(cluster, 160)
            frozen.send_signal(signals.SIGCONT)
            await publish_events(cluster, [*exits_out(600), *ticks(400)])
            found = await journal_when(cluster, 240)
            status = await died(frozen)
    finally:
        end(frozen)

    assert status == 1
    assert await faults(cluster, found, told.lates) == []
    assert told.restarts == []


async def test_a_restored_shard_sees_the_market_as_it_was(cluster):
    await publish_raw(cluster, "tickers", b"\xffrubbish", "AUSDT")
    async with desk_running(cluster):
        await begun(cluster)
        await publish_events(cluster, [("instruments", instrument(each)) for each in SYMBOLS])
        await publish_events(cluster, [("pumps", pump("AUSDT", 5)), *exits_out(200), *ticks(0)])
        await journal_when(cluster, 80)
    async with desk_running(cluster):
        await publish_events(cluster, [*exits_out(500), tickers_out(500)])
        external = [("signals.external", signal(symbol, 300, source="x")) for symbol in SYMBOLS]
        guards = [("pumps", pump(symbol, 300)) for symbol in SYMBOLS]
        await publish_events(cluster, [*external, *guards])
        found = (await journal_when(cluster, 84))[80:]

    tickers = [record.seen.ticker for record in found]
    assert {each.symbol: each.at - START_MS for each in tickers if each} == dict.fromkeys(
        SYMBOLS, 200
    )
    assert [record.seen.guard is not None for record in found] == [True] * 4
    assert [record.seen.instrument is not None for record in found] == [True] * 4
    assert len(await read(cluster, "dead-letters")) == 1


async def test_guards_far_ahead_of_a_shard_are_read_again_and_not_kept(cluster, monkeypatch):
    """A shard that was hours behind kept so many that its state was no message any more."""
    monkeypatch.setattr(taker, "SNAPSHOT_S", 0.0)
    guards = [("pumps", pump(symbol, 1_000 + at)) for at in range(300) for symbol in SYMBOLS]
    async with desk_running(cluster):
        await begun(cluster)
        await publish_events(cluster, [("pumps", pump("AUSDT", 50)), *guards])
        await publish_events(cluster, [*exits_out(200), *ticks(0)])
        await journal_when(cluster, 80)
    kept = await restored(cluster, 0)
    async with desk_running(cluster):
        await publish_events(cluster, [*exits_out(2_000), tickers_out(2_000)])
        external = [("signals.external", signal(symbol, 1_200, source="x")) for symbol in SYMBOLS]
        await publish_events(cluster, external)
        found = (await journal_when(cluster, 84))[80:]

    assert kept.snapshot.market.guards == {"AUSDT": [pump("AUSDT", 50)]}
    seen = [record.seen.guard.at for record in found if record.seen.guard is not None]
    assert seen == [START_MS + 1_200] * 4


async def test_the_clock_is_told_in_every_partition_and_an_idle_desk_says_nothing(cluster):
    async with desk_running(cluster) as told:
        await begun(cluster)
        await publish_events(cluster, [tickers_out(30_000), *exits_out(30_000)])
        await begun(cluster, 30_000)
        commits = told.commits
        await asyncio.sleep(0.5)
        again = told.commits
    outs = [each for each in await read(cluster, "orders") if isinstance(each, OrdersOut)]

    assert again == commits
    assert len([each for each in outs if each.at == START_MS + 30_000]) == PARTITIONS
