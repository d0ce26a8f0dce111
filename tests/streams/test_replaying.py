"""What of a partition is replayed, when it is due, and in which order partitions meet."""

from collections import defaultdict
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.events import CandleMissing, Event, Instrument, Symbol, Ticker
from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS
from chandler.core.trading.events import TickersOut
from chandler.streams.codec import encode
from chandler.streams.replaying import OPEN, WHOLE, Plan
from chandler.streams.replaying.lanes import Lane, Merged, Ready
from chandler.streams.replaying.plan import event_time, order_of
from tests.candles import START_MS, missing, path

FROM_MS = START_MS + DAY_MS


class Fetched(NamedTuple):
    """A record as a consumer gives it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def ticker(at: int, symbol: str = "BTCUSDT") -> Ticker:
    return Ticker(
        symbol=Symbol(symbol),
        at=at,
        last="1",
        bid="1",
        ask="1",
        mark="1",
        minute_open_ms=0,
        minute_volume=0.0,
    )


def fetched(*events: Event | None) -> list[Fetched]:
    return [
        Fetched(
            number,
            getattr(event, "symbol", "@out").encode(),
            b"rubbish" if event is None else encode(event),
        )
        for number, event in enumerate(events)
    ]


def plan(
    *topics: str, to_ms: int = OPEN, warm_up_ms: int = 0, symbols: tuple[str, ...] = ()
) -> Plan:
    return Plan(
        from_ms=FROM_MS,
        to_ms=to_ms,
        warm_up_ms=warm_up_ms,
        topics=list(topics),
        symbols=list(symbols),
    )


def all_of(lane: Lane) -> list[Ready]:
    return [lane.pop() for _ in range(len(lane))]


def test_an_event_tells_its_time_by_its_own_fields() -> None:
    [candle] = path(1)
    instrument = Instrument(
        symbol=Symbol("BTCUSDT"),
        price_step="1",
        size_step="1",
        size_min="1",
        notional_min="1",
        maker_fee="0",
        taker_fee="0",
        leverage_max=1,
        status="normal",
        seen_at=77,
    )

    assert event_time(encode(candle)) == candle.close_ms
    assert event_time(encode(missing(candle))) == candle.close_ms
    assert event_time(encode(instrument)) == 77
    assert event_time(encode(ticker(88))) == 88
    assert event_time(encode(TickersOut(shard=0, shards=1, at=99))) == 99
    assert [event_time(raw) for raw in (None, b"", b"{}", b"[1]", b'{"at": "x"}')] == [-1] * 5


def test_the_period_begins_with_from_and_ends_before_to() -> None:
    lane = Lane(plan("tickers", to_ms=FROM_MS + 2), "tickers", 0)

    lane.feed(fetched(*(ticker(FROM_MS + moment) for moment in (-1, 0, 1, 2, 3))))

    assert [ready.at - FROM_MS for ready in all_of(lane)] == [0, 1]
    assert lane.next_offset == 3


def test_candles_before_the_period_belong_to_the_warm_up_and_tickers_do_not() -> None:
    hours = 3
    candles = path(DAY_MS // (5 * MINUTE_MS) + 12)
    warm = plan("candles.5m", warm_up_ms=hours * HOUR_MS)
    lane = Lane(warm, "candles.5m", 0)
    lane.feed(fetched(*candles))

    due = [ready.due_ms for ready in all_of(lane)]

    assert due[0] == FROM_MS - hours * HOUR_MS
    assert len(due) == len(set(due)) == hours * 12 + 13
    assert Plan.low_ms(warm, "tickers") == FROM_MS
    assert plan("candles.5m", warm_up_ms=WHOLE).low_ms("candles.5m") == 0


def test_a_record_that_came_late_goes_out_behind_the_one_before_it() -> None:
    lane = Lane(plan("tickers"), "tickers", 0)

    lane.feed(fetched(ticker(FROM_MS + 9), ticker(FROM_MS + 3), ticker(FROM_MS + 12)))

    assert [ready.due_ms - FROM_MS for ready in all_of(lane)] == [9, 9, 12]


def test_what_cannot_be_decoded_goes_where_it_stood() -> None:
    lane = Lane(plan("tickers", to_ms=FROM_MS + 9), "tickers", 0)

    lane.feed(fetched(None, ticker(FROM_MS + 5), None, ticker(FROM_MS + 9), None))

    assert [(ready.offset, ready.due_ms - FROM_MS) for ready in all_of(lane)] == [
        (0, 0),
        (1, 5),
        (2, 5),
    ]


def test_only_chosen_symbols_are_replayed_and_how_far_the_tickers_are_out() -> None:
    lane = Lane(plan("tickers", symbols=("AUSDT",)), "tickers", 0)
    at = FROM_MS

    lane.feed(
        fetched(ticker(at, "AUSDT"), ticker(at, "BUSDT"), TickersOut(shard=0, shards=1, at=at))
    )

    assert [ready.offset for ready in all_of(lane)] == [0, 2]


def test_at_one_moment_terms_go_before_candles_longer_ones_first_and_tickers_after_them() -> None:
    topics = ["commands", "tickers", "candles.1m", "candles.1H", "instruments", "orders"]

    assert sorted(topics, key=order_of) == [
        "instruments",
        "candles.1H",
        "candles.1m",
        "tickers",
        "commands",
        "orders",
    ]


def test_nothing_goes_while_an_earlier_record_may_still_come() -> None:
    lanes = [Lane(plan("tickers"), "tickers", number) for number in (0, 1)]
    merged = Merged(lanes)
    lanes[0].feed(fetched(ticker(FROM_MS + 5), ticker(FROM_MS + 6)))

    assert merged.take(OPEN, 10) == []
    assert merged.lacking() == [lanes[1]]
    lanes[1].feed(fetched(ticker(FROM_MS + 1)))
    assert [ready.at - FROM_MS for ready in merged.take(OPEN, 10)] == [1]
    lanes[1].finished = True
    assert [ready.at - FROM_MS for ready in merged.take(FROM_MS + 5, 10)] == [5]
    assert not merged.is_complete


@given(
    st.lists(st.lists(st.integers(0, 50), max_size=12), min_size=1, max_size=4),
    st.integers(1, 7),
)
def test_all_goes_out_once_by_time_and_each_partition_keeps_its_order(
    partitions: list[list[int]], most: int
) -> None:
    lanes = [Lane(plan("tickers"), "tickers", number) for number in range(len(partitions))]
    for lane, moments in zip(lanes, partitions, strict=True):
        lane.feed(fetched(*(ticker(FROM_MS + moment) for moment in moments)))
        lane.finished = True
    merged = Merged(lanes)
    out: list[Ready] = []
    while not merged.is_complete:
        out += merged.take(OPEN - 1, most)

    by_partition: defaultdict[int, list[int]] = defaultdict(list)
    for ready in out:
        by_partition[ready.partition].append(ready.offset)
    due = [ready.due_ms for ready in out]
    assert due == sorted(due)
    for number, moments in enumerate(partitions):
        assert by_partition[number] == list(range(len(moments)))


@pytest.mark.parametrize("raw", [missing(path(1)[0])])
def test_a_missing_candle_is_replayed_as_a_candle(raw: CandleMissing) -> None:
    lane = Lane(plan("candles.5m", warm_up_ms=WHOLE), "candles.5m", 0)

    lane.feed(fetched(raw))

    assert [ready.value for ready in all_of(lane)] == [encode(raw)]
