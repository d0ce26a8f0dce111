"""Topics as numpy columns, cached as Parquet in the data directory."""

from chandler.streams.columns.cache import cache_bytes, clear_cache
from chandler.streams.columns.read import (
    CandleReading,
    Report,
    TickerReading,
    gather_candles,
    gather_tickers,
    read_candles,
    read_tickers,
)
from chandler.streams.columns.shapes import CandleColumns, OutColumns, TickerColumns

__all__ = [
    "CandleColumns",
    "CandleReading",
    "OutColumns",
    "Report",
    "TickerColumns",
    "TickerReading",
    "cache_bytes",
    "clear_cache",
    "gather_candles",
    "gather_tickers",
    "read_candles",
    "read_tickers",
]
