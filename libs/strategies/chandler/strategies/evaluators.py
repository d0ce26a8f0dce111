"""The evaluators that ship with Chandler: each one an idea that a person can check on a chart.

All keep to the compiled subset (DESIGN.md §7): plain arithmetic, no min, max, round or powers.
"""

from chandler.core.evaluator import Tunable, evaluator
from chandler.core.indicators import (
    Adx,
    Atr,
    Bollinger,
    EmaSlope,
    Macd,
    Rsi,
    StochRsi,
    Supertrend,
    VolumeRatio,
)


def share(value: float, low: float, high: float) -> float:
    """How far `value` is on its way from `low` to `high`: 0.0 at or below, 1.0 at or above."""
    if high <= low:
        return 0.0
    if value <= low:
        return 0.0
    if value >= high:
        return 1.0
    return (value - low) / (high - low)


@evaluator(version="1.0")
def rsi_reversal(
    rsi: Rsi(14),
    trend: EmaSlope(50, on="1H"),
    *,
    oversold: float = Tunable(30.0, 10.0, 45.0),
    overbought: float = Tunable(70.0, 55.0, 90.0),
    reach: float = Tunable(15.0, 5.0, 30.0),
    against: float = Tunable(0.4, 0.0, 1.0),
) -> float:
    """Buys weakness in an uptrend, sells strength in a downtrend.

    The further RSI is beyond its limit, the stronger; `reach` points beyond it is fully so.
    Against the 1H trend (the slope of its EMA) only `against` of that is left.
    """
    if rsi < oversold:
        note = 0.5 + 0.5 * share(oversold - rsi, 0.0, reach)
        return note if trend >= 0.0 else note * against
    if rsi > overbought:
        note = 0.5 + 0.5 * share(rsi - overbought, 0.0, reach)
        return -note if trend <= 0.0 else -note * against
    return 0.0


@evaluator(version="1.0")
def trend_follow(
    trend: Supertrend(10, 3.0),
    strength: Adx(14),
    higher: EmaSlope(20, on="4H"),
    *,
    adx_low: float = Tunable(18.0, 10.0, 25.0),
    adx_high: float = Tunable(40.0, 26.0, 60.0),
    slope: float = Tunable(0.0005, 0.0, 0.01),
) -> float:
    """Goes with the Supertrend where ADX says that there is a trend and 4H agrees.

    Silent while the 4H EMA doesn't move by `slope` a candle (0.001 is 0.1 %) in that direction,
    or +DI and -DI point the other way.
    """
    if trend.direction > 0.0 and higher >= slope and strength.plus > strength.minus:
        return share(strength.adx, adx_low, adx_high)
    if trend.direction < 0.0 and higher <= -slope and strength.minus > strength.plus:
        return -share(strength.adx, adx_low, adx_high)
    return 0.0


@evaluator(version="1.0")
def bollinger_breakout(
    bands: Bollinger(20, 2.0),
    volume: VolumeRatio(20),
    *,
    width_max: float = Tunable(0.04, 0.005, 0.2),
    volume_low: float = Tunable(1.5, 1.0, 4.0),
    volume_high: float = Tunable(4.0, 2.0, 10.0),
) -> float:
    """Goes with a close outside the bands that comes with volume.

    Bands that are already wider than `width_max` of the price aren't a squeeze any more: the move
    has been, and the note is silent.
    """
    if bands.width > width_max or volume < volume_low:
        return 0.0
    note = 0.5 + 0.5 * share(volume, volume_low, volume_high)
    if bands.percent > 1.0:
        return note
    if bands.percent < 0.0:
        return -note
    return 0.0


@evaluator(version="1.0")
def macd_momentum(
    macd: Macd(12, 26, 9),
    range_: Atr(14),
    *,
    full: float = Tunable(0.5, 0.1, 2.0),
) -> float:
    """Momentum as the MACD histogram, measured in ATR so that coins compare.

    A histogram of `full` ATR is a full note. On the wrong side of zero (a bounce inside a move the
    other way) the note is halved.
    """
    if range_ <= 0.0:
        return 0.0
    height = macd.histogram / range_
    if height > 0.0:
        note = share(height, 0.0, full)
        return note if macd.macd > 0.0 else 0.5 * note
    note = share(-height, 0.0, full)
    return -note if macd.macd < 0.0 else -0.5 * note


@evaluator(version="1.0")
def band_reversion(
    bands: Bollinger(20, 2.0),
    timing: StochRsi(14, 14, 3, 3),
    trend: Adx(14, on="1H"),
    *,
    adx_max: float = Tunable(30.0, 15.0, 50.0),
    width_min: float = Tunable(0.008, 0.0, 0.05),
    low: float = Tunable(20.0, 5.0, 40.0),
    high: float = Tunable(80.0, 60.0, 95.0),
) -> float:
    """Fades a close at the edge of the bands once StochRSI turns, while 1H has no trend.

    Bands narrower than `width_min` of the price leave nothing to earn between edge and middle.
    """
    if trend.adx > adx_max or bands.width < width_min:
        return 0.0
    if bands.percent < 0.2 and timing.k < low and timing.k > timing.d:
        return 0.5 + 0.5 * share(0.2 - bands.percent, 0.0, 0.4)
    if bands.percent > 0.8 and timing.k > high and timing.k < timing.d:
        return -0.5 - 0.5 * share(bands.percent - 0.8, 0.0, 0.4)
    return 0.0
