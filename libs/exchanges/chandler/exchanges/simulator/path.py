"""The seeded way of a price inside a candle: five 1m candles, and points in each of them.

Both keep what they are made from: the five resample to the 5m candle exactly, the points of a
minute to its candle. The 1m candles depend on the seed alone, the points on their number too.
"""

import random
from itertools import pairwise
from typing import NamedTuple

from chandler.core.granularity import MINUTE_MS
from chandler.core.resample import Bar, joined, typical_quote_volume

MINUTES = 5
POINTS_MIN = 4  # in a minute: open, high, low, close
NOISE = 0.1  # of a minute's range, around the straight way between two of its extremes


class Point(NamedTuple):
    """A moment: the minute and the 5m candle as they stand after it. `five.close` is the price."""

    at_ms: int
    minute: Bar
    five: Bar


def split(candle: Bar, decimals: int, seed: str) -> tuple[Bar, ...]:
    """Five 1m candles that resample to `candle` exactly in open, high, low, close and volume.

    Prices are rounded to `decimals`. Quote volumes are per minute; the 5m one stays authoritative.
    """
    rng = random.Random(seed)
    low, high = candle.low, candle.high
    span = high - low
    edges = [candle.open]
    for left in range(MINUTES - 1, 0, -1):
        drift = (candle.close - edges[-1]) / (left + 1)
        edges.append(_on_grid(edges[-1] + drift + span * rng.gauss(0, 0.2), low, high, decimals))
    edges.append(candle.close)
    at_high, at_low = _extreme_minutes(edges, low, high, rng)
    volumes = _split_volume(candle.volume, rng)
    minutes = []
    for index in range(MINUTES):
        first, last = edges[index], edges[index + 1]
        top, bottom = max(first, last), min(first, last)
        top = _on_grid(top + (high - top) * rng.random() * 0.4, top, high, decimals)
        bottom = _on_grid(bottom - (bottom - low) * rng.random() * 0.4, low, bottom, decimals)
        top = high if index == at_high else top
        bottom = low if index == at_low else bottom
        volume = volumes[index]
        quote = typical_quote_volume(top, bottom, last, volume)
        open_ms = candle.open_ms + index * MINUTE_MS
        minutes.append(Bar(open_ms, first, top, bottom, last, volume, quote))
    return tuple(minutes)


def points(
    candle: Bar, minutes: tuple[Bar, ...], count: int, decimals: int, seed: str
) -> list[Point]:
    """The candle's points, `count` (at least 4) in each minute, ascending by time.

    The first of a minute is its open, without volume; the last its close, in its last ms.
    """
    rng = random.Random(seed)
    out: list[Point] = []
    before: Bar | None = None
    for minute in minutes:
        for at_ms, partial in _minute_points(minute, max(count, POINTS_MIN), decimals, rng):
            five = partial if before is None else joined(before, partial)
            share = five.volume / candle.volume if candle.volume else 0.0
            five = five._replace(quote_volume=candle.quote_volume * share)
            out.append(Point(at_ms, partial, five))
        before = minute if before is None else joined(before, minute)
    out[-1] = Point(out[-1].at_ms, minutes[-1], candle)
    return out


def _minute_points(
    minute: Bar, count: int, decimals: int, rng: random.Random
) -> list[tuple[int, Bar]]:
    prices = _minute_prices(minute, count, decimals, rng)
    steps = len(prices) - 1
    out = []
    high = low = minute.open
    for index, price in enumerate(prices):
        high, low = max(high, price), min(low, price)
        jitter = rng.uniform(-0.3, 0.3)
        at_ms = minute.open_ms + int(MINUTE_MS * (index + jitter) / steps)
        if index == 0:
            at_ms = minute.open_ms
        share = index / steps
        volume, quote = minute.volume * share, minute.quote_volume * share
        out.append((at_ms, Bar(minute.open_ms, minute.open, high, low, price, volume, quote)))
    out[-1] = (minute.open_ms + MINUTE_MS - 1, minute)
    return out


def _minute_prices(minute: Bar, count: int, decimals: int, rng: random.Random) -> list[float]:
    """Open first, close last, the extremes somewhere between, the rest near the way."""
    if minute.high == minute.low:
        return [minute.open] * (count if minute.volume else 2)
    first, second = sorted(rng.sample(range(1, count - 1), 2))
    extremes = [minute.high, minute.low]
    rng.shuffle(extremes)
    stations = [(0, minute.open), (first, extremes[0]), (second, extremes[1])]
    stations.append((count - 1, minute.close))
    noise = (minute.high - minute.low) * NOISE
    prices = [minute.open]
    for (start, origin), (end, goal) in pairwise(stations):
        for index in range(start + 1, end):
            straight = origin + (goal - origin) * (index - start) / (end - start)
            price = straight + rng.uniform(-noise, noise)
            prices.append(_on_grid(price, minute.low, minute.high, decimals))
        prices.append(goal)
    return prices


def _extreme_minutes(
    edges: list[float], low: float, high: float, rng: random.Random
) -> tuple[int, int]:
    """The minutes that reach the candle's high and its low."""
    highs = [i for i in range(MINUTES) if high in (edges[i], edges[i + 1])]
    lows = [i for i in range(MINUTES) if low in (edges[i], edges[i + 1])]
    every = list(range(MINUTES))
    return rng.choice(highs or every), rng.choice(lows or every)


def _split_volume(volume: float, rng: random.Random) -> list[float]:
    """Five volumes whose float sum from left to right is `volume` exactly."""
    weights = [rng.uniform(0.4, 1.6) for _ in range(MINUTES)]
    total = sum(weights)
    parts = [round(volume * weight / total, 6) for weight in weights[:-1]]
    done = 0.0
    for part in parts:
        done += part
    for last in (round(volume - done, 6), volume - done):
        if last >= 0 and done + last == volume:
            return [*parts, last]
    return [volume, 0.0, 0.0, 0.0, 0.0]


def _on_grid(price: float, low: float, high: float, decimals: int) -> float:
    return min(max(round(price, decimals), low), high)
