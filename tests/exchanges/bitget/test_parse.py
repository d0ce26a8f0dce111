"""Frames of the public socket, as they are and as they must not be."""

import json
import math
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.events import Symbol
from chandler.core.granularity import INTERVAL_MS, Granularity
from chandler.exchanges.bitget import symbols
from chandler.exchanges.bitget.errors import MalformedFrame
from chandler.exchanges.bitget.parse import (
    CandlePush,
    CandleRow,
    Pong,
    Refused,
    Subscribed,
    TickerPush,
    Unsubscribed,
    parse_frame,
    parse_rows,
)
from tests.exchanges.bitget.scripted import frame

BTC = Symbol("BTCUSDT")
ROW = ["1695685500000", "27000", "27000.5", "27000", "27000.5", "0.057", "1539.0155", "1539.0155"]


def push(rows: Any, **changes: Any) -> bytes:
    """The stored candle frame with other rows."""
    return orjson.dumps(orjson.loads(frame("candle_update")) | {"data": rows} | changes)


def test_a_candle_update_gives_its_row_in_floats_of_the_venues_strings() -> None:
    parsed = parse_frame(frame("candle_update"))

    row = CandleRow(1695685500000, 27000.0, 27000.5, 27000.0, 27000.5, 0.057, 1539.0155)
    assert parsed == CandlePush(BTC, Granularity("1m"), False, [row], 1695715462250, [])


def test_a_snapshot_says_that_it_is_one() -> None:
    parsed = parse_frame(frame("candle_snapshot"))

    assert isinstance(parsed, CandlePush)
    assert parsed.snapshot


def test_text_and_bytes_read_the_same() -> None:
    raw = frame("candle_update")

    assert parse_frame(raw) == parse_frame(raw.decode())


def test_a_ticker_keeps_the_venues_own_strings() -> None:
    parsed = parse_frame(frame("ticker_snapshot"))

    assert parsed == TickerPush(
        symbol=BTC,
        at=1695715383021,
        last="27000.5",
        bid="27000",
        ask="27000.5",
        mark="27000.0",
        rate="0.000010",
        next_funding_ms=1695722400000,
        quote_volume_24h=10152429.961,
    )


@pytest.mark.parametrize("raw", ["pong", b"pong"])
def test_pong_is_text_and_not_json(raw: str | bytes) -> None:
    assert parse_frame(raw) == Pong()


def test_answers_to_requests_name_symbol_and_channel() -> None:
    answers = [parse_frame(frame(name)) for name in ("subscribed", "unsubscribed")]

    assert answers == [Subscribed(BTC, "candle1m"), Unsubscribed(BTC, "candle1m")]


def test_a_refusal_may_name_its_argument_or_none() -> None:
    unknown = parse_frame(frame("refused_unknown"))
    too_many = parse_frame(frame("refused_too_many"))

    assert isinstance(unknown, Refused)
    assert (unknown.symbol, unknown.channel, unknown.code) == ("NOPEUSDT", "candle1m", 30001)
    assert too_many == Refused(Symbol(""), "", 30006, "request too many")


def test_a_refusals_code_may_be_a_string() -> None:
    parsed = parse_frame(b'{"event":"error","code":"30016","msg":"Param error"}')

    assert parsed == Refused(Symbol(""), "", 30016, "Param error")


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({2: "27000.2"}, "open or close outside [low, high]"),
        ({2: "26998", 3: "26999"}, "high < low"),
        ({4: "27001"}, "open or close outside [low, high]"),
        ({1: "NaN"}, "price not finite"),
        ({2: "inf"}, "price not finite"),
        ({3: "-1"}, "price not positive"),
        ({3: "0"}, "price not positive"),
        ({2: "1e13"}, "absurd price"),
        ({5: "-1"}, "impossible volume"),
        ({6: "nan"}, "impossible volume"),
        ({1: "27_000"}, "not a number"),
        ({1: "٢٧٠٠٠"}, "not a number"),
        ({1: ""}, "not a number"),
        ({1: None}, "not a number"),
        ({1: ["27000"]}, "not a number"),
        ({0: "1695685500001"}, "open time off the grid"),
        ({0: "-60000"}, "open time off the grid"),
        ({0: "9" * 30}, "open time off the grid"),
    ],
)
def test_an_impossible_row_is_set_aside_and_the_good_ones_stay(
    change: dict[int, Any], cause: str
) -> None:
    impossible: list[Any] = list(ROW)
    for at, value in change.items():
        impossible[at] = value

    parsed = parse_frame(push([ROW, impossible, ROW]))

    assert isinstance(parsed, CandlePush)
    assert len(parsed.rows) == 2
    assert [row.cause for row in parsed.rejected] == [cause]


@pytest.mark.parametrize("row", [ROW[:6], [*ROW, "1"], {}, "row", None, 7])
def test_a_row_with_the_wrong_number_of_fields_is_set_aside(row: Any) -> None:
    parsed = parse_frame(push([row]))

    assert isinstance(parsed, CandlePush)
    assert [bad.cause for bad in parsed.rejected] == ["wrong number of fields"]


def test_numbers_in_place_of_strings_are_read_too() -> None:
    numbers = [1695685500000, 27000, 27000.5, 27000, 27000.5, 0.057, 1539.0155]

    parsed = parse_frame(push([numbers]))

    assert isinstance(parsed, CandlePush)
    assert parsed.rows == [CandleRow(1695685500000, *map(float, numbers[1:]))]


def test_a_negative_zero_volume_is_zero() -> None:
    row = [*ROW[:5], "-0", "-0.0"]

    rows, _ = parse_rows([row], Granularity("1m"))

    assert [repr(rows[0].volume), repr(rows[0].quote_volume)] == ["0.0", "0.0"]


