"""Checks a file's rows symbol by symbol: a faulty symbol is named and the others go on.

Knows nothing of files and clocks: `now_ms` is an argument.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chandler.core.events import Symbol
from chandler.core.granularity import Granularity, interval_ms, parse_granularity, utc
from chandler.replay.history.impossible import check_values
from chandler.replay.history.names import SYMBOL, spelled
from chandler.replay.history.series import Series, typical_quote_volumes
from chandler.replay.history.sheet import PRICES, Fault, HistoryError, Integers, Note, Sheet
from chandler.replay.history.times import length_text, milliseconds, spacing

FUTURE_SLOTS_MAX = 1  # the slot that is forming
SURE = 4  # rows, from which on their distance says more than a person


class Wanted(NamedTuple):
    """What the person said of the files; empty: the files say it."""

    granularity: str = ""
    symbol: str = ""


class Examined(NamedTuple):
    """What can be taken of a file, what can't, and what was done to it."""

    series: list[Series]
    faults: list[Fault]
    notes: list[Note]


class _Tally:
    """Counts what was done to rows, over all symbols of a file."""

    def __init__(self) -> None:
        self.unsorted = self.repeated = self.repeated_in = self.unfinished = 0

    def notes(self, source: str) -> Iterator[Note]:
        if self.unsorted:
            yield Note(source, f"rows of {self.unsorted} symbols were not in order: sorted")
        if self.repeated:
            yield Note(
                source,
                f"{self.repeated} rows of {self.repeated_in} symbols were there again with the "
                "same values: dropped",
            )
        if self.unfinished:
            yield Note(
                source,
                f"the last candle of {self.unfinished} symbols is not over yet: left out",
            )


def examined(sheet: Sheet, wanted: Wanted, now_ms: int) -> Examined:
    """The series of a sheet, faults by symbol; HistoryError where all of it can't be used."""
    if not len(sheet.times):
        raise HistoryError("no candles in it: expected at least one row")
    opens, unit = milliseconds(sheet.times)
    granularity = _granularity(sheet, wanted, opens)
    tally = _Tally()
    series: list[Series] = []
    faults: list[Fault] = []
    for symbol, rows in _by_symbol(sheet, wanted):
        try:
            series.append(_series(sheet, symbol, granularity, opens, rows, now_ms, tally))
        except HistoryError as error:
            faults.append(Fault(sheet.source, symbol, str(error)))
    notes = []
    if unit != "milliseconds":
        notes.append(Note(sheet.source, f"its times are {unit}: converted to milliseconds"))
    notes += tally.notes(sheet.source)
    if sheet.quote_volume is None and series:
        notes.append(Note(sheet.source, "no quote volume: made of volume and prices", minor=True))
    return Examined([each for each in series if len(each.open_ms)], faults, notes)


def _granularity(sheet: Sheet, wanted: Wanted, opens: Integers) -> Granularity:
    """What was said, else what the name says, else what the rows' distance says."""
    apart = spacing(opens, sheet.codes)
    if wanted.granularity:
        said = spelled(wanted.granularity)
        if isinstance(apart, str) and interval_ms(apart) > interval_ms(said) and len(opens) >= SURE:
            raise HistoryError(
                f"--granularity says {said}, its rows are {apart} apart: these are {apart} "
                "candles, leave the option out"
            )
        return said
    if not sheet.named.granularity:
        if apart is None:
            raise HistoryError("one row tells no granularity: give --granularity 5m")
        if isinstance(apart, int):
            raise HistoryError(
                f"its rows are {length_text(apart)} apart, which is no granularity here: get "
                "candles of another one, or give --granularity if there are holes"
            )
        return parse_granularity(apart)
    granularity = spelled(sheet.named.granularity)
    if apart not in (None, granularity):
        found = length_text(apart) if isinstance(apart, int) else apart
        raise HistoryError(
            f"its name says {granularity}, its rows are {found} apart: give --granularity if "
            "there are holes, else correct the name"
        )
    return granularity


def _by_symbol(sheet: Sheet, wanted: Wanted) -> Iterator[tuple[str, Integers]]:
    """Each symbol with the places of its rows, in the file's order."""
    if not len(sheet.codes):
        symbol = wanted.symbol or sheet.named.symbol
        if not symbol:
            raise HistoryError(
                "neither a column nor its name says the symbol: give --symbol BTCUSDT, or name "
                "the file BTCUSDT-5m.csv"
            )
        yield symbol, np.arange(len(sheet.times))
        return
    order = np.argsort(sheet.codes, kind="stable")
    cuts = np.searchsorted(sheet.codes[order], np.arange(len(sheet.symbols) + 1))
    found = False
    for place, symbol in enumerate(sheet.symbols):
        rows = order[cuts[place] : cuts[place + 1]]
        if len(rows) and wanted.symbol in ("", symbol):
            found = True
            yield symbol, rows
    if not found:
        shown = " ".join(sheet.symbols[:8]) + (" …" if len(sheet.symbols) > 8 else "")
        raise HistoryError(f"no row of {wanted.symbol}: it has {shown}, give one of them")


