"""Candles of one symbol and granularity as columns: ascending, each slot at most once."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chandler.core.events import Candle, CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.core.resample import Bar
from chandler.replay.history.sheet import Floats, Integers


class Series(NamedTuple):
    """Checked candles. `values`: open, high, low, close, volume, quote volume, a row each slot."""

    source: str  # the file or files
    symbol: Symbol
    granularity: Granularity
    open_ms: Integers
    values: npt.NDArray[np.float64]
    typical: bool  # the quote volume is made from the others

    def bars(self) -> Iterator[Bar]:
        """Its rows as core's numbers."""
        for open_ms, row in zip(self.open_ms.tolist(), self.values.tolist(), strict=True):
            yield Bar(open_ms, *row)


def typical_quote_volumes(high: Floats, low: Floats, close: Floats, volume: Floats) -> Floats:
    """core.resample.typical_quote_volume of each row, to the last bit."""
    made: Floats = volume * ((high + low + close) / 3.0)
    return made


def candle_of(series: Series, bar: Bar) -> CandleSealed:
    """The event for one row."""
    return CandleSealed(
        symbol=series.symbol,
        granularity=series.granularity,
        open_ms=bar.open_ms,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        quote_volume=bar.quote_volume,
    )


def candles_from(series: Series, next_ms: int) -> Iterator[Candle]:
    """The slots from `next_ms` up to the last row, each one: sealed, or missing."""
    start = int(np.searchsorted(series.open_ms, next_ms))
    rest = series._replace(open_ms=series.open_ms[start:], values=series.values[start:])
    interval = interval_ms(series.granularity)
    for bar in rest.bars():
        while next_ms < bar.open_ms:
            yield CandleMissing(
                symbol=series.symbol, granularity=series.granularity, open_ms=next_ms
            )
            next_ms += interval
        yield candle_of(series, bar)
        next_ms += interval
