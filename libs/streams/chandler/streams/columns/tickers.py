"""A symbol's tickers from their decoded columns, and how far the tickers are out."""

import numpy as np

from chandler.core.events import Symbol
from chandler.streams.columns.decimals import Split, scale_of, scaled, written
from chandler.streams.columns.decoding import OUT
from chandler.streams.columns.series import Pieces, Series, in_order
from chandler.streams.columns.shapes import PRICES, OutColumns, TickerColumns


def ticker_columns(each: Series) -> TickerColumns:
    """The tickers of a symbol, its prices over one power of ten."""
    columns = each.columns
    splits = [
        Split(columns[name], columns[f"{name}_decimals"], columns[f"{name}_text"] == 0)
        for name in PRICES
    ]
    scale = scale_of(splits)
    mantissas, fits = zip(*(scaled(found, scale) for found in splits), strict=True)
    texts: dict[tuple[int, int], str] = {}
    for place, name in enumerate(PRICES):
        for row in map(int, np.flatnonzero(~fits[place])):
            code = int(columns[f"{name}_text"][row])
            regular = written(int(columns[name][row]), int(columns[f"{name}_decimals"][row]))
            texts[row, place] = each.texts[code - 1] if code else regular
    return TickerColumns(
        symbol=Symbol(each.symbol),
        scale=scale,
        at=columns["at"],
        last=mantissas[0],
        bid=mantissas[1],
        ask=mantissas[2],
        mark=mantissas[3],
        fits=np.column_stack(fits),
        decimals=np.column_stack([columns[f"{name}_decimals"] for name in PRICES]),
        texts=texts,
        minute_open_ms=columns["minute_open_ms"],
        minute_volume=columns["minute_volume"],
        partition=each.partition,
        offset=columns["offset"],
    )


def out_columns(found: Pieces) -> OutColumns:
    """Every TickersOut of the pieces."""
    got = in_order(found, OUT)
    if got is None:
        nothing = np.empty(0, np.int64)
        return OutColumns(nothing, nothing, nothing, np.empty(0, np.int32), nothing)
    columns, _, partition = got
    return OutColumns(
        columns["at"], columns["shard"], columns["shards"], partition, columns["offset"]
    )
