"""The driver of the live stage: windows, restarts in the middle, flat rows, impossible candles."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.events import CandleSealed, Symbol
from chandler.core.granularity import Granularity
from chandler.core.indicators import (
    Atr,
    Bars,
    Bollinger,
    Ema,
    Indicator,
    Macd,
    Rsi,
    Sma,
    StochRsi,
)
from chandler.core.indicators.compute import (
    Series,
    advance,
    argument,
    argument_keys,
    history,
    start,
    thaw,
    values,
)

Candles = Callable[[str], Bars]


def sealed(bars: Bars, i: int, **changes: Any) -> CandleSealed:
    candle = CandleSealed(
        symbol=Symbol("PEOPLEUSDT"),
        granularity=Granularity("5m"),
        open_ms=bars.open_ms[i],
        open=bars.open[i],
        high=bars.high[i],
        low=bars.low[i],
        close=bars.close[i],
        volume=bars.volume[i],
        quote_volume=bars.volume[i] * bars.close[i],
    )
    return msgspec.structs.replace(candle, **changes)


def from_json(series: Series) -> Series:
    return msgspec.json.decode(msgspec.json.encode(series), type=Series)


@pytest.mark.parametrize("symbol", ["PEOPLEUSDT", "PUNDIXUSDT"])
def test_candle_by_candle_gives_what_the_whole_history_gives(
    everything: list[Indicator], candles: Candles, symbol: str
) -> None:
    bars = candles(symbol)
    whole = {one.key: history(one, bars) for one in everything}
    series = start(everything)

    for i in range(600):
        series = advance(everything, series, sealed(bars, i))
        row = values(everything, series)

        for one in everything:
            assert argument(one, row) == whole[one.key][i], (one.key, i)


def test_each_indicator_alone_needs_no_longer_window_than_it_says(
    everything: list[Indicator], candles: Candles
) -> None:
    bars = candles("PEOPLEUSDT")

    for one in everything:
        series = start([one])
        whole = history(one, bars)
        for i in range(120):
            series = advance([one], series, sealed(bars, i))
            assert argument(one, values([one], series)) == whole[i], (one.key, i)
        assert len(series.bars.close) == one.lookback + 1


@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(0, 249), max_size=12))
def test_a_run_cut_anywhere_by_a_trip_through_json_gives_the_same_bits(
    everything: list[Indicator], candles: Candles, cuts: set[int]
) -> None:
    bars = candles("PEOPLEUSDT")
    whole = cut = start(everything)

    for i in range(250):
        whole = advance(everything, whole, sealed(bars, 650 + i))
        cut = advance(everything, cut, sealed(bars, 650 + i))
        cut = from_json(cut) if i in cuts else cut

        assert msgspec.json.encode(cut) == msgspec.json.encode(whole)
        assert values(everything, cut) == values(everything, whole)
    assert thaw(everything, from_json(cut)) == whole


def test_a_fresh_series_survives_json(everything: list[Indicator]) -> None:
    series = start(everything)

    assert thaw(everything, from_json(series)) == series


def test_the_window_holds_no_more_than_the_longest_look_back(candles: Candles) -> None:
    bars = candles("BTCUSDT")
    indicators = [Sma(20), Rsi(14), Bollinger(50)]
    series = start(indicators)

    for i in range(200):
        series = advance(indicators, series, sealed(bars, i))

    assert [len(column) for column in series.bars] == [51] * 6
    assert series.open_ms == bars.open_ms[199]


def test_advance_leaves_the_series_that_it_was_given_as_it_was(
    everything: list[Indicator], candles: Candles
) -> None:
    bars = candles("BTCUSDT")
    series = start(everything)
    for i in range(60):
        series = advance(everything, series, sealed(bars, i))
    before = msgspec.json.encode(series)

    one, other = (advance(everything, series, sealed(bars, i)) for i in (60, 61))

    assert msgspec.json.encode(series) == before
    assert one != other


def test_an_indicator_that_joins_later_starts_with_its_first_candle(candles: Candles) -> None:
    bars = candles("BTCUSDT")
    old, new = [Rsi(14)], [Rsi(14), Sma(30)]
    series = start(old)
    for i in range(100):
        series = advance(old, series, sealed(bars, i))

    for i in range(100, 130):
        assert "sma(30)" not in values(new, series)
        series = advance(new, series, sealed(bars, i))

    row = values(new, series)
    assert row["sma(30)"] == pytest.approx(sum(bars.close[100:130]) / 30.0)
    assert row["rsi(14)"] == history(Rsi(14), bars)[129]


def test_an_indicator_that_is_not_asked_for_any_more_is_dropped(candles: Candles) -> None:
    bars = candles("BTCUSDT")
    series = advance([Rsi(14), Ema(9)], start([Rsi(14), Ema(9)]), sealed(bars, 0))

    series = advance([Ema(9)], series, sealed(bars, 1))

    assert list(series.states) == ["ema(9)"]


def test_a_flat_row_has_a_key_for_each_field_and_nothing_before_it_is_ready(
    candles: Candles,
) -> None:
    bars = candles("BTCUSDT")
    indicators = [Macd(), Rsi(14), Atr(14)]
    series = start(indicators)
    rows = []
    for i in range(34):
        series = advance(indicators, series, sealed(bars, i))
        rows.append(values(indicators, series))

    assert rows[0] == {}
    assert set(rows[14]) == {"rsi(14)", "atr(14)"}
    assert [key for key in rows[33] if key.startswith("macd")] == list(argument_keys(Macd()))
    assert argument_keys(Rsi(14)) == ("rsi(14)",)


def test_an_argument_is_absent_when_one_of_its_fields_is() -> None:
    row = {"stoch_rsi(14,14,3,3).k": 1.0, "rsi(14)": 28.4}

    assert argument(StochRsi(), row) is None
    assert argument(Rsi(14), row) == 28.4
    assert argument(Ema(9), row) is None
    row["stoch_rsi(14,14,3,3).d"] = 2.0
    assert argument(StochRsi(), row).d == 2.0


def test_a_value_that_is_not_finite_is_absent() -> None:
    broken = msgspec.structs.replace(Ema(1), value=lambda state, n: math.nan)
    one_field = msgspec.structs.replace(Macd(1, 2, 1), value=lambda *_: (1.0, math.inf, 0.0))
    candle = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 0.0}
    bars = Bars([0, 300_000], *([column] * 2 for column in candle.values()))
    series = start([broken, one_field])

    for i in range(2):
        series = advance([broken, one_field], series, sealed(bars, i))

    assert set(values([broken, one_field], series)) == {"macd(1,2,1).macd", "macd(1,2,1).histogram"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"close": math.nan},
        {"high": math.inf},
        {"low": -1.0},
        {"low": 0.0},
        {"volume": -1.0},
        {"volume": math.nan},
        {"high": 1.0},
        {"close": 1e31, "high": 1e31},
    ],
)
def test_an_impossible_candle_is_refused_in_one_line(
    candles: Candles, wrong: dict[str, float]
) -> None:
    candle = sealed(candles("BTCUSDT"), 0, **wrong)

    with pytest.raises(ValueError, match=r"^impossible candle: .*$"):
        advance([Rsi(14)], start([Rsi(14)]), candle)


def test_a_candle_that_is_not_newer_is_refused(candles: Candles) -> None:
    bars = candles("BTCUSDT")
    series = advance([Rsi(14)], start([Rsi(14)]), sealed(bars, 5))

    with pytest.raises(ValueError, match="expected a candle after"):
        advance([Rsi(14)], series, sealed(bars, 5))


def test_a_state_of_another_shape_is_refused(candles: Candles) -> None:
    series = start([Rsi(14)])
    other = msgspec.structs.replace(series, states={"rsi(14)": [1, 2.0]})

    with pytest.raises(ValueError, match="expected 3 parts as in RsiState"):
        advance([Rsi(14)], other, sealed(candles("BTCUSDT"), 0))
