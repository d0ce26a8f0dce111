"""Indicators of volume: MFI, OBV, VWAP of the day, volume ratio."""

from typing import NamedTuple

from chandler.core.granularity import DAY_MS
from chandler.core.indicators.parameters import granularity, whole
from chandler.core.indicators.spec import Bars, Indicator
from chandler.core.indicators.windows import ROLLING, SHRUNK, Rolling, roll, typical

ROUNDING = 0.000000000001  # of the price: two sums of three prices may differ so and be the same


class MfiState(NamedTuple):
    seen: int  # bars, at most n + 1
    left: int  # bars until the sums are made anew
    up: float  # money flow of the bars whose typical price rose, over n bars
    down: float  # of those whose typical price fell
    up_peak: float  # greatest sums since they were made anew
    down_peak: float


def Mfi(n: int = 14, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Money flow index, 0 to 100: the share of typical price × volume in rising bars, n bars.

    A bar whose typical price moved by less than 1e-12 of itself counts for neither side. 50.0
    where no money flowed at all (TA-Lib: 0, and also for any flow below 1). First value at
    bar n + 1.
    """
    return Indicator(
        name="mfi",
        params=(whole("mfi", "n", n),),
        start=MfiState(0, 0, 0.0, 0.0, 0.0, 0.0),
        step=mfi_step,
        ready=mfi_ready,
        value=mfi_value,
        lookback=n + 1,
        on=granularity(on),
    )


def money_flow(bars: Bars, i: int) -> float:
    """Typical price × volume of bar i, negative where the price fell. Looks back 1 bar."""
    now = typical(bars, i)
    before = typical(bars, i - 1)
    if now - before > ROUNDING * before:
        return now * bars.volume[i]
    if before - now > ROUNDING * before:
        return -now * bars.volume[i]
    return 0.0


def mfi_step(state: MfiState, bars: Bars, i: int, n: int) -> MfiState:
    if state.seen == 0:
        return MfiState(1, n, 0.0, 0.0, 0.0, 0.0)
    new = money_flow(bars, i)
    up = state.up + new if new > 0.0 else state.up
    down = state.down - new if new < 0.0 else state.down
    if state.seen <= n:
        return MfiState(state.seen + 1, n, up, down, up, down)
    old = money_flow(bars, i - n)
    if old > 0.0:
        up = up - old
    elif old < 0.0:
        down = down + old
    up_peak = up if up > state.up_peak else state.up_peak
    down_peak = down if down > state.down_peak else state.down_peak
    up_holds = up == state.up or up > SHRUNK * up_peak
    down_holds = down == state.down or down > SHRUNK * down_peak
    if state.left > 1 and up_holds and down_holds:
        return MfiState(n + 1, state.left - 1, up, down, up_peak, down_peak)
    up = 0.0
    down = 0.0
    for j in range(i - n + 1, i + 1):
        flow = money_flow(bars, j)
        if flow > 0.0:
            up += flow
        else:
            down -= flow
    return MfiState(n + 1, n, up, down, up, down)


def mfi_ready(state: MfiState, n: int) -> bool:
    return state.seen > n


def mfi_value(state: MfiState, n: int) -> float:
    both = state.up + state.down
    if both <= 0.0:
        return 50.0
    return 100.0 * (state.up / both)


class ObvState(NamedTuple):
    seen: int  # bars, at most 1
    value: float


def Obv(*, on: str | None = None) -> Indicator:  # noqa: N802
    """On-balance volume, base coin: the volume is added on a rise of the close, taken on a fall.

    Seed: the first bar's volume, which is the first value (as TA-Lib). Its level depends on where
    the stream begins; its changes don't.
    """
    return Indicator(
        name="obv",
        params=(),
        start=ObvState(0, 0.0),
        step=obv_step,
        ready=obv_ready,
        value=obv_value,
        lookback=1,
        on=granularity(on),
    )


def obv_step(state: ObvState, bars: Bars, i: int) -> ObvState:
    volume = bars.volume[i]
    if state.seen == 0:
        return ObvState(1, volume)
    if bars.close[i] > bars.close[i - 1]:
        return ObvState(1, state.value + volume)
    if bars.close[i] < bars.close[i - 1]:
        return ObvState(1, state.value - volume)
    return state


def obv_ready(state: ObvState) -> bool:
    return state.seen > 0


def obv_value(state: ObvState) -> float:
    return state.value


class VwapState(NamedTuple):
    day_ms: int  # start of the session, -1: none yet
    money: float  # typical price × volume since then
    volume: float
    typical: float  # of the newest bar


def Vwap(*, on: str | None = None) -> Indicator:  # noqa: N802
    """Volume-weighted mean of the typical price since 00:00 UTC of the bar's open time.

    Sums begin anew with each UTC day, so nothing drifts. Before any volume in a day: the newest
    typical price. First value at bar 1; the first day is as complete as the stream is.
    """
    return Indicator(
        name="vwap",
        params=(),
        start=VwapState(-1, 0.0, 0.0, 0.0),
        step=vwap_step,
        ready=vwap_ready,
        value=vwap_value,
        on=granularity(on),
    )


def vwap_step(state: VwapState, bars: Bars, i: int) -> VwapState:
    day_ms = bars.open_ms[i] - bars.open_ms[i] % DAY_MS
    price = typical(bars, i)
    volume = bars.volume[i]
    if day_ms != state.day_ms:
        return VwapState(day_ms, price * volume, volume, price)
    return VwapState(day_ms, state.money + price * volume, state.volume + volume, price)


def vwap_ready(state: VwapState) -> bool:
    return state.day_ms >= 0


def vwap_value(state: VwapState) -> float:
    if state.volume <= 0.0:
        return state.typical
    return state.money / state.volume


class VolumeRatioState(NamedTuple):
    bars: int  # taken in, at most 1
    sum: Rolling  # of the n bars before the current one
    volume: float  # of the current one


def VolumeRatio(n: int = 20, *, on: str | None = None) -> Indicator:  # noqa: N802
    """Volume of the bar / mean volume of the n bars before it. First value at bar n + 1.

    1.0 where those n bars had no volume: there is nothing to compare with.
    """
    return Indicator(
        name="volume_ratio",
        params=(whole("volume_ratio", "n", n),),
        start=VolumeRatioState(0, ROLLING, 0.0),
        step=volume_ratio_step,
        ready=volume_ratio_ready,
        value=volume_ratio_value,
        lookback=n + 1,
        on=granularity(on),
    )


def volume_ratio_step(state: VolumeRatioState, bars: Bars, i: int, n: int) -> VolumeRatioState:
    if state.bars == 0:
        return VolumeRatioState(1, state.sum, bars.volume[i])
    return VolumeRatioState(1, roll(state.sum, bars.volume, i - 1, n), bars.volume[i])


def volume_ratio_ready(state: VolumeRatioState, n: int) -> bool:
    return state.sum.seen >= n


def volume_ratio_value(state: VolumeRatioState, n: int) -> float:
    if state.sum.total <= 0.0:
        return 1.0
    return state.volume / (state.sum.total / n)
