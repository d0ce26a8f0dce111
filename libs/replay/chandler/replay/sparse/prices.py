"""A symbol's prices over time: recorded tickers, or four for each candle.

Prices are whole numbers of the symbol's finest digit, so that comparing them is exact and quick.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from chandler.core.events import Symbol, Ticker
from chandler.core.granularity import MINUTE_MS, interval_ms, utc
from chandler.replay.dense.lanes import Flags, Floats, Ints, Lane, LaneError
from chandler.replay.dense.native import machine

STANDS_MS = 1_000  # that a price made of a candle stands
ROWS_A_PRICE = 2  # of a price made of a candle: from when it stands, and until when
PLACES_MAX = 15  # digits after the point
MANTISSA_MAX = 2**53  # up to there a float says every whole number


class Tickers(Protocol):
    """Where whole tickers come from, by their row."""

    def ticker(self, row: int) -> Ticker: ...


class Prices(NamedTuple):
    """Ascending in `at`; price = number / 10 ** places."""

    symbol: Symbol
    places: int
    at: Ints  # ms
    last: Ints
    mark: Ints
    odd: Flags  # rows with a price that is none: decided by nobody, looked at one by one
    minute_volume: Floats  # of the forming minute so far, base coin
    tickers: Tickers

    def row_at(self, at: int) -> int:
        """The newest row at or before a time; -1: none."""
        return int(self.at.searchsorted(at, "right")) - 1


class CandleTickers(NamedTuple):
    """Tickers out of prices that candles became: bid, ask and mark are the last price."""

    symbol: Symbol
    places: int
    at: Ints
    last: Ints
    minute_volume: Floats

    def ticker(self, row: int) -> Ticker:
        at, text = int(self.at[row]), decimal(int(self.last[row]), self.places)
        return Ticker(
            symbol=self.symbol,
            at=at,
            last=text,
            bid=text,
            ask=text,
            mark=text,
            minute_open_ms=at - at % MINUTE_MS,
            minute_volume=float(self.minute_volume[row]),
        )


def decimal(number: int, places: int) -> str:
    """A whole number of the finest digit as text: 12340, 3 → 12.340."""
    if not places:
        return str(number)
    digits = str(number).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"


def of_candles(lane: Lane) -> Prices:
    """Four prices for each candle: open, the nearer extreme, the farther one, close.

    The extreme nearer to the open comes first; the low where both are as near. They come at the
    candle's open, at a third and two thirds of it, and at its end, and each stands for STANDS_MS:
    what is decided at one is filled at it, as it would be live within the desk's latency, and not
    at the next one minutes later. A forming minute's volume grows evenly over a 1m candle; of a
    longer one each minute has its even part.
    LaneError where prices have more digits than can be told apart.
    """
    bars: Any = lane.bars()
    count = len(bars.close)
    interval = interval_ms(lane.granularity)
    quartet = np.empty((count, 4))
    _quartets(bars.open, bars.high, bars.low, bars.close, quartet)
    places = _places(lane, bars.open_ms, quartet)
    numbers = np.rint(quartet.reshape(-1) * 10.0**places).astype(np.int64)
    last = np.repeat(numbers, ROWS_A_PRICE)
    begins = [0, interval // 3, 2 * interval // 3, interval - 1 - STANDS_MS]
    offsets = np.array([each + more for each in begins for more in (0, STANDS_MS)], np.int64)
    at = (bars.open_ms[:, None] + offsets).reshape(-1)
    per_minute = bars.volume * (MINUTE_MS / max(interval, MINUTE_MS))
    within = (at % MINUTE_MS) / MINUTE_MS
    within[at % MINUTE_MS == MINUTE_MS - 1] = 1.0
    volume = np.repeat(per_minute, len(offsets)) * within
    tickers = CandleTickers(lane.symbol, places, at, last, volume)
    return Prices(lane.symbol, places, at, last, last, np.zeros(len(at), np.bool_), volume, tickers)


def _places(lane: Lane, open_ms: Ints, quartet: Floats) -> int:
    """The fewest digits after the point that say every price exactly."""
    if not len(quartet):
        return 0
    odd = np.zeros(quartet.shape, np.bool_)
    for places in range(PLACES_MAX + 1):
        scaled = np.rint(quartet * 10.0**places)
        if scaled.max() >= MANTISSA_MAX:
            break
        odd = scaled / 10.0**places != quartet
        if not odd.any():
            return places
    row, column = (int(each[0]) for each in np.nonzero(odd))
    raise LaneError(
        f"{lane.symbol} {lane.granularity}: the candle of {utc(int(open_ms[row]))} has a price "
        f"{float(quartet[row, column])!r}, more digits than a venue's: round prices to the step"
    )


@machine
def _quartets(open_: Floats, high: Floats, low: Floats, close: Floats, out: Floats) -> None:
    for i in range(len(open_)):
        first, second = low[i], high[i]
        if high[i] - open_[i] < open_[i] - low[i]:
            first, second = second, first
        out[i, 0] = open_[i]
        out[i, 1] = first
        out[i, 2] = second
        out[i, 3] = close[i]