def test_deep_nesting_is_no_way_to_break_the_reader() -> None:
    """orjson reads deeper nesting than it writes, so such a row can't be quoted by it."""
    deep: Any = orjson.loads("[" * 500 + "]" * 500)

    rows, rejected = parse_rows([deep], Granularity("1m"))

    assert not rows
    assert rejected[0].cause == "wrong number of fields"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"ping",
        b"\xff\xfe\x00",
        "\ud800",
        b"[]",
        b"null",
        b"7",
        b"{}",
        b'{"event":"login","code":0}',
        b'{"event":[]}',
        b'{"event":"subscribe"}',
        b'{"arg":{"channel":[],"instId":"BTCUSDT"},"data":[]}',
        b'{"arg":{"channel":"candle1D","instId":"BTCUSDT"},"data":[],"ts":1}',
        b'{"arg":{"channel":"candle1m","instId":""},"data":[],"ts":1}',
        b'{"arg":{"channel":"candle1m","instId":"BTCUSDT"},"data":[]}',
        b'{"arg":{"channel":"candle1m","instId":"BTCUSDT"},"data":{},"ts":1}',
        b'{"arg":{"channel":"ticker","instId":"BTCUSDT"},"data":[],"ts":1}',
        b'{"arg":{"channel":"ticker","instId":"BTCUSDT"},"data":[[]],"ts":1}',
        b'{"arg":{"channel":"ticker","instId":"BTCUSDT"},"data":[{}],"ts":1}',
        b'{"arg":{"channel":"ticker","instId":"BTCUSDT"},"data":[{"lastPr":"-1"}],"ts":1}',
        b'{"arg":{"channel":"ticker","instId":"BTCUSDT"},"data":[{"lastPr":"nan"}],"ts":1}',
        b'{"arg":{"channel":"ticker","instId":"BTCUSDT"},"data":[{"lastPr":true}],"ts":1}',
        b'{"action":"update","arg":{"instType":"USDT-FUTURES","chann',
    ],
)
def test_what_is_no_frame_is_malformed_and_says_why_on_one_line(raw: str | bytes) -> None:
    with pytest.raises(MalformedFrame) as caught:
        parse_frame(raw)

    assert caught.value.detail
    assert "\n" not in caught.value.detail


def test_a_ticker_with_an_empty_side_of_the_book_reads_it_as_the_last_price() -> None:
    raw = frame("ticker_snapshot").replace(b'"bidPr":"27000"', b'"bidPr":""')

    parsed = parse_frame(raw)

    assert isinstance(parsed, TickerPush)
    assert parsed.bid == "27000.5"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
CHANNELS = st.sampled_from(["ticker", "candle1Dutc", *symbols.GRANULARITY, "books", ""])


def parses_or_is_malformed(raw: str | bytes) -> None:
    try:
        parsed = parse_frame(raw)
    except MalformedFrame:
        return
    if isinstance(parsed, CandlePush):
        for row in parsed.rows:
            assert all(math.isfinite(number) for number in row)
            assert 0 < row.low <= min(row.open, row.close)
            assert max(row.open, row.close) <= row.high
            assert row.open_ms % INTERVAL_MS[parsed.granularity] == 0
    if isinstance(parsed, TickerPush):
        for price in (parsed.last, parsed.bid, parsed.ask, parsed.mark):
            assert 0 < Decimal(price) < Decimal("1e13")
        assert Decimal(parsed.rate).is_finite()


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_parse_or_are_malformed(raw: str | bytes) -> None:
    parses_or_is_malformed(raw)


@given(
    channel=CHANNELS | JSON,
    symbol=st.just("BTCUSDT") | JSON,
    rows=st.lists(st.lists(JSON | st.sampled_from(ROW), min_size=6, max_size=9)) | JSON,
    ts=st.integers(-1, 2**63) | JSON,
)
def test_any_push_parses_or_is_malformed(channel: Any, symbol: Any, rows: Any, ts: Any) -> None:
    arg = {"instType": "USDT-FUTURES", "channel": channel, "instId": symbol}
    body = {"action": "update", "arg": arg, "data": rows, "ts": ts}

    parses_or_is_malformed(json.dumps(body))


@given(
    st.fixed_dictionaries(
        {"ts": JSON | st.just("1695715383021")},
        optional=dict.fromkeys(
            ["lastPr", "bidPr", "askPr", "markPrice", "fundingRate", "quoteVolume"],
            JSON | st.floats().map(str) | st.decimals().map(str),
        ),
    )
)
def test_any_ticker_parses_or_is_malformed(row: dict[str, Any]) -> None:
    arg = {"instType": "USDT-FUTURES", "channel": "ticker", "instId": "BTCUSDT"}

    parses_or_is_malformed(json.dumps({"action": "snapshot", "arg": arg, "data": [row]}))


@given(st.binary(min_size=1, max_size=6), st.integers(0, 400), st.integers(0, 400))
def test_a_real_frame_with_damage_parses_or_is_malformed(
    junk: bytes, start: int, length: int
) -> None:
    for name in ("candle_update", "ticker_snapshot", "refused_unknown"):
        raw = frame(name)

        parses_or_is_malformed(raw[:start] + junk + raw[start + length :])


def test_each_granularity_and_its_channel_name_each_other() -> None:
    for granularity in INTERVAL_MS:
        assert symbols.granularity_of(symbols.channel_of(granularity)) == granularity

    assert symbols.channel_of(Granularity("1D")) == "candle1Dutc"
    assert symbols.rest_granularity(Granularity("1D")) == "1Dutc"
    assert symbols.granularity_of("candle1D") is None  # opens at 16:00 UTC
