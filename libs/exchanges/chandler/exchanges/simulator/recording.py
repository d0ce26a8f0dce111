"""Recorded candles: read from Parquet or CSV, checked, kept as arrays; and coins made from them."""

import math
import random
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from chandler.core.granularity import DAY_MS, MINUTE_MS
from chandler.exchanges.simulator.config import SimulatorError

SLOT_MS = 5 * MINUTE_MS
SHIPPED = Path(__file__).parent / "data" / "candles-5m.parquet"
PRICES = ("open", "high", "low", "close")
COLUMNS = ("symbol", "open_time", *PRICES, "volume")
SYMBOL_PATTERN = "^[A-Z0-9]{2,30}$"
SIGNIFICANT_DIGITS = 5  # of the seeded coins' lowest price
DECIMALS_MAX = 12
SAMPLE = 7  # every seventh candle tells how many decimals the prices have


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
    origin_ms = pc.min(table["open_time"]).as_py() // DAY_MS * DAY_MS
    end_ms = pc.max(table["open_time"]).as_py() + SLOT_MS
    days = -(-(end_ms - origin_ms) // DAY_MS)
    slots = days * DAY_MS // SLOT_MS
    parts = sorted(_by_symbol(table), key=lambda part: (part[0] != "BTCUSDT", -part[2], part[0]))
    tapes = [_tape(symbol, rows, origin_ms, slots) for symbol, rows, _ in parts[:symbols]]
    recorded = len(tapes)
    for number in range(1, (symbols or 0) - recorded + 1):
        tapes.append(_coin(number, tapes[(number - 1) % recorded], seed))
    return Recording(origin_ms, slots, tapes)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise SimulatorError(f"{path}: expected a file with candles, found none: check the path")
    try:
        if path.suffix.lower() == ".csv":
            return pyarrow.csv.read_csv(path)
        return pyarrow.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        what = str(error).splitlines()[0]
        raise SimulatorError(f"{path}: expected Parquet or CSV (named .csv): {what}") from None


def _checked(path: Path, table: Any) -> Any:
    """The seven columns, typed, sorted by symbol and time, every value possible."""
    absent = [name for name in COLUMNS if name not in table.column_names]
    if absent:
        raise SimulatorError(
            f"{path}: no column {', '.join(absent)}: expected {', '.join(COLUMNS)}, "
            f"found {', '.join(map(str, table.column_names))}"
        )
    table = table.select(COLUMNS)
    if table.num_rows == 0:
        raise SimulatorError(f"{path}: no candles in it: expected at least one row")
    if pa.types.is_timestamp(table["open_time"].type):
        stamps = table["open_time"].cast(pa.timestamp("ms")).cast(pa.int64())
        table = table.set_column(1, "open_time", stamps)
    types = [pa.string(), pa.int64(), *[pa.float64()] * 5]
    for index, (name, kind) in enumerate(zip(COLUMNS, types, strict=True)):
        try:
            table = table.set_column(index, name, table[name].cast(kind))
        except pa.ArrowException as error:
            what = str(error).splitlines()[0]
            raise SimulatorError(f"{path}: column {name} doesn't hold {kind}: {what}") from None
        if table[name].null_count:
            empty = table[name].null_count
            raise SimulatorError(
                f"{path}: column {name} has {empty} empty or NaN values: fill them, or leave "
                "the rows out (a gap is a candle that the venue lacks)"
            )
    _check_times(path, table["open_time"])
    table = table.sort_by([("symbol", "ascending"), ("open_time", "ascending")]).combine_chunks()
    for what, wrong in _impossible(table):
        first = pc.index(wrong, True).as_py()
        if first >= 0:
            row = table.slice(first, 1).to_pylist()[0]
            raise SimulatorError(
                f"{path}: {what} in {pc.sum(wrong).as_py()} rows, first {row['symbol']} at "
                f"{row['open_time']}: correct them or leave them out"
            )
    return table


def _check_times(path: Path, times: Any) -> None:
    least, most = pc.min(times).as_py(), pc.max(times).as_py()
    for unit, wrong in (
        ("seconds: multiply by 1000", 0 < most < 10**11),
        ("microseconds: divide by 1000", least > 10**14),
        ("numbers before 1970: correct them", least < 0),
    ):
        if wrong:
            raise SimulatorError(f"{path}: expected open_time in ms, {least} looks like {unit}")
    off = pc.subtract(times, pc.multiply(pc.divide(times, SLOT_MS), SLOT_MS))
    if pc.any(pc.not_equal(off, 0)).as_py():
        raise SimulatorError(
            f"{path}: expected 5m candles, open_time in multiples of {SLOT_MS} ms, found others: "
            "resample to 5m first"
        )


def _impossible(table: Any) -> Iterator[tuple[str, Any]]:
    """Conditions that no candle fulfils, with the rows that do."""
    numbers = [table[name].combine_chunks() for name in (*PRICES, "volume")]
    opened, high, low, close, volume = numbers
    strange = pc.invert(pc.is_finite(volume))
    for price in numbers[:4]:
        strange = pc.or_(strange, pc.invert(pc.is_finite(price)))
    yield "a number that isn't finite", strange
    yield "a price of zero or less", pc.less_equal(pc.min_element_wise(*numbers[:4]), 0)
    yield "high < low", pc.less(high, low)
    yield "high < open or close", pc.less(high, pc.max_element_wise(opened, close))
    yield "low > open or close", pc.greater(low, pc.min_element_wise(opened, close))
    yield "a negative volume", pc.less(volume, 0)
    symbols, times = table["symbol"].combine_chunks(), table["open_time"].combine_chunks()
    named = pc.match_substring_regex(symbols, SYMBOL_PATTERN)
    yield "a symbol that isn't capital letters and digits", pc.invert(named)
    again = pc.and_(
        pc.equal(symbols.slice(1), symbols.slice(0, len(symbols) - 1)),
        pc.equal(times.slice(1), times.slice(0, len(times) - 1)),
    )
    yield "a second candle for the same symbol and open_time", again


def _by_symbol(table: Any) -> Iterator[tuple[str, Any, float]]:
    """(symbol, its rows, quote volume)"""
    turnover = pc.multiply(table["close"], table["volume"])
    start = 0
    for run in pc.value_counts(table["symbol"].combine_chunks()).to_pylist():
        count = run["counts"]
        traded = pc.sum(turnover.slice(start, count)).as_py()
        yield run["values"], table.slice(start, count), traded
        start += count


def _tape(symbol: str, rows: Any, origin_ms: int, slots: int) -> Tape:
    places = pc.divide(pc.subtract(rows["open_time"], origin_ms), SLOT_MS).to_pylist()
    columns = []
    for name in (*PRICES, "volume"):
        values = rows[name].to_pylist()
        if len(values) == slots:
            columns.append(array("d", values))
            continue
        column = array("d", [math.nan]) * slots
        for place, value in zip(places, values, strict=True):
            column[place] = value
        columns.append(column)
    opened, high, low, close, volume = columns
    sample = [x for column in columns[:4] for x in column[::SAMPLE] if x == x]
    decimals = max(map(_decimals, sample), default=_decimals(close[places[0]]))
    return Tape(symbol, opened, high, low, close, volume, decimals, places[0])


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
    tail = pa.array([1.0] * cut + [bend] * shift)
    prices = [pc.multiply(column, tail) for column in prices]
    if rng.random() < 0.5:
        opened, high, low, close = (pc.divide(1.0, column) for column in prices)
        prices = [opened, low, high, close]
    target = 10 ** rng.uniform(-2.0, 2.5)
    scale = target / pc.mean(_there(prices[3])).as_py()
    lowest = pc.min(_there(prices[2])).as_py() * scale
    decimals = max(SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(lowest)), 0)
    decimals = min(decimals, DECIMALS_MAX)
    prices = [pc.round(pc.multiply(column, scale), decimals) for column in prices]
    activity = rng.uniform(0.02, 0.4)
    spent = pc.multiply(_turned(source.volume, shift), _turned(source.close, shift))
    volume = pc.round(pc.divide(pc.multiply(spent, activity), prices[3]), 3)
    columns = [array("d", column.to_pylist()) for column in (*prices, volume)]
    opened, high, low, close, traded = columns
    first = next(index for index, price in enumerate(opened) if price == price)
    return Tape(f"SYN{number:03d}USDT", opened, high, low, close, traded, decimals, first)


def _turned(column: "array[float]", shift: int) -> Any:
    return pa.array(column[shift:] + column[:shift])


def _there(column: Any) -> Any:
    return column.filter(pc.invert(pc.is_nan(column)))
