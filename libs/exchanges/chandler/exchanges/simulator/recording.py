"""Recorded candles: read from CSV or Parquet, checked, kept as arrays; and coins made from them."""

import csv
import gzip
import math
import random
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chandler.core.granularity import DAY_MS, MINUTE_MS
from chandler.exchanges.simulator.config import SimulatorError

SLOT_MS = 5 * MINUTE_MS
SHIPPED = Path(__file__).parent / "data" / "candles-5m.csv.gz"
PRICES = ("open", "high", "low", "close")
COLUMNS = ("symbol", "open_time", *PRICES, "volume")
SYMBOL_PATTERN = "[A-Z0-9]{2,30}"
SIGNIFICANT_DIGITS = 5  # of the seeded coins' lowest price
DECIMALS_MAX = 12
SAMPLE = 7  # every seventh candle tells how many decimals the prices have
NOTHING = ("", "nan", "NaN", "null", "NULL")  # cells of a CSV that hold no number

Table = dict[str, Any]  # column → a numpy array


class Tape(NamedTuple):
    """One symbol's recorded 5m candles, by slot from the recording's origin; NaN: not there."""

    symbol: str
    open: "array[float]"
    high: "array[float]"
    low: "array[float]"
    close: "array[float]"
    volume: "array[float]"
    decimals: int  # of its prices
    first: int  # the first slot that is there


class Recording(NamedTuple):
    """All symbols, the most traded first (Bitcoin before all), over the same whole days."""

    origin_ms: int  # 00:00 UTC of the first day
    slots: int  # 5m slots of each tape, a multiple of a day's
    tapes: list[Tape]

    @property
    def length_ms(self) -> int:
        return self.slots * SLOT_MS


def read_recording(path: Path, symbols: int | None, seed: int) -> Recording:
    """The first `symbols` of the file (None: all); beyond them seeded coins named SYN001USDT….

    SimulatorError says in one line what is wrong with the file.
    """
    table = _checked(path, _read(path))
    times = table["open_time"]
    origin_ms = int(times.min()) // DAY_MS * DAY_MS
    days = -(-(int(times.max()) + SLOT_MS - origin_ms) // DAY_MS)
    slots = days * DAY_MS // SLOT_MS
    parts = sorted(_by_symbol(table), key=lambda part: (part[0] != "BTCUSDT", -part[2], part[0]))
    tapes = [_tape(symbol, rows, origin_ms, slots) for symbol, rows, _ in parts[:symbols]]
    recorded = len(tapes)
    for number in range(1, (symbols or 0) - recorded + 1):
        tapes.append(_coin(number, tapes[(number - 1) % recorded], seed))
    return Recording(origin_ms, slots, tapes)


def _read(path: Path) -> Table:
    """The columns as they stand there: texts of a CSV, whatever a Parquet file holds."""
    if not path.is_file():
        raise SimulatorError(f"{path}: expected a file with candles, found none: check the path")
    try:
        if path.name.lower().endswith((".csv", ".csv.gz")):
            return _read_csv(path)
        return _read_parquet(path)
    except (ValueError, OSError, EOFError, csv.Error) as error:
        what = " ".join(str(error).splitlines()[:1])
        raise SimulatorError(
            f"{path}: expected Parquet or CSV (named .csv or .csv.gz): {what}"
        ) from None


def _read_csv(path: Path) -> Table:
    packed = path.suffix.lower() == ".gz"
    with gzip.open(path, "rt", newline="") if packed else path.open(newline="") as file:
        rows = csv.reader(file)
        names = next(rows, None)
        if names is None:
            raise ValueError("there is nothing in it")
        cells = [row for row in rows if row]
    wrong = next((row for row in cells if len(row) != len(names)), None)
    if wrong is not None:
        raise ValueError(f"expected {len(names)} values in each row, found {','.join(wrong)}")
    columns = zip(*cells, strict=True) if cells else [()] * len(names)
    return {name: np.array(column) for name, column in zip(names, columns, strict=True)}


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise SimulatorError(
            f"{path}: Parquet needs pyarrow, which is not installed: convert the file to CSV, or "
            "use the image for backtests"
        ) from None
    table = pyarrow.parquet.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names if name in COLUMNS} | {
        name: np.array(()) for name in table.column_names if name not in COLUMNS
    }


