"""The pump guard over all of a symbol's prices: its live arithmetic, compiled."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from chandler.core.events import Symbol
from chandler.core.granularity import MINUTE_MS
from chandler.core.market import surge
from chandler.core.market.pump import KINDS, Tick, record_of
from chandler.core.market.surge import Guard, Hold, Settings, Window
from chandler.core.trading.events import PumpState
from chandler.replay.dense.lanes import Floats, Ints, Lane
from chandler.replay.dense.native import kernel, machine
from chandler.replay.sparse.prices import Prices

TEXT = """
def kernel(settings, guard, minutes, first_ms, at, price, volume, told):
    low, high, close, traded = minutes
    count = 0
    newest = -1
    before = window(settings, low, high, close, 1, traded, 1)
    for i in range(len(at)):
        end = (at[i] - at[i] % 60000 - first_ms) // 60000
        if end <= 0 or at[i] <= guard.at:
            continue
        if end > len(close):
            break
        if end != newest:
            before = window(settings, low, high, close, end, traded, end)
            newest = end
        boundary = at[i] - at[i] % settings.boundary_ms
        made = judge(settings, guard, before, at[i], boundary, price[i], volume[i])
        if made.boundary_ms >= 0:
            told[count] = (made.boundary_ms, guard.up.since_ms, guard.down.since_ms, 1)
            count += 1
        guard = made.guard
        if made.kind != 0:
            told[count] = (at[i], guard.up.since_ms, guard.down.since_ms, made.kind)
            count += 1
    return count
"""


class Minutes(NamedTuple):
    """Columns of sealed minutes, one after the other; a minute without trades is flat."""

    low: Floats
    high: Floats
    close: Floats
    volume: Floats


class Guarded(NamedTuple):
    """All that the guard said of a symbol."""

    symbol: Symbol
    settings: Settings
    minutes: Minutes
    first_ms: int
    prices: Prices
    told: Ints  # rows of (at, since_up, since_down, kind), ascending

    def state(self, at: int) -> PumpState | None:
        """The newest state at or before a time, as it was published."""
        row = int(self.told[:, 0].searchsorted(at, "right")) - 1
        if row < 0:
            return None
        told_ms, up, down, kind = self.told[row].tolist()
        end = (told_ms - told_ms % MINUTE_MS - self.first_ms) // MINUTE_MS
        columns: Any = self.minutes
        low, high, close, volume = columns
        before: Window = surge.window(self.settings, low, high, close, end, volume, end)
        tick = Tick(told_ms, float(before.close), 0.0)
        place = self.prices.row_at(told_ms)
        if place >= 0 and self.prices.at[place] == told_ms:
            price = float(self.prices.last[place]) / 10.0**self.prices.places
            tick = Tick(told_ms, price, float(self.prices.minute_volume[place]))
        guard = Guard(told_ms, Hold(up), Hold(down))
        return record_of(self.symbol, guard, KINDS[kind], before, tick)


def guarded(settings: Settings, lane: Lane, prices: Prices) -> Guarded:
    """Runs the guard. `lane`: the 1m candles, or the longer ones that the prices were made of."""
    minutes, first_ms = _minutes(lane, prices)
    told = np.zeros((2 * len(prices.at), 4), np.int64)
    count = 0
    if len(minutes.close) and len(prices.at):
        there = ~prices.odd
        price = prices.last[there] / 10.0**prices.places
        start = Guard(-1, Hold(0, 0), Hold(0, 0))
        volume = prices.minute_volume[there]
        at = prices.at[there]
        count = _kernel()(settings, start, minutes, first_ms, at, price, volume, told)
    return Guarded(lane.symbol, settings, minutes, first_ms, prices, told[:count].copy())


@cache
def _kernel() -> Any:
    functions: dict[str, Any] = {"window": surge.window, "judge": surge.judge}
    return kernel("guard", TEXT, functions, {})


def _minutes(lane: Lane, prices: Prices) -> tuple[Minutes, int]:
    """The minutes, and when the first one opens; they begin with the first candle."""
    there = np.flatnonzero(~lane.missing)
    if not len(there):
        return Minutes(*(np.zeros(0) for _ in range(4))), 0
    first = int(there[0])
    if lane.granularity == "1m":
        close = lane.close[first:].copy()
        low, high = lane.low[first:].copy(), lane.high[first:].copy()
        volume = lane.volume[first:].copy()
        for slot in np.flatnonzero(lane.missing[first:]).tolist():
            close[slot] = low[slot] = high[slot] = close[slot - 1]
            volume[slot] = 0.0
        return Minutes(low, high, close, volume), int(lane.open_ms[first])
    return _of_longer(lane, prices, first)


def _of_longer(lane: Lane, prices: Prices, first: int) -> tuple[Minutes, int]:
    """Minutes that have the prices of theirs, and an even part of their candle's volume."""
    first_ms = int(lane.open_ms[first])
    each = int(lane.open_ms[1] - lane.open_ms[0]) // MINUTE_MS if len(lane.open_ms) > 1 else 1
    count = (len(lane.open_ms) - first) * each
    price = prices.last / 10.0**prices.places
    place = (prices.at - first_ms) // MINUTE_MS
    close, low, high = (np.zeros(count) for _ in range(3))
    _spread(price, place, close, low, high)
    volume = np.where(lane.missing, 0.0, lane.volume)[first:]
    return Minutes(low, high, close, np.repeat(volume / each, each)), first_ms


@machine
def _spread(price: Floats, place: Ints, close: Floats, low: Floats, high: Floats) -> None:
    """Each minute's prices; one without any keeps the last one before it."""
    before = price[0] if len(price) else 0.0
    row = 0
    for minute in range(len(close)):
        low[minute] = high[minute] = before
        while row < len(price) and place[row] <= minute:
            before = price[row]
            low[minute] = min(low[minute], before)
            high[minute] = max(high[minute], before)
            row += 1
        close[minute] = before
