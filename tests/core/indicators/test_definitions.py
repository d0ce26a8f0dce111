"""Indicators that no oracle has, against their definitions written out over the whole history."""

from collections.abc import Callable

import pytest

from chandler.core.indicators import (
    Atr,
    Bars,
    Ema,
    EmaSlope,
    Keltner,
    Supertrend,
    VolumeRatio,
    Vwap,
)
from chandler.core.indicators.compute import history

Candles = Callable[[str], Bars]
SYMBOLS = ["BTCUSDT", "PEOPLEUSDT", "PUNDIXUSDT"]
DAY_MS = 86_400_000


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_slope_is_the_relative_change_of_the_ema_per_bar(candles: Candles, symbol: str) -> None:
    bars = candles(symbol)
    ema = history(Ema(50), bars)

    slope = history(EmaSlope(50, 3), bars)

    assert slope[:52] == [None] * 52
    for i in range(52, len(slope)):
        assert slope[i] == pytest.approx((ema[i] / ema[i - 3] - 1.0) / 3.0, abs=1e-14)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_volume_ratio_compares_with_the_mean_of_the_bars_before(
    candles: Candles, symbol: str
) -> None:
    bars = candles(symbol)

    ratio = history(VolumeRatio(20), bars)

    assert ratio[:20] == [None] * 20
    for i in range(20, len(ratio)):
        mean = sum(bars.volume[i - 20 : i]) / 20.0
        expected = bars.volume[i] / mean if mean > 0.0 else 1.0
        assert ratio[i] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_keltner_is_the_ema_and_atr_around_it(candles: Candles, symbol: str) -> None:
    bars = candles(symbol)
    ema, atr = history(Ema(20), bars), history(Atr(10), bars)

    channel = history(Keltner(20, 1.5, 10), bars)

    assert channel[:19] == [None] * 19
    for i in range(19, len(channel)):
        expected = (ema[i] - 1.5 * atr[i], ema[i], ema[i] + 1.5 * atr[i])
        assert channel[i] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_vwap_begins_anew_with_each_utc_day(candles: Candles, symbol: str) -> None:
    bars = candles(symbol)

    vwap = history(Vwap(), bars)

    for i in range(0, len(vwap), 7):
        day = bars.open_ms[i] // DAY_MS
        session = [j for j in range(i + 1) if bars.open_ms[j] // DAY_MS == day]
        volume = sum(bars.volume[j] for j in session)
        if volume > 0.0:
            money = sum(
                (bars.high[j] + bars.low[j] + bars.close[j]) / 3.0 * bars.volume[j] for j in session
            )
            assert vwap[i] == pytest.approx(money / volume, rel=1e-12)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_supertrend_holds_its_band_until_a_close_is_beyond_it(
    candles: Candles, symbol: str
) -> None:
    bars = candles(symbol)
    atr = history(Atr(10), bars)

    trend = history(Supertrend(10, 3.0), bars)

    turns = 0
    for i in range(11, len(trend)):
        before, now = trend[i - 1], trend[i]
        middle = (bars.high[i] + bars.low[i]) / 2.0
        loose = middle - now.direction * 3.0 * atr[i]
        if now.direction == before.direction:
            held = max(loose, before.value) if now.direction > 0.0 else min(loose, before.value)
            assert now.value == held
            assert (bars.close[i] - now.value) * now.direction >= 0.0
        else:
            turns += 1
            assert (bars.close[i] - before.value) * before.direction < 0.0
    assert turns > 20
