"""Values become columns by the very rules of the codec, whatever stands beside them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.events import CandleMissing, CandleSealed, Symbol, Ticker
from chandler.core.granularity import Granularity
from chandler.core.trading.events import TickersOut
from chandler.streams.codec import NewerSchemaError, UndecodableError, decode, encode
from chandler.streams.columns.decoding import (
    CANDLE_FLOATS,
    OUT,
    UNDECODABLE,
    candle_decoding,
    ticker_decoding,
)
from tests.streams.exact_cluster import candle

FIVE = Granularity("5m")
CANDLES = st.builds(candle, st.sampled_from(["BTCUSDT", "ETHUSDT", "", "@x", "a|b"]), st.integers())
OTHERS = st.sampled_from(
    [
        encode(CandleMissing(symbol=Symbol("BTCUSDT"), granularity=FIVE, open_ms=300_000)),
        encode(CandleMissing(symbol=Symbol("BTCUSDT"), granularity=FIVE, open_ms=300_001)),
        encode(candle("BTCUSDT", 1, "1H")),
        encode(candle("BTCUSDT", 1)) + b"," + encode(candle("BTCUSDT", 2)),
        encode(candle("BTCUSDT", 1))[:-1],
        b"  " + encode(candle("BTCUSDT", 3)) + b"\n",
        b"",
        b"null",
        b"\xff",
        b'{"type":"Ticker"}',
        None,
    ]
)


@given(st.lists(CANDLES.map(encode) | OTHERS | st.binary(max_size=5), max_size=12))
def test_a_row_says_what_the_codec_says_of_the_record(values) -> None:
    rows = candle_decoding(FIVE).rows(values)

    assert len(rows.groups) == len(values)
    for row, value in enumerate(values):
        numbers = tuple(rows.columns[name][row] for name in CANDLE_FLOATS)
        try:
            event = decode("candles.5m", value)
        except UndecodableError:
            assert rows.groups[row] == UNDECODABLE
            continue
        assert isinstance(event, CandleSealed | CandleMissing)
        assert rows.groups[row] == event.symbol
        assert rows.columns["open_ms"][row] == event.open_ms
        assert rows.columns["missing"][row] == isinstance(event, CandleMissing)
        assert numbers == tuple(getattr(event, name, 0.0) for name in CANDLE_FLOATS)


def test_a_record_of_newer_code_stops_the_reading() -> None:
    values = [encode(candle("BTCUSDT", 1)), encode(msgspec.structs.replace(candle("X", 2), v=2))]

    with pytest.raises(NewerSchemaError, match="schema 2"):
        candle_decoding(FIVE).rows(values)


def test_a_time_that_no_column_holds_costs_its_record_only() -> None:
    ticker = Ticker(
        symbol=Symbol("BTCUSDT"),
        at=7,
        last="1",
        bid="1",
        ask="1",
        mark="",
        minute_open_ms=0,
        minute_volume=1.0,
    )
    far = msgspec.structs.replace(ticker, at=2**70)
    out = TickersOut(shard=1, shards=2, at=9)

    rows = ticker_decoding().rows([encode(each) for each in (ticker, far, out, ticker)])

    assert rows.groups == ["BTCUSDT", UNDECODABLE, OUT, "BTCUSDT"]
    assert rows.columns["at"].tolist() == [7, 0, 9, 7]
    assert rows.columns["shards"].tolist() == [0, 0, 2, 0]
    assert rows.columns["mark_text"].tolist() == [1, 0, 0, 2]
    assert rows.texts == ["", ""]
