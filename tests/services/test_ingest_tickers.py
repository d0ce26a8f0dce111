"""Tickers and how far they are out: nothing that isn't newer follows what was said."""

from collections.abc import Sequence

import pytest

from chandler.core.events import Event, Symbol, Ticker
from chandler.core.trading.events import TickersOut
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.bitget.parse import TickerPush
from chandler.exchanges.simulator.config import SimulatorConfig
from chandler.streams.reader import Record as Read
from chandler.streams.settings import Installation, installation
from chandler.streams.telemetry.metrics import Metrics
from chandler.streams.writing import EVERY, Record, ReplacedError, Sender
from services.ingest.service import SERVICE
from services.ingest.tickers import (
    FROZEN_S,
    SAY_EVERY_S,
    SLACK_MS,
    Tickers,
    said_by,
    slack_ms,
    thaw,
)
from services.profile import Profile
from tests.conftest import Topics
from tests.services.ingesting import TOPICS, ingesting, profile_of, records, until, venue

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")


class Kept(Sender):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__(installation({}))
        self.kept: list[Record] = []

    def send(self, record: Record) -> None:
        self.kept.append(record)


class Booth:
    """A shard's tickers, with a clock of its own."""

    def __init__(self, *, slack_ms: int = 0) -> None:
        self.now = 1.0
        self.sender = Kept()
        self.metrics = Metrics("ingest", SERVICE.metrics)
        self.tickers = Tickers(
            self.sender,
            self.metrics,
            shard=1,
            slack_ms=slack_ms,
            monotonic=lambda: self.now,
        )
        self.tickers.resume(3, -1)

    def take(self, symbol: Symbol, at: int) -> None:
        self.tickers.take(push(symbol, at), None)

    def say(self, idle_until: int | None = None) -> None:
        self.now += SAY_EVERY_S
        self.tickers.say(idle_until)

    def ats(self) -> list[int]:
        return [each.event.at for each in self.sender.kept if isinstance(each.event, Ticker)]

    def said(self) -> list[tuple[int | None, TickersOut]]:
        kept = self.sender.kept
        return [(each.partition, each.event) for each in kept if isinstance(each.event, TickersOut)]

    def dropped(self, cause: str) -> float:
        name = f'chandler_ingest_tickers_dropped_total{{cause="{cause}"}} '
        lines = self.metrics.text().decode().splitlines()
        return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0)


def push(symbol: Symbol, at: int) -> TickerPush:
    prices = dict.fromkeys(("last", "bid", "ask", "mark", "rate"), "1")
    return TickerPush(symbol=symbol, at=at, next_funding_ms=at, quote_volume_24h=1.0, **prices)


def out(at: int, shard: int = 0, shards: int = 2) -> TickersOut:
    return TickersOut(shard=shard, shards=shards, at=at)


def test_how_far_it_is_goes_to_every_partition_after_the_tickers() -> None:
    booth = Booth()

    booth.take(BTC, 1_000)
    booth.say()

    assert booth.said() == [(EVERY, out(999, 1, 3))]
    assert isinstance(booth.sender.kept[0].event, Ticker)
    assert booth.sender.kept[0].partition is None


def test_it_is_said_only_when_it_has_grown_and_not_too_often() -> None:
    booth = Booth()

    booth.take(BTC, 1_000)
    booth.say()
    booth.take(BTC, 2_000)
    booth.tickers.say()
    booth.take(BTC, 3_000)
    booth.say()
    booth.say()

    assert [each.at for _, each in booth.said()] == [999, 2_999]


def test_the_slack_keeps_room_for_the_tickers_of_other_symbols() -> None:
    booth = Booth(slack_ms=500)

    booth.take(BTC, 1_000)
    booth.say()
    booth.take(ETH, 500)
    booth.take(ETH, 499)

    assert booth.said()[0][1].at == 499
    assert booth.ats() == [1_000, 500]
    assert booth.dropped("said to be out") == 0
    assert booth.dropped("not newer") == 1


def test_what_is_not_newer_than_what_was_said_is_dropped_and_counted() -> None:
    booth = Booth()

    booth.take(BTC, 1_000)
    booth.say()
    for at in (998, 999, 1_000):
        booth.take(ETH, at)

    assert booth.ats() == [1_000, 1_000]
    assert booth.dropped("said to be out") == 2


def test_a_ticker_that_is_repeated_is_dropped() -> None:
    booth = Booth()

    for _ in range(3):
        booth.take(BTC, 1_000)

    assert booth.ats() == [1_000]
    assert booth.dropped("not newer") == 2


