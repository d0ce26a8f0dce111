"""What must hold for any candles: flat, without volume, tiny, huge, with a crash or a pump."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.indicators import (
    Bars,
    Bollinger,
    Cci,
    Donchian,
    Highest,
    Indicator,
    Lowest,
    Mfi,
    Roc,
    Rsi,
    Sma,
    Stochastic,
    StochRsi,
    VolumeRatio,
    Vwap,
    Wma,
)
from chandler.core.indicators.compute import PRICE_MAX, VOLUME_MAX, history

INTERVAL_MS = 300_000
ROW = st.tuples(
    st.sampled_from([0.0, 0.0, 0.001, 0.02, 1.0]),  # how far the close goes
    st.floats(-1.0, 1.0),
    st.floats(0.0, 0.05),  # how far high and low are beyond
    st.sampled_from([0.0, 1e-9, 1.0, 12.5, 1e12]),  # volume
)
SCALES = st.sampled_from([1e-12, 0.013, 43_000.0, 1e25])


def walk(rows: list[tuple[float, float, float, float]], scale: float) -> Bars:
    """Candles of a path that starts at `scale`."""
    columns: list[list[Any]] = [[] for _ in Bars._fields]
    close = scale
    for i, (reach, direction, beyond, volume) in enumerate(rows):
        open_ = close
        close = min(open_ * (1.0 + reach * direction * 0.9), PRICE_MAX / 2.0)
        high, low = max(open_, close) * (1.0 + beyond), min(open_, close) * (1.0 - beyond)
        row = (i * INTERVAL_MS, open_, high, low, close, volume)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return Bars(*columns)


def flat(price: float, volume: float, n: int = 120) -> Bars:
    times = [i * INTERVAL_MS for i in range(n)]
    prices = [price] * n
    return Bars(times, prices, prices, prices, prices, [volume] * n)


def cut(bars: Bars, first: int, last: int) -> Bars:
    columns: list[Any] = [column[first:last] for column in bars]
    return Bars(*columns)


def numbers(value: Any) -> list[float]:
    """All numbers in a value or state, however nested."""
    return [n for part in value for n in numbers(part)] if isinstance(value, tuple) else [value]


RECURSIVE = {"ema", "ema_slope", "macd", "rsi", "stoch_rsi", "atr", "adx", "supertrend", "keltner"}
SUMMED = {"obv", "vwap"}


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, min_size=70, max_size=150), scale=SCALES)
def test_no_state_and_no_value_is_ever_infinite_or_nan(
    everything: list[Indicator], rows: list[tuple[float, float, float, float]], scale: float
) -> None:
    bars = walk(rows, scale)

    for one in everything:
        state = one.start
        kinds = [type(part) for part in numbers(state)]
        for i in range(len(rows)):
            state = one.step(state, bars, i, *one.params)
            assert all(math.isfinite(part) for part in numbers(state)), one.key
            assert [type(part) for part in numbers(state)] == kinds, one.key
            if one.ready(state, *one.params):
                value = one.value(state, *one.params)
                assert all(type(part) is float for part in numbers(value)), one.key
                assert all(math.isfinite(part) for part in numbers(value)), one.key


@pytest.mark.parametrize(("price", "volume"), [(1e-300, 1e-300), (PRICE_MAX, VOLUME_MAX)])
def test_the_smallest_and_greatest_candles_stay_finite(
    everything: list[Indicator], price: float, volume: float
) -> None:
    bars = flat(price, volume)._replace(low=[price / 2.0] * 120)

    for one in everything:
        for value in history(one, bars):
            assert value is None or all(math.isfinite(part) for part in numbers(value)), one.key


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(ROW, min_size=70, max_size=120), scale=SCALES, data=st.data())
def test_a_value_does_not_change_with_later_candles(
    everything: list[Indicator],
    rows: list[tuple[float, float, float, float]],
    scale: float,
    data: st.DataObject,
) -> None:
    bars = walk(rows, scale)
    k = data.draw(st.integers(1, len(rows)))

    for one in everything:
        assert history(one, cut(bars, 0, k)) == history(one, bars)[:k], one.key


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(ROW, min_size=80, max_size=200), scale=SCALES, data=st.data())
def test_what_is_not_recursive_forgets_what_is_before_its_window(
    everything: list[Indicator],
    rows: list[tuple[float, float, float, float]],
    scale: float,
    data: st.DataObject,
) -> None:
    """Up to rounding: a rolling sum may hold a trace until it is made anew."""
    bars = walk(rows, scale)
    first = data.draw(st.integers(1, 40))

    for one in everything:
        if one.name in RECURSIVE | SUMMED:
            continue
        whole, later = history(one, bars)[first:], history(one, cut(bars, first, len(rows)))
        for long, short in zip(whole, later, strict=True):
            if short is None:
                continue
            close = [
                a == pytest.approx(b, rel=1e-6, abs=tolerance(one, scale))
                for a, b in zip(numbers(long), numbers(short), strict=True)
            ]
            assert all(close), (one.key, long, short)


def tolerance(one: Indicator, scale: float) -> float:
    """Absolute: percents and ratios by 1e-6, prices by 1e-9 of where the path begins."""
    return scale * 1e-9 if one.name in ("sma", "wma", "donchian", "highest", "lowest") else 1e-6


@pytest.mark.parametrize("price", [1e-9, 0.1, 43_210.7, 1e20])
@pytest.mark.parametrize("volume", [0.0, 3.3])
def test_flat_prices_give_the_values_that_the_docstrings_say(price: float, volume: float) -> None:
    bars = flat(price, volume)

    assert history(Rsi(14), bars)[-1] == 50.0
    assert history(StochRsi(), bars)[-1] == (50.0, 50.0)
    assert history(Stochastic(), bars)[-1] == (50.0, 50.0)
    assert history(Mfi(), bars)[-1] == 50.0
    assert history(Cci(), bars)[-1] == 0.0
    assert history(Roc(), bars)[-1] == 0.0
    assert history(VolumeRatio(), bars)[-1] == pytest.approx(1.0)
    assert history(Vwap(), bars)[-1] == pytest.approx(price)
    assert history(Bollinger(), bars)[-1] == (price, price, price, 0.5, 0.0)
    assert history(Donchian(), bars)[-1] == (price, price, price)


def test_flat_prices_after_a_pump_are_flat_for_bollinger_too() -> None:
    """The rolling squares of the pump leave a trace; they are made anew before it shows."""
    close = [1.0 + 0.01 * (i % 3) for i in range(50)] + [1_000.0] * 5 + [7.7] * 30
    bars = Bars([i * INTERVAL_MS for i in range(85)], close, close, close, close, [1.0] * 85)

    bands = history(Bollinger(20, 2.0), bars)

    assert bands[-1] == (7.7, 7.7, 7.7, 0.5, 0.0)


def test_no_volume_after_a_burst_is_no_volume_for_the_ratio() -> None:
    volume = [1.0, 1e18, 0.3, *[0.0] * 30, 5.0]
    bars = flat(10.0, 0.0, len(volume))._replace(volume=volume)

    ratio = history(VolumeRatio(20), bars)

    assert ratio[-1] == 1.0
    assert ratio[21] == pytest.approx(0.0)


@pytest.mark.parametrize("indicator", [Sma(20), Wma(20), Bollinger(20), VolumeRatio(20)])
def test_rolling_sums_do_not_drift(indicator: Indicator, candles: Callable[[str], Bars]) -> None:
    """After 6,000 real candles the value is what a fresh start over the window says."""
    columns: list[Any] = [[*column] * 3 for column in candles("PEOPLEUSDT")]
    bars = Bars(*columns)
    late = cut(bars, 5_950, 6_000)

    assert numbers(history(indicator, bars)[-1]) == pytest.approx(
        numbers(history(indicator, late)[-1]), rel=1e-11
    )


@settings(max_examples=60, deadline=None)
@given(closes=st.lists(st.floats(0.5, 2.0), min_size=1, max_size=80), n=st.integers(1, 12))
def test_highs_and_lows_are_those_of_the_window(closes: list[float], n: int) -> None:
    times = [i * INTERVAL_MS for i in range(len(closes))]
    bars = Bars(times, closes, closes, closes, closes, [1.0] * len(closes))

    top, bottom = history(Highest(n), bars), history(Lowest(n), bars)
    before = history(Donchian(n), bars)

    for i in range(n - 1, len(closes)):
        assert top[i] == max(closes[i - n + 1 : i + 1])
        assert bottom[i] == min(closes[i - n + 1 : i + 1])
    for i in range(n, len(closes)):
        window = closes[i - n : i]
        assert (before[i].lower, before[i].upper) == (min(window), max(window))
