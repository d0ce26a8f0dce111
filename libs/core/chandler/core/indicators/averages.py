"""Averages of the close: SMA, EMA, WMA, the EMA's slope, MACD."""

from typing import NamedTuple

from chandler.core.indicators.parameters import TUPLE_MAX, granularity, whole
from chandler.core.indicators.spec import Bars, Indicator
from chandler.core.indicators.windows import ROLLING, SHRUNK, Rolling, roll


def Sma(n: int, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Simple moving average: mean of the last n closes. First value at bar n."""
    return Indicator(
        name="sma",
        params=(whole("sma", "n", n),),
        start=ROLLING,
        step=sma_step,
        ready=sma_ready,
        value=sma_value,
        lookback=n,
        on=granularity(on),
    )


def sma_step(state: Rolling, bars: Bars, i: int, n: int) -> Rolling:
    return roll(state, bars.close, i, n)


def sma_ready(state: Rolling, n: int) -> bool:
    return state.seen >= n


def sma_value(state: Rolling, n: int) -> float:
    return state.total / n


class Smoothed(NamedTuple):
    """An exponential average and what its seed is made of."""

    seen: int  # values taken in, at most n
    value: float  # sum of the values until there are n of them, then the average


SMOOTHED = Smoothed(0, 0.0)


def smooth(state: Smoothed, x: float, n: int) -> Smoothed:
    """The exponential average with x in it: seeded with the mean of the first n values."""
    if state.seen < n - 1:
        return Smoothed(state.seen + 1, state.value + x)
    if state.seen < n:
        return Smoothed(n, (state.value + x) / n)
    return Smoothed(n, (x - state.value) * (2.0 / (n + 1.0)) + state.value)


def wilder(state: Smoothed, x: float, n: int) -> Smoothed:
    """Wilder's average with x in it, weight 1/n: seeded with the mean of the first n values."""
    if state.seen < n - 1:
        return Smoothed(state.seen + 1, state.value + x)
    if state.seen < n:
        return Smoothed(n, (state.value + x) / n)
    return Smoothed(n, (state.value * (n - 1.0) + x) / n)


def Ema(n: int, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Exponential moving average of the close, weight 2 / (n + 1).

    Seed: the mean of the first n closes, at bar n, which is the first value (as TA-Lib).
    """
    return Indicator(
        name="ema",
        params=(whole("ema", "n", n),),
        start=SMOOTHED,
        step=ema_step,
        ready=ema_ready,
        value=ema_value,
        on=granularity(on),
    )


def ema_step(state: Smoothed, bars: Bars, i: int, n: int) -> Smoothed:
    return smooth(state, bars.close[i], n)


def ema_ready(state: Smoothed, n: int) -> bool:
    return state.seen >= n


def ema_value(state: Smoothed, n: int) -> float:
    return state.value


class WmaState(NamedTuple):
    """Plain and weighted sum of the last n closes."""

    sum: Rolling
    weighted: float  # 1 × the oldest + … + n × the newest
    peak: float  # greatest weighted sum since it was made anew


def Wma(n: int, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Linearly weighted average of the last n closes: n × the newest … 1 × the oldest.

    Divided by n (n + 1) / 2. First value at bar n.
    """
    return Indicator(
        name="wma",
        params=(whole("wma", "n", n),),
        start=WmaState(ROLLING, 0.0, 0.0),
        step=wma_step,
        ready=wma_ready,
        value=wma_value,
        lookback=n,
        on=granularity(on),
    )


def wma_step(state: WmaState, bars: Bars, i: int, n: int) -> WmaState:
    close = bars.close
    before = state.sum
    after = roll(before, close, i, n)
    if before.seen < n:
        weighted = state.weighted + after.seen * close[i]
        return WmaState(after, weighted, weighted)
    weighted = state.weighted - before.total + n * close[i]
    if after.left < n and weighted > SHRUNK * state.peak:
        peak = weighted if weighted > state.peak else state.peak
        return WmaState(after, weighted, peak)
    weighted = 0.0
    for k in range(n):
        weighted += (k + 1.0) * close[i - n + 1 + k]
    return WmaState(after, weighted, weighted)


def wma_ready(state: WmaState, n: int) -> bool:
    return state.sum.seen >= n


def wma_value(state: WmaState, n: int) -> float:
    return state.weighted / (0.5 * n * (n + 1.0))


class SlopeState(NamedTuple):
    """An EMA and its last values."""

    ema: Smoothed
    filled: int  # values in `past`, at most over + 1
    past: tuple[float, ...]  # the EMA at the last over + 1 bars, oldest first


def EmaSlope(n: int, over: int = 1, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Relative change of EMA(n) per bar, over the last `over` bars: (now / then - 1) / over.

    0.001 is a tenth of a percent per bar. 0.0 where the EMA then was 0. Seeded as the EMA; first
    value at bar n + over.
    """
    whole("ema_slope", "over", over, high=TUPLE_MAX)
    return Indicator(
        name="ema_slope",
        params=(whole("ema_slope", "n", n), over),
        start=SlopeState(SMOOTHED, 0, (0.0,) * (over + 1)),
        step=ema_slope_step,
        ready=ema_slope_ready,
        value=ema_slope_value,
        on=granularity(on),
    )


def ema_slope_step(state: SlopeState, bars: Bars, i: int, n: int, over: int) -> SlopeState:
    ema = smooth(state.ema, bars.close[i], n)
    if ema.seen < n:
        return SlopeState(ema, 0, state.past)
    filled = state.filled + 1 if state.filled <= over else state.filled
    return SlopeState(ema, filled, state.past[1:] + (ema.value,))  # noqa: RUF005 (compiled)


def ema_slope_ready(state: SlopeState, n: int, over: int) -> bool:
    return state.filled > over


def ema_slope_value(state: SlopeState, n: int, over: int) -> float:
    then = state.past[0]
    if then <= 0.0:
        return 0.0
    return (state.ema.value - then) / then / over


class MacdState(NamedTuple):
    fast: Smoothed
    slow: Smoothed
    signal: Smoothed


class MacdValue(NamedTuple):
    macd: float  # quote coin
    signal: float  # quote coin
    histogram: float  # macd - signal


def Macd(  # noqa: N802
    fast: int = 12, slow: int = 26, signal: int = 9, *, on: str | None = None
) -> Indicator:
    """EMA(fast) - EMA(slow) of the close, the EMA(signal) of that, and their difference.

    Each EMA is seeded with the mean of its own first values: the fast one at bar `fast`, the
    signal with the first `signal` differences (TA-Lib lets the fast one begin with the slow one,
    so that the two agree once the seed has faded). First value at bar slow + signal - 1.
    """
    whole("macd", "fast", fast)
    whole("macd", "slow", slow)
    if fast >= slow:
        raise ValueError(f"macd: fast must be below slow, not {fast} and {slow}")
    return Indicator(
        name="macd",
        params=(fast, slow, whole("macd", "signal", signal)),
        start=MacdState(SMOOTHED, SMOOTHED, SMOOTHED),
        step=macd_step,
        ready=macd_ready,
        value=macd_value,
        fields=MacdValue._fields,
        record=MacdValue,
        on=granularity(on),
    )


def macd_step(state: MacdState, bars: Bars, i: int, fast: int, slow: int, signal: int) -> MacdState:
    quick = smooth(state.fast, bars.close[i], fast)
    slack = smooth(state.slow, bars.close[i], slow)
    if slack.seen < slow:
        return MacdState(quick, slack, state.signal)
    return MacdState(quick, slack, smooth(state.signal, quick.value - slack.value, signal))


def macd_ready(state: MacdState, fast: int, slow: int, signal: int) -> bool:
    return state.signal.seen >= signal


def macd_value(state: MacdState, fast: int, slow: int, signal: int) -> MacdValue:
    macd = state.fast.value - state.slow.value
    return MacdValue(macd, state.signal.value, macd - state.signal.value)
