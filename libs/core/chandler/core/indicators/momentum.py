"""Momentum: RSI, stochastic, StochRSI, CCI, rate of change."""

from typing import NamedTuple

from chandler.core.indicators.averages import SMOOTHED, Smoothed, wilder
from chandler.core.indicators.parameters import TUPLE_MAX, granularity, whole
from chandler.core.indicators.spec import Bars, Indicator
from chandler.core.indicators.windows import EXTREME, Extreme, highest, lowest, mean, typical


class RsiState(NamedTuple):
    bars: int  # taken in, at most 1
    gain: Smoothed  # Wilder's averages of the rises and of the falls
    loss: Smoothed


RSI_START = RsiState(0, SMOOTHED, SMOOTHED)


def Rsi(n: int = 14, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Wilder's relative strength index of the close, 0 to 100.

    Seed: the means of the first n rises and falls; first value at bar n + 1 (as TA-Lib).
    50.0 where there was neither a rise nor a fall.
    """
    return Indicator(
        name="rsi",
        params=(whole("rsi", "n", n),),
        start=RSI_START,
        step=rsi_step,
        ready=rsi_ready,
        value=rsi_value,
        lookback=1,
        on=granularity(on),
    )


def rsi_step(state: RsiState, bars: Bars, i: int, n: int) -> RsiState:
    if state.bars == 0:
        return RsiState(1, state.gain, state.loss)
    change = bars.close[i] - bars.close[i - 1]
    rise = change if change > 0.0 else 0.0
    fall = -change if change < 0.0 else 0.0
    return RsiState(1, wilder(state.gain, rise, n), wilder(state.loss, fall, n))


def rsi_ready(state: RsiState, n: int) -> bool:
    return state.gain.seen >= n


def rsi_value(state: RsiState, n: int) -> float:
    both = state.gain.value + state.loss.value
    if both <= 0.0:
        return 50.0
    return 100.0 * (state.gain.value / both)


class Smoothing(NamedTuple):
    """%K and %D: plain means of the last raw values, and of those means."""

    raw_count: int  # at most k
    raw: tuple[float, ...]  # the last k raw values, oldest first
    k_count: int  # at most d
    k: tuple[float, ...]  # the last d values of %K, oldest first


def smoothing(k: int, d: int) -> Smoothing:
    """Before the first raw value."""
    return Smoothing(0, (0.0,) * k, 0, (0.0,) * d)


def smooth_raw(state: Smoothing, raw: float, k: int, d: int) -> Smoothing:
    """%K and %D with a raw value in them."""
    last = state.raw[1:] + (raw,)  # noqa: RUF005 (the compiled form)
    if state.raw_count < k - 1:
        return Smoothing(state.raw_count + 1, last, 0, state.k)
    seen = state.k_count + 1 if state.k_count < d else d
    return Smoothing(k, last, seen, state.k[1:] + (mean(last),))  # noqa: RUF005


class StochasticState(NamedTuple):
    top: Extreme
    bottom: Extreme
    smoothing: Smoothing


class StochasticValue(NamedTuple):
    k: float  # 0 to 100
    d: float  # 0 to 100


def Stochastic(n: int = 14, k: int = 3, d: int = 3, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Slow stochastic: where the close stands between the lowest low and highest high of n bars.

    %K is the mean of the last k raw values, %D the mean of the last d of %K, both 0 to 100
    (k = 1: fast stochastic). A raw value is 50.0 where high and low are the same (TA-Lib: 0).
    First value at bar n + k + d - 2.
    """
    whole("stochastic", "k", k, high=TUPLE_MAX)
    whole("stochastic", "d", d, high=TUPLE_MAX)
    return Indicator(
        name="stochastic",
        params=(whole("stochastic", "n", n), k, d),
        start=StochasticState(EXTREME, EXTREME, smoothing(k, d)),
        step=stochastic_step,
        ready=stochastic_ready,
        value=stochastic_value,
        lookback=n - 1,
        fields=StochasticValue._fields,
        record=StochasticValue,
        on=granularity(on),
    )


def stochastic_step(
    state: StochasticState, bars: Bars, i: int, n: int, k: int, d: int
) -> StochasticState:
    top = highest(state.top, bars.high, i, n)
    bottom = lowest(state.bottom, bars.low, i, n)
    if top.seen < n:
        return StochasticState(top, bottom, state.smoothing)
    span = top.value - bottom.value
    raw = 50.0 if span <= 0.0 else (bars.close[i] - bottom.value) / span * 100.0
    return StochasticState(top, bottom, smooth_raw(state.smoothing, raw, k, d))


def stochastic_ready(state: StochasticState, n: int, k: int, d: int) -> bool:
    return state.smoothing.k_count >= d


def stochastic_value(state: StochasticState, n: int, k: int, d: int) -> StochasticValue:
    return StochasticValue(state.smoothing.k[-1], mean(state.smoothing.k))


class StochRsiState(NamedTuple):
    rsi: RsiState
    filled: int  # values in `past`, at most m
    past: tuple[float, ...]  # the last m values of the RSI, oldest first
    smoothing: Smoothing


def StochRsi(  # noqa: N802
    n: int = 14, m: int = 14, k: int = 3, d: int = 3, *, on: str | None = None
) -> Indicator:
    """Stochastic of RSI(n) over its last m values, smoothed by k and d as the stochastic.

    Seeded as the RSI (TA-Lib's has k = 1). A raw value is 50.0 where the RSI didn't move in m
    bars. First value at bar n + m + k + d - 2.
    """
    whole("stoch_rsi", "m", m, high=TUPLE_MAX)
    whole("stoch_rsi", "k", k, high=TUPLE_MAX)
    whole("stoch_rsi", "d", d, high=TUPLE_MAX)
    return Indicator(
        name="stoch_rsi",
        params=(whole("stoch_rsi", "n", n), m, k, d),
        start=StochRsiState(RSI_START, 0, (0.0,) * m, smoothing(k, d)),
        step=stoch_rsi_step,
        ready=stoch_rsi_ready,
        value=stoch_rsi_value,
        lookback=1,
        fields=StochasticValue._fields,
        record=StochasticValue,
        on=granularity(on),
    )


def stoch_rsi_step(
    state: StochRsiState, bars: Bars, i: int, n: int, m: int, k: int, d: int
) -> StochRsiState:
    rsi = rsi_step(state.rsi, bars, i, n)
    if rsi.gain.seen < n:
        return StochRsiState(rsi, 0, state.past, state.smoothing)
    now = rsi_value(rsi, n)
    past = state.past[1:] + (now,)  # noqa: RUF005 (the compiled form)
    if state.filled < m - 1:
        return StochRsiState(rsi, state.filled + 1, past, state.smoothing)
    top = now
    bottom = now
    for value in past:
        if value > top:
            top = value
        elif value < bottom:
            bottom = value
    span = top - bottom
    raw = 50.0 if span <= 0.0 else (now - bottom) / span * 100.0
    return StochRsiState(rsi, m, past, smooth_raw(state.smoothing, raw, k, d))


def stoch_rsi_ready(state: StochRsiState, n: int, m: int, k: int, d: int) -> bool:
    return state.smoothing.k_count >= d


def stoch_rsi_value(state: StochRsiState, n: int, m: int, k: int, d: int) -> StochasticValue:
    return StochasticValue(state.smoothing.k[-1], mean(state.smoothing.k))


class CciState(NamedTuple):
    seen: int  # bars, at most n
    value: float


def Cci(n: int = 20, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Commodity channel index: (typical price - its mean) / (0.015 × its mean deviation), n bars.

    0.0 where the typical price didn't move. O(n) for each bar: a mean deviation can't be rolled
    on. First value at bar n.
    """
    return Indicator(
        name="cci",
        params=(whole("cci", "n", n),),
        start=CciState(0, 0.0),
        step=cci_step,
        ready=cci_ready,
        value=cci_value,
        lookback=n - 1,
        on=granularity(on),
    )


def cci_step(state: CciState, bars: Bars, i: int, n: int) -> CciState:
    if state.seen < n - 1:
        return CciState(state.seen + 1, 0.0)
    now = typical(bars, i)
    total = 0.0  # of the differences from now: exactly 0 where nothing moved
    for j in range(i - n + 1, i + 1):
        total += typical(bars, j) - now
    shift = total / n
    deviation = 0.0
    for j in range(i - n + 1, i + 1):
        away = typical(bars, j) - now - shift
        deviation += away if away > 0.0 else -away
    deviation = deviation / n
    if deviation <= 0.0:
        return CciState(n, 0.0)
    return CciState(n, -shift / (0.015 * deviation))


def cci_ready(state: CciState, n: int) -> bool:
    return state.seen >= n


def cci_value(state: CciState, n: int) -> float:
    return state.value


class RocState(NamedTuple):
    seen: int  # bars, at most n + 1
    value: float  # percent


def Roc(n: int = 10, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Rate of change of the close against n bars ago, percent. First value at bar n + 1.

    0.0 where the close n bars ago was 0.
    """
    return Indicator(
        name="roc",
        params=(whole("roc", "n", n),),
        start=RocState(0, 0.0),
        step=roc_step,
        ready=roc_ready,
        value=roc_value,
        lookback=n,
        on=granularity(on),
    )


def roc_step(state: RocState, bars: Bars, i: int, n: int) -> RocState:
    if state.seen < n:
        return RocState(state.seen + 1, 0.0)
    then = bars.close[i - n]
    if then <= 0.0:
        return RocState(n + 1, 0.0)
    return RocState(n + 1, (bars.close[i] / then - 1.0) * 100.0)


def roc_ready(state: RocState, n: int) -> bool:
    return state.seen > n


def roc_value(state: RocState, n: int) -> float:
    return state.value
