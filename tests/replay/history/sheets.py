"""Sheets for the tests of candle files: 5m candles of made-up coins, and changes to them."""

from typing import Any

import numpy as np

from chandler.replay.history.sheet import Named, Sheet
from tests.candles import START_MS, path

FIVE_MS = 300_000
NOW_MS = START_MS + 10 * 86_400_000


def sheet(count: int = 48, symbols: tuple[str, ...] = ("BTCUSDT",), **changes: Any) -> Sheet:
    """`count` rows of each symbol, in order; without a symbol column where it is one."""
    rows = [each for seed, _ in enumerate(symbols) for each in path(count, seed + 1)]
    codes = np.repeat(np.arange(len(symbols)), count) if len(symbols) > 1 else np.empty(0)
    columns = {
        name: np.array([getattr(row, name) for row in rows])
        for name in ("open", "high", "low", "close", "volume", "quote_volume")
    }
    made = Sheet(
        source="file.csv",
        format="CSV",
        named=Named(symbols[0] if len(symbols) == 1 else "", ""),
        symbols=list(symbols) if len(symbols) > 1 else [],
        codes=codes.astype(np.int64),
        times=np.array([row.open_ms for row in rows], dtype=np.int64),
        prices=(columns["open"], columns["high"], columns["low"], columns["close"]),
        volume=columns["volume"],
        quote_volume=columns["quote_volume"],
    )
    return made._replace(**changes)


def rows_of(one: Sheet, places: list[int]) -> Sheet:
    """The sheet with these rows, in this order."""
    quote = one.quote_volume
    opened, high, low, close = (column[places] for column in one.prices)
    return one._replace(
        codes=one.codes[places] if len(one.codes) else one.codes,
        times=one.times[places],
        prices=(opened, high, low, close),
        volume=one.volume[places],
        quote_volume=None if quote is None else quote[places],
    )


def changed(one: Sheet, row: int, **values: float) -> Sheet:
    """The sheet with other values in a row."""
    names = ("open", "high", "low", "close")
    prices = [column.copy() for column in one.prices]
    volume, times = one.volume.copy(), one.times.copy()
    quote = None if one.quote_volume is None else one.quote_volume.copy()
    for name, value in values.items():
        if name in names:
            prices[names.index(name)][row] = value
        elif name == "volume":
            volume[row] = value
        elif name == "time":
            times[row] = value
        else:
            assert quote is not None
            quote[row] = value
    opened, high, low, close = prices
    return one._replace(
        prices=(opened, high, low, close), volume=volume, times=times, quote_volume=quote
    )
