"""Candles per second through the interpreted indicators, as the live stage runs them.

python benchmarks/indicators.py [CANDLES]
"""

import random
import sys
import time
from collections.abc import Sequence

from chandler.core.events import CandleSealed, Symbol
from chandler.core.granularity import Granularity
from chandler.core.indicators import INDICATORS, Indicator, parse_indicator
from chandler.core.indicators.compute import advance, start, values

INTERVAL_MS = 300_000
NEEDS_A_PERIOD = ("ema", "ema_slope", "highest", "lowest", "sma", "wma")
TEN = "rsi ema(20) ema(50) ema_slope(50) macd bollinger atr adx donchian volume_ratio"


def candles(count: int, seed: int) -> list[CandleSealed]:
    """A seeded random walk of 5m candles."""
    walk = random.Random(seed)
    close, made = 100.0, []
    for i in range(count):
        open_, close = close, close * (1.0 + walk.gauss(0.0, 0.002))
        made.append(
            CandleSealed(
                symbol=Symbol("SYN1USDT"),
                granularity=Granularity("5m"),
                open_ms=i * INTERVAL_MS,
                open=open_,
                high=max(open_, close) * 1.001,
                low=min(open_, close) * 0.999,
                close=close,
                volume=walk.expovariate(0.01),
                quote_volume=0.0,
            )
        )
    return made


def rate(indicators: Sequence[Indicator], feed: Sequence[CandleSealed]) -> float:
    """Candles per second: each one taken in and its row of values made."""
    series = start(indicators)
    began = time.perf_counter()
    for candle in feed:
        series = advance(indicators, series, candle)
        values(indicators, series)
    return len(feed) / (time.perf_counter() - began)


def main() -> None:
    feed = candles(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, seed=1)
    everything = [f"{name}(20)" if name in NEEDS_A_PERIOD else name for name in INDICATORS]
    sets = {
        f"all {len(everything)} indicators": everything,
        "10 indicators": TEN.split(),
        "2 EMAs and an RSI": ["ema(12)", "ema(26)", "rsi(14)"],
    }
    for name, asked in sets.items():
        indicators = [parse_indicator(text) for text in asked]
        print(f"{name}: {rate(indicators, feed):,.0f} candles/s interpreted")


if __name__ == "__main__":
    main()
