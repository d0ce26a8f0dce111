"""Candles for tests: a seeded path at 5m and the longer candles that belong to it."""

import random

from chandler.core.events import CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.core.resample import Bar, resample

START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC
BASE = Granularity("5m")
BTC = Symbol("BTCUSDT")


def path(
    count: int, seed: int = 1, symbol: Symbol = BTC, start_ms: int = START_MS
) -> list[CandleSealed]:
    """`count` 5m candles without a gap."""
    chance = random.Random(seed)
    price = 100.0
    candles = []
    for number in range(count):
        drift = 0.002 * (1 if (number // 60) % 2 else -1)
        close = price * (1 + chance.gauss(drift, 0.006))
        volume = chance.expovariate(1 / 50)
        candles.append(
            CandleSealed(
                symbol=symbol,
                granularity=BASE,
                open_ms=start_ms + number * interval_ms(BASE),
                open=price,
                high=max(price, close) * (1 + abs(chance.gauss(0, 0.002))),
                low=min(price, close) * (1 - abs(chance.gauss(0, 0.002))),
                close=close,
                volume=volume,
                quote_volume=volume * close,
            )
        )
        price = close
    return candles


def longer(candles: list[CandleSealed], granularity: str) -> list[CandleSealed]:
    """The whole candles of `granularity` that `candles` make."""
    bars = [Bar(*(getattr(candle, field) for field in Bar._fields)) for candle in candles]
    made = [
        CandleSealed(
            symbol=candles[0].symbol, granularity=Granularity(granularity), **bar._asdict()
        )
        for bar in resample(bars, Granularity(granularity))
    ]
    return [candle for candle in made if candle.close_ms <= candles[-1].close_ms]


def missing(candle: CandleSealed) -> CandleMissing:
    """The same slot, without a candle."""
    return CandleMissing(
        symbol=candle.symbol, granularity=candle.granularity, open_ms=candle.open_ms
    )
