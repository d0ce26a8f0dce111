"""Where a backtest's past comes from: the topics (through their cache), or candle files."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chandler.core.events import FundingRate, Instrument, Symbol
from chandler.core.granularity import INTERVAL_MS, Granularity, by_length, interval_ms, utc
from chandler.replay.backtest import Past, Setting, shortest
from chandler.replay.dense.lanes import Lane, LaneError, Lanes, lane
from chandler.replay.history.checks import Wanted
from chandler.replay.sparse.assumed import instrument
from chandler.replay.sparse.prices import Prices, of_candles
from chandler.streams.columns import TickerColumns, gather_candles
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.history.gathering import gathered, together
from services.layers import ConfigurationError

Tell = Callable[[int], None]


class Period(NamedTuple):
    """From (inclusive) and to (exclusive), event time, ms; None: as far as there is."""

    from_ms: int | None = None
    to_ms: int | None = None


class Read(NamedTuple):
    """A past, and lines for people."""

    past: Past
    notes: list[str]
    left_out: list[str]  # what is not in the past though it was given, and why
    minor: Sequence[str] = ()  # what comes with most files

    def told(self, before: Sequence[str], after: Sequence[str] = ()) -> list[str]:
        """All lines, the weightiest first; `before` and `after` are those of others."""
        return [*self.left_out, *before, *self.notes, *after, *self.minor]


async def of_topics(
    installation: Installation, setting: Setting, period: Period, symbols: Sequence[str]
) -> Read:
    """Candles of the topics. ConfigurationError where there are none."""
    reading = await gather_candles(installation, INTERVAL_MS, symbols or None)
    lanes: dict[Symbol, dict[Granularity, Lane]] = {}
    notes = list(reading.report.warnings)
    left_out: list[str] = []
    for (symbol, granularity), columns in reading.columns.items():
        try:
            found = lane(symbol, granularity, columns._asdict())
        except LaneError as error:
            left_out.append(_left_out(symbol, str(error)))
            lanes.pop(symbol, None)
            continue
        lanes.setdefault(symbol, {})[granularity] = found
    if not lanes:
        raise ConfigurationError(
            "there are no candles in the topics: run ./chandler up, ./chandler candles import "
            "FILE, or give the backtest --candles FILE"
        )
    instruments, funding = await _terms(installation, live=reading.report.live)
    past = _past(setting, lanes, period, symbols, notes, "topics", instruments, funding)
    return Read(past, notes, left_out)


async def _terms(
    installation: Installation, *, live: bool
) -> tuple[dict[Symbol, list[Instrument]], dict[Symbol, list[FundingRate]]]:
    instruments: dict[Symbol, list[Instrument]] = {}
    funding: dict[Symbol, list[FundingRate]] = {}
    if not live:  # the candles are the cache's
        return instruments, funding
    async for record in read_topics(installation, ["instruments", "funding"]):
        if isinstance(record.event, Instrument):
            instruments.setdefault(record.event.symbol, []).append(record.event)
        elif isinstance(record.event, FundingRate):
            funding.setdefault(record.event.symbol, []).append(record.event)
    return instruments, funding


def of_files(
    files: Sequence[Path],
    setting: Setting,
    period: Period,
    symbols: Sequence[str],
    granularity: str = "",
    tell: Tell = lambda _: None,
) -> Read:
    """Candles of files, in whatever format; a faulty symbol is named and left out.

    ConfigurationError where nothing that was asked for is left.
    """
    found = gathered(files, Wanted(granularity=granularity), round(time.time() * 1_000), tell)
    asked = [each for each in found.faults if not symbols or each.symbol in ("", *symbols)]
    left_out = [_left_out(each.symbol, f"{each.source}: {each.text}") for each in asked]
    there = [each for each in symbols if each not in found.refused]
    if symbols and not there:
        raise ConfigurationError(asked[0].line)
    lanes: dict[Symbol, dict[Granularity, Lane]] = {}
    for series in found.lanes.values():
        names = ("open", "high", "low", "close", "volume", "quote_volume")
        columns: dict[str, Any] = {
            name: series.values[:, number] for number, name in enumerate(names)
        }
        made = lane_with_gaps(series.symbol, series.granularity, series.open_ms, columns)
        lanes.setdefault(series.symbol, {})[series.granularity] = made
    if not lanes:
        none = "the files hold no candles: name others"
        raise ConfigurationError(found.faults[0].line if found.faults else none)
    notes = together(each for each in found.notes if not each.minor)
    notes += [note for of in lanes.values() for each in of.values() if (note := _holes(each))]
    source = ", ".join(file.name for file in files)
    past = _past(setting, lanes, period, there, notes, source, {}, {})
    return Read(past, notes, left_out, together(each for each in found.notes if each.minor))


def _left_out(symbol: str, why: str) -> str:
    return f"{symbol or 'a file'} is LEFT OUT, with all of its candles: {why}"


def lane_with_gaps(symbol: str, granularity: str, open_ms: Any, columns: Mapping[str, Any]) -> Lane:
    """A lane of ascending rows; slots between them that have none are missing."""
    interval = interval_ms(Granularity(granularity))
    slots = (open_ms - open_ms[0]) // interval
    count = int(slots[-1]) + 1
    missing = np.ones(count, np.bool_)
    missing[slots] = False
    wide: dict[str, Any] = {"missing": missing}
    wide["open_ms"] = int(open_ms[0]) + np.arange(count, dtype=np.int64) * interval
    for name, column in columns.items():
        wide[name] = np.zeros(count)
        wide[name][slots] = column
    return lane(symbol, granularity, wide)


def _holes(lane: Lane) -> str:
    """What a person has to know of slots without a candle; "" where there are none."""
    count = int(lane.missing.sum())
    if not count:
        return ""
    first = utc(int(lane.open_ms[int(np.argmax(lane.missing))]))
    return (
        f"{lane.symbol} {lane.granularity}: {count} candles are missing, the first of {first}; "
        "they count as if the venue had none: indicators go on with the next one"
    )


def _past(
    setting: Setting,
    lanes: Mapping[Symbol, Lanes],
    period: Period,
    symbols: Sequence[str],
    notes: list[str],
    source: str,
    instruments: Mapping[Symbol, Sequence[Instrument]],
    funding: Mapping[Symbol, Sequence[FundingRate]],
) -> Past:
    """What of the lanes is tried; adds to `notes` what is assumed."""
    kept = _within(_wanted(lanes, symbols), period)
    _check_granularities(setting, kept)
    prices = {symbol: of_candles(shortest(of)) for symbol, of in kept.items()}
    assumed = [symbol for symbol in kept if symbol not in instruments]
    if assumed:
        notes.append(
            f"steps, sizes and fees of {len(assumed)} symbols are assumed: nobody has said them"
        )
    if not funding:
        notes.append("without funding: no rates are recorded")
    known = {symbol: instruments.get(symbol) or [instrument(prices[symbol])] for symbol in kept}
    return Past(lanes=kept, instruments=known, funding=funding, source=source)


def _wanted(lanes: Mapping[Symbol, Lanes], symbols: Sequence[str]) -> dict[Symbol, Lanes]:
    for symbol in symbols:
        if symbol not in lanes:
            some = ", ".join(sorted(lanes)[:8])
            raise ConfigurationError(
                f"there are no candles of {symbol}: there are {len(lanes)} symbols, as {some}"
            )
    return {each: of for each, of in lanes.items() if not symbols or each in symbols}


def _within(lanes: Mapping[Symbol, Lanes], period: Period) -> dict[Symbol, Lanes]:
    """The candles that are over by the end; indicators warm up within the period."""
    from_ms = 0 if period.from_ms is None else period.from_ms
    to_ms = 2**62 if period.to_ms is None else period.to_ms
    found: dict[Symbol, Lanes] = {}
    for symbol, of in sorted(lanes.items()):
        cut = {each: lane.between(from_ms, to_ms) for each, lane in of.items()}
        cut = {each: lane for each, lane in cut.items() if len(lane.open_ms)}
        if cut:
            found[symbol] = cut
    if not found and from_ms >= to_ms:
        raise ConfigurationError(
            f"--from {utc(from_ms)} is not before --to {utc(to_ms)}: choose a later --to"
        )
    if not found:
        opens = [int(lane.open_ms[0]) for of in lanes.values() for lane in of.values()]
        ends = [lane.end_ms for of in lanes.values() for lane in of.values()]
        raise ConfigurationError(
            f"there is no candle in that period: there are some from {utc(min(opens))} to "
            f"{utc(max(ends))}, choose --from and --to between them"
        )
    return found


def _check_granularities(setting: Setting, lanes: Mapping[Symbol, Lanes]) -> None:
    """An engine whose base is shorter than all candles can't be tried."""
    shortest_there = by_length({each for of in lanes.values() for each in of})[0]
    for engine in setting.engines:
        for granularity in engine.inputs():
            there = any(granularity in of for of in lanes.values())
            if not there and interval_ms(granularity) < interval_ms(shortest_there):
                raise ConfigurationError(
                    f"engine {engine.name} reads {granularity} candles, the shortest there are "
                    f"{shortest_there}: give it such candles, or disable it with "
                    f"--set engines.{engine.name}.enabled=false"
                )


def of_tickers(columns: TickerColumns) -> Prices:
    """A symbol's recorded tickers as prices."""
    fits = columns.fits
    positive = np.column_stack([columns.last, columns.bid, columns.ask, columns.mark]) > 0
    odd: Any = ~(fits & positive).all(axis=1)
    return Prices(
        symbol=columns.symbol,
        places=columns.scale,
        at=columns.at,
        last=columns.last,
        mark=columns.mark,
        odd=odd,
        minute_volume=_forming(columns),
        tickers=columns,
    )


def _forming(columns: TickerColumns) -> Any:
    """The forming minute's volume; none where the candle is of another minute."""
    same = columns.minute_open_ms == columns.at - columns.at % 60_000
    volume = np.where(np.isfinite(columns.minute_volume), columns.minute_volume, 0.0)
    return np.where(same, np.maximum(volume, 0.0), 0.0)