def test_a_restart_goes_on_after_what_was_said() -> None:
    booth = Booth()
    booth.tickers.resume(3, 5_000)

    for at in (4_000, 5_000, 5_001):
        booth.take(BTC, at)
    booth.say()
    booth.take(BTC, 6_000)
    booth.say()

    assert booth.ats() == [5_001, 6_000]
    assert {each.at for _, each in booth.said()} == {5_999}


def test_a_shard_whose_symbols_are_gone_holds_nobody_back() -> None:
    booth = Booth()

    booth.say(idle_until=7_001)

    assert [each.at for _, each in booth.said()] == [7_000]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], -1),
        ([out(5, 0), out(9, 1), out(7, 0)], 7),  # its own word
        ([out(5, 1), out(9, 1)], 9),  # it was silent for long: the furthest of the others
        ([out(5, 0, 1)], 5),  # there was one shard then
        ([out(5, 0), out(9, 3, 4)], 9),  # now and then
    ],
)
def test_where_an_older_ingest_had_come_to(events: Sequence[Event], said: int) -> None:
    assert said_by(events, 0, 2) == said


def test_without_a_word_the_newest_ticker_counts() -> None:
    booth = Booth()
    booth.take(BTC, 1_000)

    assert said_by([each.event for each in booth.sender.kept], 0, 2) == 1_000


def test_the_slack_is_of_the_venues_clock_and_none_on_the_simulator() -> None:
    simulator = SimulatorConfig(speed=60.0)

    assert slack_ms(Profile()) == SLACK_MS
    assert slack_ms(Profile(simulator=simulator)) == 0
    assert slack_ms(Profile(simulator=simulator, venue=VenueConfig(ticker_slack_ms=20))) == 1_200


def faults_of(found: Sequence[Read]) -> list[str]:
    """What follows although it was said to be out, or is not newer, by partition."""
    faults = []
    said: dict[tuple[int, int], int] = {}
    newest: dict[Symbol, int] = {}
    for record in found:
        event, place = record.event, f"{record.partition}/{record.offset}"
        if isinstance(event, TickersOut):
            key = (record.partition, event.shard)
            if event.at <= said.get(key, -1):
                faults.append(f"{place}: {event} after {said[key]}")
            said[key] = event.at
        elif isinstance(event, Ticker):
            marks = [at for (partition, _), at in said.items() if partition == record.partition]
            if marks and event.at <= min(marks):
                faults.append(f"{place}: {event} after {min(marks)}")
            if event.at <= newest.get(event.symbol, -1):
                faults.append(f"{place}: {event} after {newest[event.symbol]}")
            newest[event.symbol] = event.at
    return faults


def words(found: Sequence[Read]) -> list[TickersOut]:
    return [each.event for each in found if isinstance(each.event, TickersOut)]


async def test_one_that_was_frozen_publishes_nothing_before_it_has_looked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its socket still held the tickers of the minutes before: they came after newer ones."""
    booth = Booth()
    out_now: list[Event] = []

    async def tail(*_: object) -> list[Event]:
        return out_now

    monkeypatch.setattr("services.ingest.tickers.tail", tail)
    booth.take(BTC, 1_000)
    booth.say()
    booth.now += FROZEN_S + 0.1
    booth.take(BTC, 2_000)
    booth.say()

    out_now.append(out(999, 1, 3))
    await thaw(installation({}), [booth.tickers])
    booth.take(BTC, 3_000)
    booth.say()
    booth.now += FROZEN_S + 0.1
    booth.take(BTC, 4_000)
    out_now.append(out(3_500, 1, 3))

    assert booth.ats() == [1_000, 3_000]
    assert booth.dropped("was frozen") == 2
    with pytest.raises(ReplacedError, match="another instance went on with its tickers"):
        await thaw(installation({}), [booth.tickers])


@pytest.mark.kafka
async def test_nothing_older_follows_what_was_said_not_even_after_a_restart(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS, partitions=3)
    async with venue(600.0, faults="cut=2s,duplicate=5%,reorder=5%,late=5%") as simulator:
        profile = profile_of(simulator, symbols_per_shard=2)
        for _ in range(2):
            before = len(words(await records(installation, "tickers")))
            async with ingesting(installation, profile) as context:
                await until(lambda: context.health.ready, "it is not ready")
                while len(words(await records(installation, "tickers"))) < before + 60:
                    pass

        found = await records(installation, "tickers")

        assert faults_of(found) == []
        assert {(each.shard, each.shards) for each in words(found)} == {(0, 2), (1, 2)}
        for number in range(3):
            assert words([each for each in found if each.partition == number])
        assert {type(each.event) for each in found} == {Ticker, TickersOut}
