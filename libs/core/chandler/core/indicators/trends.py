"""True range and what is built on it: ATR, ADX, Supertrend."""

from typing import NamedTuple

from chandler.core.indicators.averages import SMOOTHED, Smoothed, wilder
from chandler.core.indicators.parameters import granularity, positive, whole
from chandler.core.indicators.spec import Bars, Indicator
from chandler.core.indicators.windows import true_range


class AtrState(NamedTuple):
    bars: int  # taken in, at most 1
    average: Smoothed


ATR_START = AtrState(0, SMOOTHED)


def Atr(n: int = 14, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Wilder's average true range, quote coin.

    The first bar has no previous close and counts for nothing. Seed: the mean of the next n true
    ranges; first value at bar n + 1 (as TA-Lib).
    """
    return Indicator(
        name="atr",
        params=(whole("atr", "n", n),),
        start=ATR_START,
        step=atr_step,
        ready=atr_ready,
        value=atr_value,
        lookback=1,
        on=granularity(on),
    )


def atr_step(state: AtrState, bars: Bars, i: int, n: int) -> AtrState:
    if state.bars == 0:
        return AtrState(1, state.average)
    return AtrState(1, wilder(state.average, true_range(bars, i), n))


def atr_ready(state: AtrState, n: int) -> bool:
    return state.average.seen >= n


def atr_value(state: AtrState, n: int) -> float:
    return state.average.value


class AdxState(NamedTuple):
    seen: int  # bars, at most n + 1
    range: float  # Wilder's sums over n bars: true range, upward and downward movement
    up: float
    down: float
    average: Smoothed  # of the directional index


class AdxValue(NamedTuple):
    adx: float  # 0 to 100
    plus: float  # +DI, 0 to 100
    minus: float  # -DI, 0 to 100


def Adx(n: int = 14, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Wilder's average directional index with +DI and -DI, each 0 to 100.

    Seeds as TA-Lib: the sums begin with the movements of bars 2 to n and are smoothed from bar
    n + 1 on (sum - sum / n + new); ADX begins with the mean of the first n directional indices.
    First value at bar 2n. Without any movement +DI, -DI and the directional index are 0.0.
    """
    return Indicator(
        name="adx",
        params=(whole("adx", "n", n, low=2),),
        start=AdxState(0, 0.0, 0.0, 0.0, SMOOTHED),
        step=adx_step,
        ready=adx_ready,
        value=adx_value,
        lookback=1,
        fields=AdxValue._fields,
        record=AdxValue,
        on=granularity(on),
    )


def adx_step(state: AdxState, bars: Bars, i: int, n: int) -> AdxState:
    if state.seen == 0:
        return AdxState(1, 0.0, 0.0, 0.0, state.average)
    rise = bars.high[i] - bars.high[i - 1]
    fall = bars.low[i - 1] - bars.low[i]
    up = rise if rise > 0.0 and rise > fall else 0.0
    down = fall if fall > 0.0 and fall > rise else 0.0
    reach = true_range(bars, i)
    if state.seen < n:
        return AdxState(
            state.seen + 1, state.range + reach, state.up + up, state.down + down, state.average
        )
    reach = state.range - state.range / n + reach
    up = state.up - state.up / n + up
    down = state.down - state.down / n + down
    both = up + down
    apart = up - down if up > down else down - up
    index = 0.0 if both <= 0.0 else 100.0 * (apart / both)
    return AdxState(n, reach, up, down, wilder(state.average, index, n))


def adx_ready(state: AdxState, n: int) -> bool:
    return state.average.seen >= n


def adx_value(state: AdxState, n: int) -> AdxValue:
    if state.range <= 0.0:
        return AdxValue(state.average.value, 0.0, 0.0)
    return AdxValue(
        state.average.value,
        100.0 * (state.up / state.range),
        100.0 * (state.down / state.range),
    )


class SupertrendState(NamedTuple):
    atr: AtrState
    direction: float  # 1.0 up, -1.0 down, 0.0 not yet
    upper: float  # the band that stops a downtrend; it only falls while the trend lasts
    lower: float  # the band that stops an uptrend; it only rises while the trend lasts


class SupertrendValue(NamedTuple):
    value: float  # the band that holds: below the close in an uptrend
    direction: float  # 1.0 up, -1.0 down


def Supertrend(n: int = 10, k: float = 3.0, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Trend stop at k × ATR(n) from the middle of the bar, (high + low) / 2.

    The upper band falls freely and rises only once the previous close is above it; the lower one
    the other way round. A close beyond the band that holds turns the trend. Seeded as ATR; the
    first direction is up where the close is at or above the middle of its bar. First value at
    bar n + 1.
    """
    return Indicator(
        name="supertrend",
        params=(whole("supertrend", "n", n), positive("supertrend", "k", k)),
        start=SupertrendState(ATR_START, 0.0, 0.0, 0.0),
        step=supertrend_step,
        ready=supertrend_ready,
        value=supertrend_value,
        lookback=1,
        fields=SupertrendValue._fields,
        record=SupertrendValue,
        on=granularity(on),
    )


def supertrend_step(
    state: SupertrendState, bars: Bars, i: int, n: int, k: float
) -> SupertrendState:
    atr = atr_step(state.atr, bars, i, n)
    if atr.average.seen < n:
        return SupertrendState(atr, 0.0, 0.0, 0.0)
    close = bars.close[i]
    middle = (bars.high[i] + bars.low[i]) / 2.0
    upper = middle + k * atr.average.value
    lower = middle - k * atr.average.value
    if state.direction == 0.0:
        return SupertrendState(atr, 1.0 if close >= middle else -1.0, upper, lower)
    before = bars.close[i - 1]
    if upper > state.upper and before <= state.upper:
        upper = state.upper
    if lower < state.lower and before >= state.lower:
        lower = state.lower
    direction = state.direction
    if direction > 0.0 and close < lower:
        direction = -1.0
    elif direction < 0.0 and close > upper:
        direction = 1.0
    return SupertrendState(atr, direction, upper, lower)


def supertrend_ready(state: SupertrendState, n: int, k: float) -> bool:
    return state.direction != 0.0


def supertrend_value(state: SupertrendState, n: int, k: float) -> SupertrendValue:
    band = state.lower if state.direction > 0.0 else state.upper
    return SupertrendValue(band, state.direction)
