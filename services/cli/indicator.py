"""`indicator "rsi(14)" FILE`: any indicator over a file of candles, to hold against a chart."""

import csv
import datetime
import itertools
import json as json_text
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from chandler.core.indicators import Bars, Indicator, parse_indicator
from chandler.core.indicators.compute import history

UTC = datetime.UTC
TABLE_ROWS = 40  # on a terminal, unless --last says otherwise
NAMES: dict[str, tuple[str, ...]] = {
    "time": ("open_time", "open_ms", "opentime", "time", "timestamp", "datetime", "date", "ts"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "base_volume", "basevolume"),
}
SYMBOL_NAMES = ("symbol", "pair", "instrument", "ticker")


def indicator(
    expression: Annotated[str, typer.Argument(help='Such as "rsi(14)" or "macd(12,26,9)".')],
    file: Annotated[Path, typer.Argument(help="CSV or Parquet with candles, oldest first or not.")],
    symbol: Annotated[str | None, typer.Option(help="Which one, if the file has several.")] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only the newest N values.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each candle.")] = False,
) -> None:
    """Compute any indicator over a CSV or Parquet file and print time and value.

    The file has a time (ISO, or Unix seconds, ms, us), open, high, low, close, volume and perhaps
    symbol. A time is the candle's open, UTC. Before the first value a candle has none.
    """
    try:
        asked = parse_indicator(expression)
        bars = read_bars(file, symbol)
        values = history(asked, bars)
    except ValueError as error:
        typer.echo(f"chandler: {error}", err=True)
        raise typer.Exit(2) from None
    for line in holes(bars.open_ms):
        typer.echo(f"chandler: {file.name}: {line}", err=True)
    rows = list(zip(bars.open_ms, values, strict=True))
    terminal = sys.stdout.isatty()
    if last is not None or (terminal and not json):
        rows = rows[-(last or TABLE_ROWS) :]
    if json:
        _print_json(asked, rows)
    elif terminal:
        _print_table(asked, rows, len(values))
    else:
        _print_csv(asked, rows)


def read_bars(file: Path, symbol: str | None) -> Bars:
    """The candles of one symbol in a file, oldest first; ValueError says what is wrong."""
    columns = _columns(file)
    found = {name: _find(columns, names) for name, names in NAMES.items()}
    absent = [name for name, column in found.items() if column is None]
    if absent:
        raise ValueError(
            f"{file.name} has no column {' or '.join(absent)}: expected time, open, high, low, "
            f"close, volume, found {' '.join(columns) or 'nothing'}"
        )
    keep = _rows_of(file, columns, symbol)
    times = [_open_ms(file, columns[str(found["time"])][i]) for i in keep]
    numbers = {
        name: [_number(file, name, columns[str(found[name])][i]) for i in keep]
        for name in ("open", "high", "low", "close", "volume")
    }
    order = sorted(range(len(times)), key=times.__getitem__)
    times = [times[i] for i in order]
    for before, after in itertools.pairwise(times):
        if before == after:
            raise ValueError(f"{file.name} has two candles at {_iso(after)}: expected one")
    return Bars(times, **{name: [column[i] for i in order] for name, column in numbers.items()})


