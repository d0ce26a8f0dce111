"""Candle files into lanes, and lanes into what goes out: a faulty symbol stays out as a whole."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from chandler.core.events import Candle
from chandler.core.granularity import Granularity, interval_ms
from chandler.replay.history.checks import Wanted, examined
from chandler.replay.history.lanes import Plan, Present, joined, longer, plan
from chandler.replay.history.names import named
from chandler.replay.history.series import Series, candles_from
from chandler.replay.history.sheet import Fault, HistoryError, Note
from services.history.reading import read_file
from services.history.standing import Lane
from services.ingest.output import Out


class Gathered(msgspec.Struct):
    """What the files hold; grows file by file."""

    files: int = 0
    formats: dict[str, int] = {}  # format → sheets
    lanes: dict[Lane, Series] = {}
    faults: list[Fault] = []
    notes: list[Note] = []

    @property
    def refused(self) -> set[str]:
        """Symbols of which nothing goes out."""
        return {fault.symbol for fault in self.faults if fault.symbol}

    @property
    def unknown(self) -> int:
        """Files that could not be used and do not tell whose candles they hold."""
        return sum(not fault.symbol for fault in self.faults)

    def refuse(self, lane: Lane, source: str, error: HistoryError) -> None:
        """Nothing of the lane's symbol goes out."""
        self.faults.append(Fault(source, lane.symbol, str(error)))

    def drop_refused(self) -> None:
        """Leaves only what may go out."""
        refused = self.refused
        self.lanes = {lane: each for lane, each in self.lanes.items() if lane.symbol not in refused}


def together(notes: Iterable[Note]) -> list[str]:
    """A line for each thing that was done, however many files it was done to."""
    sources: dict[str, list[str]] = {}
    for note in notes:
        sources.setdefault(note.text, []).append(note.source)
    return [
        Note(files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else ""), text).line
        for text, files in sources.items()
    ]


def gathered(
    files: Sequence[Path], wanted: Wanted, now_ms: int, tell: Callable[[int], None]
) -> Gathered:
    """All files, each read and checked by itself, then those of one lane joined."""
    found = Gathered()
    parts: dict[Lane, list[Series]] = {}
    for file in files:
        tell(found.files)
        found.files += 1
        try:
            for sheet in read_file(file):
                found.formats[sheet.format] = found.formats.get(sheet.format, 0) + 1
                try:
                    looked = examined(sheet, wanted, now_ms)
                except HistoryError as error:
                    symbol = wanted.symbol or sheet.named.symbol
                    found.faults.append(Fault(sheet.source, symbol, str(error)))
                    continue
                found.faults += looked.faults
                found.notes += looked.notes
                for series in looked.series:
                    parts.setdefault(Lane(series.symbol, series.granularity), []).append(series)
        except HistoryError as error:
            found.faults.append(Fault(str(file), _named(file, wanted), str(error)))
    tell(found.files)
    for lane, series_of in parts.items():
        try:
            found.lanes[lane], repeated = joined(series_of)
            if repeated:
                text = f"{repeated} candles of {lane.symbol} are in several files: taken once"
                found.notes.append(Note(found.lanes[lane].source, text))
        except HistoryError as error:
            found.refuse(lane, f"{series_of[0].source} and {len(series_of) - 1} more", error)
    found.notes.sort(key=lambda note: note.minor)
    found.drop_refused()
    return found


def _named(file: Path, wanted: Wanted) -> str:
    try:
        return wanted.symbol or named(file.name).symbol
    except HistoryError:
        return ""


def derived(
    found: Gathered, there: Mapping[Lane, Present], also: Iterable[Granularity], out: Out
) -> dict[Lane, Series]:
    """Longer lanes out of each symbol's shortest one; what a file holds itself is not made."""
    shortest: dict[str, Lane] = {}
    for lane in found.lanes:
        known = shortest.get(lane.symbol)
        if known is None or interval_ms(lane.granularity) < interval_ms(known.granularity):
            shortest[lane.symbol] = lane
    made: dict[Lane, Series] = {}
    for lane in shortest.values():
        for granularity in also:
            target = Lane(lane.symbol, granularity)
            if target in found.lanes or interval_ms(granularity) <= interval_ms(lane.granularity):
                continue
            last_ms = out.get(lane.symbol, {}).get(granularity)
            series = longer(found.lanes[lane], there.get(lane), granularity, last_ms)
            if series is not None:
                made[target] = series
    return made


def planned(
    found: Gathered, there: Mapping[Lane, Present], *, record_missing: bool
) -> dict[Lane, Plan]:
    """What goes out of each lane; symbols that can't are refused as a whole."""
    plans: dict[Lane, Plan] = {}
    for lane, series in found.lanes.items():
        try:
            plans[lane] = plan(series, there.get(lane), record_missing=record_missing)
        except HistoryError as error:
            found.refuse(lane, f"{series.source} ({lane.granularity})", error)
    found.drop_refused()
    refused = found.refused
    return {lane: each for lane, each in plans.items() if lane.symbol not in refused}


def lines_of(plans: Mapping[Lane, Plan]) -> list[Iterator[Candle]]:
    """Each symbol's candles in the order in which ingest would publish them.

    By close, and among equal closes the longest first.
    """
    by_symbol: dict[str, list[Iterator[Candle]]] = {}
    for lane, each in sorted(plans.items()):
        candles = candles_from(each.series, each.next_ms)
        by_symbol.setdefault(lane.symbol, []).append(candles)
    return [heapq.merge(*lanes, key=_place) for lanes in by_symbol.values()]


def _place(candle: Candle) -> tuple[int, int]:
    return candle.close_ms, -interval_ms(candle.granularity)
