"""Candles and tickers from their topics as columns: what was read once comes from the cache.

`read_…` for programs and notebooks, `gather_…` for coroutines.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import msgspec

from chandler.core.events import Symbol
from chandler.core.granularity import Granularity, interval_ms, parse_granularity
from chandler.streams.columns.decoding import UNDECODABLE, candle_decoding, ticker_decoding
from chandler.streams.columns.fetching import Progress
from chandler.streams.columns.gathering import Gathered, gather
from chandler.streams.columns.series import (
    Place,
    Selection,
    count,
    pieces,
    series,
)
from chandler.streams.columns.shapes import CandleColumns, OutColumns, TickerColumns
from chandler.streams.columns.tickers import out_columns, ticker_columns
from chandler.streams.settings import Installation

Result = TypeVar("Result")
Offsets = Mapping[Place, tuple[int, int]]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, and what is wrong with it."""

    rows: int  # in the columns
    dropped: int  # not newer than a row before them in the same lane
    undecodable: int  # records that are no event of their topic
    holes: int  # slots between a symbol's first and last row that have none (candles only)
    cached_rows: int  # that came from the cache, of all read
    fetched_rows: int  # that came from Kafka
    live: bool  # all that was committed when the reading began is in it
    newest_ms: int  # CreateTime of the newest record that was read; 0: nothing was
    until: dict[Place, int]  # behind the last record that was read
    absent: list[str]  # topics that are not there
    warnings: list[str]  # lines for people
    seconds: float


class CandleReading(NamedTuple):
    """Columns by symbol and granularity."""

    columns: dict[tuple[Symbol, Granularity], CandleColumns]
    report: Report

    def __repr__(self) -> str:
        return _short(self)


class TickerReading(NamedTuple):
    """Columns by symbol, and how far the tickers were out."""

    columns: dict[Symbol, TickerColumns]
    out: OutColumns
    report: Report

    def __repr__(self) -> str:
        return _short(self)


def read_candles(
    installation: Installation,
    granularities: Iterable[str],
    symbols: Iterable[str] | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    offsets: Offsets | None = None,
    progress: Progress | None = None,
) -> CandleReading:
    """Sealed candles and missing slots that open from `from_ms` to before `to_ms`.

    `symbols`: None for all; one without a candle isn't in the columns. `offsets`: (topic,
    partition) → first and end, of those partitions that are not wanted whole. ReadError: Kafka is
    down and nothing is cached; ValueError: an unknown granularity; NewerSchemaError. Also works
    where an event loop runs already, as in a notebook.
    """
    return _run(
        gather_candles(installation, granularities, symbols, from_ms, to_ms, offsets, progress)
    )


def read_tickers(
    installation: Installation,
    symbols: Iterable[str] | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    offsets: Offsets | None = None,
    progress: Progress | None = None,
) -> TickerReading:
    """Tickers of the venue's times from `from_ms` to before `to_ms`, and every TickersOut.

    Arguments and errors as of read_candles; the times leave TickersOut whole.
    """
    return _run(gather_tickers(installation, symbols, from_ms, to_ms, offsets, progress))


async def gather_candles(
    installation: Installation,
    granularities: Iterable[str],
    symbols: Iterable[str] | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    offsets: Offsets | None = None,
    progress: Progress | None = None,
) -> CandleReading:
    """As read_candles."""
    began = time.monotonic()
    asked = list(dict.fromkeys(parse_granularity(each) for each in granularities))
    selection = _selection(symbols, from_ms, to_ms, offsets)
    extra = ["offset"] if offsets else []
    decodings = {each: candle_decoding(each) for each in asked}
    gathered = await gather(
        installation, [(each, [*each.types, *extra]) for each in decodings.values()], progress
    )
    columns: dict[tuple[Symbol, Granularity], CandleColumns] = {}
    dropped, holes, undecodable = 0, 0, 0
    for granularity, decoding in decodings.items():
        lanes = [lane for lane in gathered.lanes if lane.decoding is decoding]
        found = pieces(lanes, list(decoding.types), selection)
        undecodable += count(found, UNDECODABLE)
        for each in series(found, "open_ms", selection):
            dropped += each.dropped
            opens = each.columns["open_ms"]
            if len(opens):
                symbol = Symbol(each.symbol)
                columns[symbol, granularity] = CandleColumns(symbol, granularity, **each.columns)
                slots = int(opens[-1] - opens[0]) // interval_ms(granularity) + 1
                holes += slots - len(opens)
    rows = sum(len(each.open_ms) for each in columns.values())
    report = _report(
        gathered, began, rows=rows, dropped=dropped, undecodable=undecodable, holes=holes
    )
    return CandleReading(columns, report)


async def gather_tickers(
    installation: Installation,
    symbols: Iterable[str] | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    offsets: Offsets | None = None,
    progress: Progress | None = None,
) -> TickerReading:
    """As read_tickers."""
    began = time.monotonic()
    selection = _selection(symbols, from_ms, to_ms, offsets)
    decoding = ticker_decoding()
    names = ["offset", *decoding.types]
    gathered = await gather(installation, [(decoding, names)], progress)
    found = pieces(gathered.lanes, names, selection)
    columns: dict[Symbol, TickerColumns] = {}
    dropped = 0
    for each in series(found, "at", selection):
        dropped += each.dropped
        if len(each.partition):
            columns[Symbol(each.symbol)] = ticker_columns(each)
    rows = sum(len(each.at) for each in columns.values())
    undecodable = count(found, UNDECODABLE)
    report = _report(gathered, began, rows=rows, dropped=dropped, undecodable=undecodable, holes=0)
    return TickerReading(columns, out_columns(found), report)


def _short(reading: CandleReading | TickerReading) -> str:
    """Without the columns: asyncio asks a task for its result's words each time that it ends."""
    name = type(reading).__name__
    return f"{name}(columns={len(reading.columns)}, rows={reading.report.rows})"


def _selection(
    symbols: Iterable[str] | None, from_ms: int | None, to_ms: int | None, offsets: Offsets | None
) -> Selection:
    return Selection(None if symbols is None else frozenset(symbols), from_ms, to_ms, offsets)


def _report(gathered: Gathered, began: float, **counts: int) -> Report:
    lanes = gathered.lanes
    cached = sum(lane.cached_rows for lane in lanes)
    read = sum(rows for lane in lanes for each in lane.parts for _, rows in each.head.groups)
    return Report(
        rows=counts["rows"],
        dropped=counts["dropped"],
        undecodable=counts["undecodable"],
        holes=counts["holes"],
        cached_rows=cached,
        fetched_rows=read - cached,
        live=not gathered.down,
        newest_ms=max((each.head.newest_ms for lane in lanes for each in lane.parts), default=0),
        until={lane.place: lane.end for lane in lanes},
        absent=gathered.absent,
        warnings=gathered.warnings,
        seconds=time.monotonic() - began,
    )


def _run(reading: Coroutine[Any, Any, Result]) -> Result:
    """The coroutine's result, also inside a running event loop: then by a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(reading)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, reading).result()