def holes(open_ms: Sequence[int]) -> list[str]:
    """A line where candles are missing: what comes after a hole isn't what a chart shows."""
    steps = [after - before for before, after in itertools.pairwise(open_ms)]
    if not steps:
        return []
    interval = min(steps)
    wide = [i for i, step in enumerate(steps) if step != interval]
    if not wide:
        return []
    missing = sum(steps[i] // interval - 1 for i in wide)
    return [
        f"{missing} candles are missing, the first after "
        f"{_iso(open_ms[wide[0]])}: values from there on are those of a series without them"
    ]


def _columns(file: Path) -> dict[str, list[Any]]:
    """All columns by their lower-case names."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if not file.is_file():
        raise ValueError(f"no file {file}: expected a CSV or Parquet file with candles")
    try:
        with file.open("rb") as opened:
            is_parquet = opened.read(4) == b"PAR1"
        table = pa.parquet.read_table(file) if is_parquet else pa.csv.read_csv(file)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{file.name} can't be read as CSV or Parquet: {reason}") from None
    return {
        str(name).strip().lower(): table.column(i).to_pylist()
        for i, name in enumerate(table.column_names)
    }


def _find(columns: dict[str, list[Any]], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in columns), None)


def _rows_of(file: Path, columns: dict[str, list[Any]], symbol: str | None) -> list[int]:
    name = _find(columns, SYMBOL_NAMES)
    rows = len(next(iter(columns.values())))
    if rows == 0:
        raise ValueError(f"{file.name} has no rows: expected candles")
    if name is None:
        return list(range(rows))
    there = list(dict.fromkeys(columns[name]))
    if symbol is None and len(there) > 1:
        shown = " ".join(map(str, there[:8])) + (" …" if len(there) > 8 else "")
        raise ValueError(f"{file.name} has {len(there)} symbols ({shown}): say which with --symbol")
    keep = [i for i, one in enumerate(columns[name]) if symbol is None or one == symbol]
    if not keep:
        shown = " ".join(map(str, there[:8])) + (" …" if len(there) > 8 else "")
        raise ValueError(f"{file.name} has no symbol {symbol}: it has {shown}")
    return keep


def _number(file: Path, name: str, cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise ValueError(f"{file.name}: expected a number in {name}, found {cell!r}") from None


def _open_ms(file: Path, cell: Any) -> int:
    """A time as Unix ms: from a date, ISO text, or seconds, ms, us by their size."""
    if isinstance(cell, str):
        try:
            cell = float(cell) if cell.replace(".", "", 1).isdigit() else _parsed(cell)
        except ValueError:
            raise ValueError(
                f"{file.name}: expected a time in ISO form or Unix ms, found {cell!r}"
            ) from None
    if isinstance(cell, datetime.date) and not isinstance(cell, datetime.datetime):
        cell = datetime.datetime(cell.year, cell.month, cell.day)
    if isinstance(cell, datetime.datetime):
        moment = cell if cell.tzinfo else cell.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1_000)
    if not isinstance(cell, int | float) or not 0 <= cell < 1e17:
        raise ValueError(f"{file.name}: expected a time, found {cell!r}")
    if cell < 1e11:
        return round(cell * 1_000)
    return round(cell) if cell < 1e14 else round(cell / 1_000)


def _parsed(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.strip())


def _iso(open_ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(open_ms / 1_000, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _names(asked: Indicator) -> list[str]:
    return [f"{asked.key}.{field}" for field in asked.fields] or [asked.key]


def _cells(asked: Indicator, value: Any) -> list[float | None]:
    if value is None:
        return [None] * len(_names(asked))
    return list(value) if asked.fields else [value]


def _print_json(asked: Indicator, rows: list[tuple[int, Any]]) -> None:
    for open_ms, value in rows:
        named = dict(zip(_names(asked), _cells(asked, value), strict=True))
        print(json_text.dumps({"open_ms": open_ms, "time": _iso(open_ms), **named}))


def _print_csv(asked: Indicator, rows: list[tuple[int, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["time", *_names(asked)])
    for open_ms, value in rows:
        cells = _cells(asked, value)
        writer.writerow([_iso(open_ms), *("" if cell is None else repr(cell) for cell in cells)])


def _print_table(asked: Indicator, rows: list[tuple[int, Any]], total: int) -> None:
    caption = f"{len(rows)} of {total} candles; all of them: --last {total}, or a pipe"
    table = Table(title=asked.key, caption=caption)
    table.add_column("open time (UTC)", no_wrap=True)
    for name in asked.fields or ("value",):
        table.add_column(name, justify="right")
    for open_ms, value in rows:
        cells = ["–" if cell is None else f"{cell:.8g}" for cell in _cells(asked, value)]
        table.add_row(_iso(open_ms), *cells)
    Console().print(table)
