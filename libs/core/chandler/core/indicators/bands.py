"""Bands and channels: Bollinger, Keltner, Donchian, rolling highs and lows."""

import math
from typing import NamedTuple

from chandler.core.indicators.averages import SMOOTHED, Smoothed, smooth
from chandler.core.indicators.parameters import granularity, positive, whole
from chandler.core.indicators.spec import Bars, Indicator
from chandler.core.indicators.trends import ATR_START, AtrState, atr_step
from chandler.core.indicators.windows import EXTREME, Extreme, highest, lowest

SPREAD_SHRUNK = 0.000001  # of the peak: below it the spread is made anew


class BollingerState(NamedTuple):
    seen: int  # bars, at most n
    left: int  # bars until mean and squares are made anew
    close: float
    mean: float  # of the last n closes
    squares: float  # sum of their squared distances from the mean
    peak: float  # greatest of those sums since it was made anew


class BollingerValue(NamedTuple):
    lower: float
    middle: float
    upper: float
    percent: float  # where the close stands: 0 on the lower band, 1 on the upper one
    width: float  # (upper - lower) / middle


def Bollinger(n: int = 20, k: float = 2.0, *, on: str | None = None) -> Indicator:  # noqa: N802
    """SMA(n) of the close ± k standard deviations (of the population) of the same n closes.

    First value at bar n. Where the closes are all the same, lower = middle = upper,
    percent is 0.5 and width 0.0.
    """
    return Indicator(
        name="bollinger",
        params=(whole("bollinger", "n", n), positive("bollinger", "k", k)),
        start=BollingerState(0, 0, 0.0, 0.0, 0.0, 0.0),
        step=bollinger_step,
        ready=bollinger_ready,
        value=bollinger_value,
        lookback=n,
        fields=BollingerValue._fields,
        record=BollingerValue,
        on=granularity(on),
    )


def bollinger_step(state: BollingerState, bars: Bars, i: int, n: int, k: float) -> BollingerState:
    column = bars.close
    close = column[i]
    if state.seen < n - 1:
        return BollingerState(state.seen + 1, 0, close, 0.0, 0.0, 0.0)
    if state.seen >= n and state.left > 1:
        old = column[i - n]
        change = close - old
        mean = state.mean + change / n
        squares = state.squares + change * ((close - mean) + (old - state.mean))
        if change == 0.0 or squares > SPREAD_SHRUNK * state.peak:
            peak = squares if squares > state.peak else state.peak
            return BollingerState(n, state.left - 1, close, mean, squares, peak)
    total = 0.0  # of the differences from the close: exactly 0 where nothing moved
    for j in range(i - n + 1, i + 1):
        total += column[j] - close
    mean = close + total / n
    squares = 0.0
    for j in range(i - n + 1, i + 1):
        squares += (column[j] - mean) * (column[j] - mean)
    return BollingerState(n, n, close, mean, squares, squares)


def bollinger_ready(state: BollingerState, n: int, k: float) -> bool:
    return state.seen >= n


def bollinger_value(state: BollingerState, n: int, k: float) -> BollingerValue:
    away = k * math.sqrt(state.squares / n) if state.squares > 0.0 else 0.0
    lower = state.mean - away
    upper = state.mean + away
    span = upper - lower
    percent = (state.close - lower) / span if span > 0.0 else 0.5
    width = span / state.mean if state.mean > 0.0 else 0.0
    return BollingerValue(lower, state.mean, upper, percent, width)


class KeltnerState(NamedTuple):
    ema: Smoothed
    atr: AtrState


class ChannelValue(NamedTuple):
    lower: float
    middle: float
    upper: float


def Keltner(  # noqa: N802
    n: int = 20, k: float = 2.0, atr: int = 10, *, on: str | None = None
) -> Indicator:
    """EMA(n) of the close ± k × ATR(atr). Seeded as the two; first value when both have one."""
    return Indicator(
        name="keltner",
        params=(
            whole("keltner", "n", n),
            positive("keltner", "k", k),
            whole("keltner", "atr", atr),
        ),
        start=KeltnerState(SMOOTHED, ATR_START),
        step=keltner_step,
        ready=keltner_ready,
        value=keltner_value,
        lookback=1,
        fields=ChannelValue._fields,
        record=ChannelValue,
        on=granularity(on),
    )


def keltner_step(
    state: KeltnerState, bars: Bars, i: int, n: int, k: float, atr: int
) -> KeltnerState:
    return KeltnerState(smooth(state.ema, bars.close[i], n), atr_step(state.atr, bars, i, atr))


def keltner_ready(state: KeltnerState, n: int, k: float, atr: int) -> bool:
    return state.ema.seen >= n and state.atr.average.seen >= atr


def keltner_value(state: KeltnerState, n: int, k: float, atr: int) -> ChannelValue:
    middle = state.ema.value
    away = k * state.atr.average.value
    return ChannelValue(middle - away, middle, middle + away)


class DonchianState(NamedTuple):
    bars: int  # taken in, at most 1
    top: Extreme
    bottom: Extreme


def Donchian(n: int = 20, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Highest high and lowest low of the n bars *before* the current one, and their middle.

    Donchian's rule looks at the weeks that precede: so a close above `upper` is a break-out.
    (Highest and Lowest have the current bar in them.) First value at bar n + 1.
    """
    return Indicator(
        name="donchian",
        params=(whole("donchian", "n", n),),
        start=DonchianState(0, EXTREME, EXTREME),
        step=donchian_step,
        ready=donchian_ready,
        value=donchian_value,
        lookback=n,
        fields=ChannelValue._fields,
        record=ChannelValue,
        on=granularity(on),
    )


def donchian_step(state: DonchianState, bars: Bars, i: int, n: int) -> DonchianState:
    if state.bars == 0:
        return DonchianState(1, state.top, state.bottom)
    top = highest(state.top, bars.high, i - 1, n)
    return DonchianState(1, top, lowest(state.bottom, bars.low, i - 1, n))


def donchian_ready(state: DonchianState, n: int) -> bool:
    return state.top.seen >= n


def donchian_value(state: DonchianState, n: int) -> ChannelValue:
    middle = (state.top.value + state.bottom.value) / 2.0
    return ChannelValue(state.bottom.value, middle, state.top.value)


def Highest(n: int, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Highest high of the last n bars, the current one included. First value at bar n."""
    return Indicator(
        name="highest",
        params=(whole("highest", "n", n),),
        start=EXTREME,
        step=highest_step,
        ready=extreme_ready,
        value=extreme_value,
        lookback=n - 1,
        on=granularity(on),
    )


def Lowest(n: int, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Lowest low of the last n bars, the current one included. First value at bar n."""
    return Indicator(
        name="lowest",
        params=(whole("lowest", "n", n),),
        start=EXTREME,
        step=lowest_step,
        ready=extreme_ready,
        value=extreme_value,
        lookback=n - 1,
        on=granularity(on),
    )


def highest_step(state: Extreme, bars: Bars, i: int, n: int) -> Extreme:
    return highest(state, bars.high, i, n)


def lowest_step(state: Extreme, bars: Bars, i: int, n: int) -> Extreme:
    return lowest(state, bars.low, i, n)


def extreme_ready(state: Extreme, n: int) -> bool:
    return state.seen >= n


def extreme_value(state: Extreme, n: int) -> float:
    return state.value
