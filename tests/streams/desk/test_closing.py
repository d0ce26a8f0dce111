"""A shard that is asked to end decides nothing any more; what the venue says is taken in first."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace

import msgspec
import pytest

from chandler.core.events import Event
from chandler.core.stage import Output
from chandler.core.trading.events import DeskTaken, Seen
from chandler.streams.codec import encode
from chandler.streams.exact import Inbox, Shard
from chandler.streams.exact.journal import DeskRestored, MarketSnapshot
from chandler.streams.exact.taker import BATCH_MAX, INPUTS, Taker
from chandler.streams.settings import Installation
from tests.streams.desk.cluster import (
    begun,
    desk_cluster,
    desk_running,
    exit_of,
    exits_out,
    ids,
    journal,
    publish_events,
    row,
    signal,
    ticker,
    tickers_out,
)
from tests.streams.desk.worker import CountingFold, Tally, Told, run

PARTS = {topic: [0] for topic in INPUTS}
NEVER = DeskRestored(states={}, offsets=None, snapshot=MarketSnapshot(), owner="")


class Quiet:
    """A venue that is told nothing and asked for nothing."""

    def __init__(self) -> None:
        self.inbox = Inbox()

    def restored(self, states: Mapping[str, Tally], clock: int) -> None: ...

    async def look(
        self, states: Mapping[str, Tally], event: msgspec.Struct, seen: Seen, at: int
    ) -> Seen:
        return seen

    def committed(self, states: Mapping[str, Tally], outputs: Sequence[Output]) -> None: ...


def taker_of(venue: Quiet | None) -> Taker[Tally]:
    shard = Shard(number=0, shards=1, live=venue is not None, guarded=False)
    return Taker(CountingFold(), shard, PARTS, NEVER, Told(), venue)


def feed(taker: Taker[Tally], events: Iterable[tuple[str, Event]], written_ms: int = 1) -> None:
    for topic, event in events:
        place = max(taker.order.read(topic, 0), 0)
        record = SimpleNamespace(
            value=encode(event), partition=0, offset=place, timestamp=written_ms, headers=()
        )
        taker.feed(topic, record)


def taken(taker: Taker[Tally]) -> list[str]:
    return ids(record for record, _ in taker.batch.records)


async def test_a_closing_live_shard_takes_the_venues_word_and_no_signal() -> None:
    venue = Quiet()
    taker = taker_of(venue)
    feed(taker, [("tickers", ticker("A", 0))])
    await taker.fill()
    taker.committed(None)
    feed(taker, [("signals", signal("A", 60_000)), ("tickers", ticker("A", 60_000))])
    venue.inbox.put(signal("A", 1, source="the-venue"))

    await taker.fill(closing=True)
    last = taken(taker)
    again = await taker.fill(closing=True)
    taker.committed(None)
    await taker.fill()

    assert last == ["the-venue-A-1"]
    assert not again
    assert taken(taker)[0] == "engine-A-60000"  # a successor takes it


async def test_a_shard_is_as_old_as_what_it_took_and_not_as_what_it_read_ahead() -> None:
    taker = taker_of(None)
    feed(taker, [tickers_out(0), ("matrix", row("A", 0)), exits_out(0)[0]], written_ms=1_000)
    await taker.fill()

    feed(taker, [("tickers", ticker("A", 10))], written_ms=2_000)  # its watermark is not there yet
    await taker.fill()
    read_ahead = taker.newest_timestamp_ms
    feed(taker, [tickers_out(20), exits_out(20)[0]], written_ms=3_000)
    await taker.fill()

    assert (read_ahead, taker.newest_timestamp_ms) == (0, 2_000)


@pytest.mark.parametrize("venue", [None, Quiet()])
async def test_a_word_of_people_does_not_make_a_shard_young(venue: Quiet | None) -> None:
    """A desk that was minutes behind said it was 8 s: a signal from outside had overtaken."""
    taker = taker_of(venue)
    feed(taker, [tickers_out(0), ("matrix", row("A", 0)), exits_out(0)[0]])
    await taker.fill()
    feed(taker, [("tickers", ticker("A", 10)), tickers_out(20), exits_out(20)[0]], written_ms=1_000)
    await taker.fill()
    late = ("signals.external", signal("A", -5, source="me"))
    feed(taker, [late, tickers_out(40), exits_out(40)[0]], written_ms=9_000)
    await taker.fill()

    assert taken(taker)[-1] == "me-A--5"
    assert taker.newest_timestamp_ms == 1_000


@pytest.mark.parametrize(
    "young",
    [("signals", signal("A", -5)), ("exits", exit_of("A", 30)), ("tickers", ticker("B", 5))],
)
async def test_what_is_new_of_an_old_market_does_not_make_a_shard_young(young) -> None:
    """A desk 44 s behind said 1.6 s: exits, which follow from what it says, are just written."""
    taker = taker_of(None)
    feed(taker, [tickers_out(0), ("matrix", row("A", 0)), exits_out(0)[0]])
    await taker.fill()
    feed(taker, [("tickers", ticker("A", 10)), tickers_out(20), exits_out(20)[0]], written_ms=1_000)
    await taker.fill()
    before = len(taken(taker))
    feed(taker, [young, tickers_out(40), exits_out(40)[0]], written_ms=9_000)
    await taker.fill()

    assert len(taken(taker)) == before + 1
    assert taker.newest_timestamp_ms == 1_000


async def test_a_closing_paper_shard_takes_nothing() -> None:
    taker = taker_of(None)
    feed(taker, [tickers_out(0), ("matrix", row("A", 0)), exits_out(0)[0]])
    await taker.fill()  # it begins
    feed(taker, [("tickers", ticker("A", 10)), tickers_out(20), exits_out(20)[0]])

    await taker.fill(closing=True)
    closed = taken(taker)
    await taker.fill()

    assert closed == []
    assert taken(taker) == ["A@10"]


class Ends(Told):
    """Asks its shard to end with the first records that it has committed."""

    def __init__(self) -> None:
        super().__init__()
        self.stop = asyncio.Event()

    def decided(self, records: int) -> None:
        if records:
            self.stop.set()


@pytest.mark.kafka
async def test_a_stop_leaves_what_waits_to_the_successor(installation: Installation) -> None:
    """It went on as long as there was something to commit: through all of its backlog."""
    cluster = await desk_cluster(installation, "closing")
    backlog = [ticker("AUSDT", number) for number in range(1, 3 * BATCH_MAX)]
    async with desk_running(cluster):
        await publish_events(cluster, [tickers_out(0), ("matrix", row("AUSDT", 0)), *exits_out(0)])
        await begun(cluster)
    await publish_events(
        cluster,
        [
            *(("tickers", each) for each in backlog),
            tickers_out(3 * BATCH_MAX),
            *exits_out(3 * BATCH_MAX),
        ],
    )
    observer = Ends()

    async with asyncio.timeout(60):
        await run(cluster, observer.stop, observer)
    first: list[DeskTaken] = await journal(cluster)
    second = Ends()
    async with asyncio.timeout(60):
        await run(cluster, second.stop, second)
    both = await journal(cluster)

    assert 0 < len(first) <= BATCH_MAX
    assert len(both) > len(first)
    assert ids(both) == [f"AUSDT@{each.at - backlog[0].at + 1}" for each in backlog][: len(both)]