def _series(
    sheet: Sheet,
    symbol: str,
    granularity: Granularity,
    opens: Integers,
    rows: Integers,
    now_ms: int,
    tally: _Tally,
) -> Series:
    """One symbol's rows, sorted and checked; HistoryError."""
    if SYMBOL.fullmatch(symbol) is None:
        raise HistoryError(
            "not a symbol as the venue writes it: expected capital letters and digits such as "
            "BTCUSDT, correct the column"
        )
    times = opens[rows]
    _check_read(sheet, opens, rows)
    _check_grid(times, granularity)
    columns = [column[rows] for column in (*sheet.prices, sheet.volume)]
    if sheet.quote_volume is None:
        columns.append(typical_quote_volumes(*columns[1:5]))
    else:
        columns.append(sheet.quote_volume[rows])
    values = np.column_stack(columns) + 0.0  # a negative zero would be another candle by its hash
    if (np.diff(times) < 0).any():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        tally.unsorted += 1
    times, values = _finished(times, values, granularity, now_ms, tally)
    times, values, repeated = once(times, values)
    tally.repeated += repeated
    tally.repeated_in += repeated > 0
    check_values(times, values)
    typical = sheet.quote_volume is None
    return Series(sheet.source, Symbol(symbol), granularity, times, values, typical)


def _check_read(sheet: Sheet, opens: Integers, rows: Integers) -> None:
    for column, places, texts, expected in sheet.unread:
        mine = np.flatnonzero(np.isin(places, rows))
        if not len(mine):
            continue
        row, text = int(places[mine[0]]), texts[mine[0]]
        at = "" if column == "time" else f" ({utc(int(opens[row]))})"
        more = f" and {len(mine) - 1} more" if len(mine) > 1 else ""
        raise HistoryError(
            f"column {column} has {text!r} in row {row + 1}{at}{more}: expected {expected}, "
            "correct it or leave the row out"
        )


def _check_grid(times: Integers, granularity: Granularity) -> None:
    interval = interval_ms(granularity)
    off = times % interval != 0
    if not off.any():
        return
    first = int(times[off][0])
    if (times[off] % interval == interval - 1).all() and off.all():
        raise HistoryError(
            f"its times end in …999, as {first}: these are close times, expected open times: "
            "subtract the interval and add 1 ms"
        )
    raise HistoryError(
        f"{int(off.sum())} of {len(times)} times are off the grid of {granularity}, the first "
        f"{utc(first)} ({first}): expected multiples of {interval} ms, give another --granularity "
        "or correct them"
    )


def _finished(
    times: Integers,
    values: npt.NDArray[np.float64],
    granularity: Granularity,
    now_ms: int,
    tally: _Tally,
) -> tuple[Integers, npt.NDArray[np.float64]]:
    """Without the slot that is not over; HistoryError where more are of the future."""
    future = times + interval_ms(granularity) > now_ms
    slots = len(np.unique(times[future]))
    if slots > FUTURE_SLOTS_MAX:
        raise HistoryError(
            f"{slots} candles are of the future, the first {utc(int(times[future][0]))}: now it "
            f"is {utc(now_ms - now_ms % 1000)} UTC, correct the times or the clock"
        )
    if slots:
        tally.unfinished += 1
        times, values = times[~future], values[~future]
    return times, values


def once(
    times: Integers, values: npt.NDArray[np.float64]
) -> tuple[Integers, npt.NDArray[np.float64], int]:
    """Each slot once, and how many rows were dropped; HistoryError where two differ.

    `times` ascend.
    """
    again = np.diff(times) == 0
    if not again.any():
        return times, values, 0
    differ = again & ~np.isclose(values[1:], values[:-1], rtol=0, atol=0, equal_nan=True).all(1)
    if differ.any():
        place = int(np.flatnonzero(differ)[0])
        raise HistoryError(
            f"{int(differ.sum())} candles are there twice with other values, the first "
            f"{utc(int(times[place]))}: {shown(values[place])} and {shown(values[place + 1])}: "
            "keep the right ones"
        )
    kept = np.concatenate(([True], ~again))
    return times[kept], values[kept], int(again.sum())


def shown(row: npt.NDArray[np.float64]) -> str:
    """A candle's values for people: open 1.0 high 2.0 low 0.5 close 1.5 volume 3.0."""
    names = (*PRICES, "volume", "quote volume")
    return " ".join(f"{name} {value!r}" for name, value in zip(names, row.tolist(), strict=True))