def _checked(path: Path, table: Table) -> Table:
    """The seven columns, typed, sorted by symbol and time, every value possible."""
    absent = [name for name in COLUMNS if name not in table]
    if absent:
        raise SimulatorError(
            f"{path}: no column {', '.join(absent)}: expected {', '.join(COLUMNS)}, "
            f"found {', '.join(map(str, table))}"
        )
    if len(table["symbol"]) == 0:
        raise SimulatorError(f"{path}: no candles in it: expected at least one row")
    typed: Table = {"symbol": table["symbol"].astype(str)}
    for name in COLUMNS[1:]:
        try:
            numbers = _times(table[name]) if name == "open_time" else _numbers(table[name])
        except (ValueError, TypeError) as error:
            what, kind = str(error), "int64" if name == "open_time" else "double"
            raise SimulatorError(f"{path}: column {name} doesn't hold {kind}: {what}") from None
        empty = int(np.isnan(numbers).sum())
        if empty:
            raise SimulatorError(
                f"{path}: column {name} has {empty} empty or NaN values: fill them, or leave "
                "the rows out (a gap is a candle that the venue lacks)"
            )
        typed[name] = numbers.astype(np.int64) if name == "open_time" else numbers
    _check_times(path, typed["open_time"])
    order = np.lexsort((typed["open_time"], typed["symbol"]))
    typed = {name: column[order] for name, column in typed.items()}
    for what, wrong in _impossible(typed):
        if wrong.any():
            first = int(wrong.argmax())
            raise SimulatorError(
                f"{path}: {what} in {int(wrong.sum())} rows, first {typed['symbol'][first]} at "
                f"{typed['open_time'][first]}: correct them or leave them out"
            )
    return typed


def _numbers(cells: Any) -> Any:
    """Floats, NaN where there is nothing; ValueError names what isn't a number."""
    if cells.dtype.kind == "U":
        cells = np.where(np.isin(cells, NOTHING), "nan", cells)
    return cells.astype(np.float64)


def _times(cells: Any) -> Any:
    """Milliseconds, as floats: below 2**53 they are exact, and NaN is nothing."""
    if cells.dtype.kind == "U" and re.match(r"\d{4}-\d\d", cells[0]):
        cells = np.char.rstrip(cells, "Z").astype("datetime64[ms]")
    if cells.dtype.kind == "M":
        return cells.astype("datetime64[ms]").astype(np.float64)
    numbers = _numbers(cells)
    broken = numbers[numbers != np.floor(numbers)]
    if len(broken) and not np.isnan(broken).all():
        raise ValueError(f"{broken[~np.isnan(broken)][0]} isn't whole")
    return numbers


def _check_times(path: Path, times: Any) -> None:
    least, most = int(times.min()), int(times.max())
    for unit, wrong in (
        ("seconds: multiply by 1000", 0 < most < 10**11),
        ("microseconds: divide by 1000", least > 10**14),
        ("numbers before 1970: correct them", least < 0),
    ):
        if wrong:
            raise SimulatorError(f"{path}: expected open_time in ms, {least} looks like {unit}")
    if (times % SLOT_MS).any():
        raise SimulatorError(
            f"{path}: expected 5m candles, open_time in multiples of {SLOT_MS} ms, found others: "
            "resample to 5m first"
        )


