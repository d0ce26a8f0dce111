"""Our indicators against TA-Lib on real candles: a calm symbol, a pump, one that often rests."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib

from chandler.core.indicators import (
    Adx,
    Atr,
    Bars,
    Bollinger,
    Cci,
    Donchian,
    Ema,
    Highest,
    Indicator,
    Lowest,
    Macd,
    Mfi,
    Obv,
    Roc,
    Rsi,
    Sma,
    Stochastic,
    StochRsi,
    Wma,
)
from chandler.core.indicators.compute import history

Columns = dict[str, Any]
Oracle = Callable[[Columns], Any]
SYMBOLS = ["BTCUSDT", "PEOPLEUSDT", "PUNDIXUSDT"]

# indicator, its field, TA-Lib's value of it
AGREE_FROM_THE_FIRST: list[tuple[Indicator, str, Oracle]] = [
    (Sma(20), "", lambda c: talib.SMA(c["close"], 20)),
    (Sma(1), "", lambda c: c["close"]),
    (Ema(21), "", lambda c: talib.EMA(c["close"], 21)),
    (Ema(200), "", lambda c: talib.EMA(c["close"], 200)),
    (Wma(30), "", lambda c: talib.WMA(c["close"], 30)),
    (Rsi(14), "", lambda c: talib.RSI(c["close"], 14)),
    (Rsi(2), "", lambda c: talib.RSI(c["close"], 2)),
    (Atr(14), "", lambda c: talib.ATR(c["high"], c["low"], c["close"], 14)),
    (Adx(14), "adx", lambda c: talib.ADX(c["high"], c["low"], c["close"], 14)),
    (Adx(14), "plus", lambda c: talib.PLUS_DI(c["high"], c["low"], c["close"], 14)),
    (Adx(14), "minus", lambda c: talib.MINUS_DI(c["high"], c["low"], c["close"], 14)),
    (Bollinger(20, 2.0), "upper", lambda c: talib.BBANDS(c["close"], 20, 2.0, 2.0)[0]),
    (Bollinger(20, 2.0), "middle", lambda c: talib.BBANDS(c["close"], 20, 2.0, 2.0)[1]),
    (Bollinger(20, 2.0), "lower", lambda c: talib.BBANDS(c["close"], 20, 2.0, 2.0)[2]),
    (Stochastic(14, 3, 3), "k", lambda c: stoch(c, 14, 3, 3)[0]),
    (Stochastic(14, 3, 3), "d", lambda c: stoch(c, 14, 3, 3)[1]),
    (StochRsi(14, 14, 1, 3), "k", lambda c: talib.STOCHRSI(c["close"], 14, 14, 3)[0]),
    (StochRsi(14, 14, 1, 3), "d", lambda c: talib.STOCHRSI(c["close"], 14, 14, 3)[1]),
    (Cci(20), "", lambda c: talib.CCI(c["high"], c["low"], c["close"], 20)),
    (Mfi(14), "", lambda c: talib.MFI(c["high"], c["low"], c["close"], c["volume"], 14)),
    (Obv(), "", lambda c: talib.OBV(c["close"], c["volume"])),
    (Roc(10), "", lambda c: talib.ROC(c["close"], 10)),
    (Highest(55), "", lambda c: talib.MAX(c["high"], 55)),
    (Lowest(55), "", lambda c: talib.MIN(c["low"], 55)),
    (Donchian(20), "upper", lambda c: shifted(talib.MAX(c["high"], 20))),
    (Donchian(20), "lower", lambda c: shifted(talib.MIN(c["low"], 20))),
]
# Ours is seeded at `fast` and `slow` bars; TA-Lib's fast average begins with the slow one.
AGREE_ONCE_THE_SEED_FADED: list[tuple[Indicator, str, Oracle]] = [
    (Macd(), "macd", lambda c: talib.MACD(c["close"], 12, 26, 9)[0]),
    (Macd(), "signal", lambda c: talib.MACD(c["close"], 12, 26, 9)[1]),
    (Macd(), "histogram", lambda c: talib.MACD(c["close"], 12, 26, 9)[2]),
]


def stoch(c: Columns, n: int, k: int, d: int) -> Any:
    return talib.STOCH(
        c["high"], c["low"], c["close"], fastk_period=n, slowk_period=k, slowd_period=d
    )


def shifted(column: Any) -> Any:
    """By one bar: TA-Lib's windows have the current bar in them, Donchian's hasn't."""
    return np.concatenate([[np.nan], column[:-1]])


def both(indicator: Indicator, field: str, oracle: Oracle, bars: Bars) -> tuple[Any, Any, float]:
    """Our values, theirs, and what may differ: 1e-9 of the greatest value, for cancellation."""
    columns = {name: np.array(getattr(bars, name)) for name in ("high", "low", "close", "volume")}
    values = history(indicator, bars)
    ours = [v if v is None or not field else getattr(v, field) for v in values]
    theirs = oracle(columns)
    return np.array(ours, dtype=float), theirs, 1e-9 * float(np.nanmax(np.abs(theirs)))


def names(cases: list[tuple[Indicator, str, Oracle]]) -> list[str]:
    return [f"{one.key}.{field}" if field else one.key for one, field, _ in cases]


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize(
    ("indicator", "field", "oracle"), AGREE_FROM_THE_FIRST, ids=names(AGREE_FROM_THE_FIRST)
)
def test_an_indicator_agrees_with_talib_from_its_first_value_on(
    candles: Callable[[str], Bars], symbol: str, indicator: Indicator, field: str, oracle: Oracle
) -> None:
    """Left out: bars where nothing moved in the window, for which TA-Lib says 0 and we 50 or 0.5.

    Its Bollinger bands come from the difference of sums of squares: 1e-7 of the price.
    """
    ours, theirs, tolerance = both(indicator, field, oracle, candles(symbol))

    if field in ("plus", "minus"):  # ours come with ADX, theirs 13 bars before it
        theirs[np.isnan(ours)] = np.nan
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    apart = np.abs(ours - theirs) > (
        tolerance * 100.0 if "bollinger" in indicator.key else tolerance
    )
    resting = still(indicator, candles(symbol))
    assert not (apart & ~resting).any(), np.flatnonzero(apart & ~resting)[:5]


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize(
    ("indicator", "field", "oracle"),
    AGREE_ONCE_THE_SEED_FADED,
    ids=names(AGREE_ONCE_THE_SEED_FADED),
)
def test_macd_agrees_with_talib_once_the_seed_has_faded(
    candles: Callable[[str], Bars], symbol: str, indicator: Indicator, field: str, oracle: Oracle
) -> None:
    ours, theirs, tolerance = both(indicator, field, oracle, candles(symbol))

    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert (np.abs(ours - theirs)[300:] <= tolerance).all()


def still(indicator: Indicator, bars: Bars) -> Any:
    """True where one of the windows that the value is made of had no range at all."""
    if indicator.name not in ("stochastic", "stoch_rsi", "mfi"):
        return np.zeros(len(bars.close), dtype=bool)
    reach = sum(int(p) for p in indicator.params[1:]) + 1
    n = int(indicator.params[0])
    flat = np.zeros(len(bars.close), dtype=bool)
    for i in range(n, len(flat)):
        window = slice(i - n + 1, i + 1)
        top, bottom = max(bars.high[window]), min(bars.low[window])
        if top == bottom or sum(bars.volume[window]) == 0.0:
            flat[i : i + reach] = True
    return flat
