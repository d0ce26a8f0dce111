"""What a reading gives: columns of candles, of tickers, and of how far the tickers are out.

Arrays of one row per record and equal length. Knows nothing of Kafka and of files.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chandler.core.events import Symbol, Ticker
from chandler.core.granularity import Granularity
from chandler.streams.columns.decimals import written

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
PRICES = ("last", "bid", "ask", "mark")  # a ticker's decimal strings


class CandleColumns(NamedTuple):
    """One symbol's candles of one granularity: one row per slot, ascending, none twice."""

    symbol: Symbol
    granularity: Granularity
    open_ms: Ints  # start of the slot
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats  # base coin
    quote_volume: Floats  # quote coin
    missing: NDArray[np.bool_]  # the venue has no candle for the slot; its numbers are 0.0


class TickerColumns(NamedTuple):
    """One symbol's tickers in the order of their offsets, each newer than the one before.

    A price in quote coin is mantissa × 10^-scale where it fits; where it doesn't (it is no number,
    or has too many digits) its mantissa is 0 and its string is in `texts`.
    """

    symbol: Symbol
    scale: int  # decimals of every mantissa
    at: Ints  # venue's time, ms
    last: Ints  # mantissas, as the next three
    bid: Ints
    ask: Ints
    mark: Ints
    fits: NDArray[np.bool_]  # rows × PRICES
    decimals: NDArray[np.uint8]  # rows × PRICES: decimals that the string had
    texts: dict[tuple[int, int], str]  # (row, place in PRICES) → the string that doesn't fit
    minute_open_ms: Ints
    minute_volume: Floats  # base coin
    partition: NDArray[np.int32]
    offset: Ints

    def ticker(self, row: int) -> Ticker:
        """The event of a row, its prices with the very strings that the venue sent."""
        row = range(len(self.at))[row]
        last, bid, ask, mark = (self._text(row, place) for place in range(len(PRICES)))
        return Ticker(
            symbol=self.symbol,
            at=int(self.at[row]),
            last=last,
            bid=bid,
            ask=ask,
            mark=mark,
            minute_open_ms=int(self.minute_open_ms[row]),
            minute_volume=float(self.minute_volume[row]),
        )

    def _text(self, row: int, place: int) -> str:
        if not self.fits[row, place]:
            return self.texts[row, place]
        decimals = int(self.decimals[row, place])
        mantissa = int((self.last, self.bid, self.ask, self.mark)[place][row])
        return written(mantissa // 10 ** (self.scale - decimals), decimals)


class OutColumns(NamedTuple):
    """Every TickersOut, by partition and offset: all tickers of `shard` up to `at` are out."""

    at: Ints
    shard: Ints
    shards: Ints
    partition: NDArray[np.int32]
    offset: Ints