def _impossible(table: Table) -> Iterator[tuple[str, Any]]:
    """Conditions that no candle fulfils, with the rows that do."""
    opened, high, low, close, volume = numbers = [table[name] for name in COLUMNS[2:]]
    yield "a number that isn't finite", ~np.isfinite(numbers).all(axis=0)
    yield "a price of zero or less", np.min(numbers[:4], axis=0) <= 0
    yield "high < low", high < low
    yield "high < open or close", high < np.maximum(opened, close)
    yield "low > open or close", low > np.minimum(opened, close)
    yield "a negative volume", volume < 0
    symbols, times = table["symbol"], table["open_time"]
    names = np.unique(symbols)
    strange = [name for name in names if not re.fullmatch(SYMBOL_PATTERN, name)]
    yield "a symbol that isn't capital letters and digits", np.isin(symbols, strange)
    again = (symbols[1:] == symbols[:-1]) & (times[1:] == times[:-1])
    yield "a second candle for the same symbol and open_time", np.append(again, False)


def _by_symbol(table: Table) -> Iterator[tuple[str, Table, float]]:
    """(symbol, its rows, quote volume)"""
    turnover = table["close"] * table["volume"]
    names, starts = np.unique(table["symbol"], return_index=True)
    ends = [*starts[1:], len(turnover)]
    for name, start, end in zip(names, starts, ends, strict=True):
        rows = {column: values[start:end] for column, values in table.items()}
        yield str(name), rows, float(turnover[start:end].sum())


def _tape(symbol: str, rows: Table, origin_ms: int, slots: int) -> Tape:
    places = (rows["open_time"] - origin_ms) // SLOT_MS
    columns = []
    for name in COLUMNS[2:]:
        column = np.full(slots, math.nan)
        column[places] = rows[name]
        columns.append(_kept(column))
    opened, high, low, close, volume = columns
    sample = [x for column in columns[:4] for x in column[::SAMPLE] if x == x]
    first = int(places[0])
    decimals = max(map(_decimals, sample), default=_decimals(close[first]))
    return Tape(symbol, opened, high, low, close, volume, decimals, first)


def _kept(column: Any) -> "array[float]":
    kept = array("d")
    kept.frombytes(column.tobytes())
    return kept


def _decimals(price: float) -> int:
    digits, _, exponent = repr(price).partition("e")
    fraction = digits.partition(".")[2].rstrip("0")
    return min(max(len(fraction) - int(exponent or 0), 0), DECIMALS_MAX)


def _coin(number: int, source: Tape, seed: int) -> Tape:
    """A coin that never was: a recorded one from another day on, at times upside down, rescaled.

    The join of end and beginning is bent together, so that the price doesn't jump there.
    """
    rng = random.Random(f"{seed}|coin|{number}")
    day = DAY_MS // SLOT_MS
    days = len(source.open) // day
    shift = rng.randrange(1, days) * day if days > 1 else 0
    prices = [_turned(column, shift) for column in source[1:5]]
    cut = len(source.open) - shift
    ends = [x for x in source.close if x == x]
    bend = ends[-1] / source.open[source.first] if shift else 1.0
    prices = [np.append(column[:cut], column[cut:] * bend) for column in prices]
    if rng.random() < 0.5:
        opened, high, low, close = (1.0 / column for column in prices)
        prices = [opened, low, high, close]
    target = 10 ** rng.uniform(-2.0, 2.5)
    scale = target / float(np.nanmean(prices[3]))
    lowest = float(np.nanmin(prices[2])) * scale
    decimals = max(SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(lowest)), 0)
    decimals = min(decimals, DECIMALS_MAX)
    prices = [np.round(column * scale, decimals) for column in prices]
    activity = rng.uniform(0.02, 0.4)
    spent = _turned(source.volume, shift) * _turned(source.close, shift)
    volume = np.round(spent * activity / prices[3], 3)
    opened, high, low, close, traded = (_kept(column) for column in (*prices, volume))
    first = next(index for index, price in enumerate(opened) if price == price)
    return Tape(f"SYN{number:03d}USDT", opened, high, low, close, traded, decimals, first)


def _turned(column: Sequence[float], shift: int) -> Any:
    return np.roll(column, -shift)
