"""Candle files of any known format as sheets: what a file is, its content says, not its name."""

import gzip
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet

from chandler.replay.history.layout import (
    HEAD_BYTES,
    Kind,
    columns_by_name,
    columns_by_place,
    dialect,
    kind_of,
    said_by,
)
from chandler.replay.history.names import named
from chandler.replay.history.sheet import PRICES, HistoryError, Integers, Sheet, Unread
from services.history.cells import as_floats
from services.history.times import as_integers

UNPACKED_BYTES_MAX = 2 << 30  # of one member of a zip or gzip

Columns = dict[str, Any]  # role → an Arrow array


def read_file(path: Path) -> Iterator[Sheet]:
    """The sheets of a file: one, or one for each member of a zip; HistoryError says why not."""
    if path.is_dir():
        raise HistoryError("it is a folder: expected files, give FOLDER/*")
    if not path.is_file():
        raise HistoryError("there is no such file: expected candles, check the path")
    if not path.stat().st_size:
        raise HistoryError("it is empty: expected at least one candle")
    try:
        with pa.memory_map(str(path)) as mapped:
            yield from _sheets(mapped.read_buffer(), str(path), path.name, packed=False)
    except (pa.ArrowException, OSError, zipfile.BadZipFile) as error:
        raise HistoryError(f"it can't be read: {_first_line(error)}") from None


def _sheets(content: Any, source: str, name: str, *, packed: bool) -> Iterator[Sheet]:
    head = content[:HEAD_BYTES].to_pybytes()
    kind = kind_of(head)
    said = said_by(name)
    if not kind:
        raise HistoryError(
            f"it is something else{f', no {said} file as its name says' if said else ''}: expected "
            "Parquet, Feather or Arrow, CSV, JSON, or a zip of these"
        )
    if kind in ("zip", "gzip") and packed:
        raise HistoryError(f"a {kind} inside of a packed file: unpack it first")
    if kind == "zip":
        yield from _unzipped(content, source, name)
        return
    if kind == "gzip":
        with gzip.GzipFile(fileobj=pa.BufferReader(content)) as packed_file:
            plain = packed_file.read(UNPACKED_BYTES_MAX + 1)
        _check_size(len(plain))
        yield from _sheets(pa.py_buffer(plain), source, name, packed=True)
        return
    try:
        columns = _columns(kind, content)
    except HistoryError:
        if kind not in ("text", "JSON") or said in ("", kind):
            raise
        begins = head[:20].decode(errors="replace").strip()
        raise HistoryError(
            f"it is not a {said} file, though its name says so: it begins with {begins!r}, get it "
            "again or name it by what it is"
        ) from None
    yield _sheet(kind, columns, source, name)


def _unzipped(content: Any, source: str, name: str) -> Iterator[Sheet]:
    with zipfile.ZipFile(pa.BufferReader(content)) as archive:
        members = [each for each in archive.infolist() if not each.is_dir()]
        if not members:
            raise HistoryError("a zip without files: expected candles in it")
        for member in members:
            _check_size(member.file_size)
            try:
                plain = archive.read(member)
            except RuntimeError as error:  # it needs a password
                raise HistoryError(f"{member.filename}: {_first_line(error)}") from None
            of = f"{source}:{member.filename}" if len(members) > 1 else source
            inside = member.filename if len(members) > 1 or any(named(member.filename)) else name
            yield from _sheets(pa.py_buffer(plain), of, inside, packed=True)


def _check_size(size: int) -> None:
    if size > UNPACKED_BYTES_MAX:
        raise HistoryError(f"more than {UNPACKED_BYTES_MAX >> 30} GiB unpacked: split it")


def _columns(kind: Kind, content: Any) -> Columns:
    if kind == "text":
        return _of_text(content)
    if kind == "JSON":
        return _of_json(content)
    if kind == "Parquet":
        table = pa.parquet.read_table(pa.BufferReader(content))
    elif kind == "Arrow":
        table = pa.ipc.open_file(content).read_all()
    else:
        table = pa.ipc.open_stream(content).read_all()
    places = columns_by_name([str(name) for name in table.column_names])
    return {role: table.column(place).combine_chunks() for role, place in places.items()}


def _of_text(content: Any) -> Columns:
    head = content[:HEAD_BYTES].to_pybytes().decode("utf-8-sig", errors="replace")
    written = dialect(head)
    place_of = columns_by_name if written.header else columns_by_place
    places = place_of(written.first)
    names = [f"c{place}" for place in range(len(written.first))]
    wanted = [names[place] for place in places.values()]
    table = pa.csv.read_csv(
        pa.BufferReader(content),
        pa.csv.ReadOptions(column_names=names, skip_rows=int(written.header)),
        pa.csv.ParseOptions(delimiter=written.delimiter),
        pa.csv.ConvertOptions(
            include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string())
        ),
    )
    return {role: table.column(names[place]).combine_chunks() for role, place in places.items()}


def _of_json(content: Any) -> Columns:
    """Rows as lists, as freqtrade writes them, or as objects."""
    try:
        rows = msgspec.json.decode(content.to_pybytes(), type=list[Any])
    except msgspec.MsgspecError as error:
        raise HistoryError(f"JSON, and no list of candles: {_first_line(error)}") from None
    if not rows:
        raise HistoryError("no candles in it: expected at least one row")
    if all(isinstance(row, dict) for row in rows):
        names = list(rows[0])
        places = columns_by_name(names)
        cells = [[row.get(names[place]) for row in rows] for place in places.values()]
    elif all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
        places = columns_by_place([str(cell) for cell in rows[0]])
        cells = [[row[place] for row in rows] for place in places.values()]
    else:
        raise HistoryError("JSON whose rows differ: expected lists of one length, or objects")
    return {
        role: pa.array([None if cell is None else str(cell) for cell in column], pa.string())
        for role, column in zip(places, cells, strict=True)
    }


def _sheet(kind: Kind, columns: Columns, source: str, name: str) -> Sheet:
    symbols, codes = _symbols(columns.get("symbol"))
    unread: list[Unread] = []
    times = as_integers(columns["time"], unread)
    opened, high, low, close = (as_floats(role, columns[role], unread) for role in PRICES)
    volume = as_floats("volume", columns["volume"], unread)
    quote = columns.get("quote_volume")
    return Sheet(
        source=source,
        format={"Arrow": "Feather", "text": "CSV"}.get(kind, kind),
        named=named(name),
        symbols=symbols,
        codes=codes,
        times=times,
        prices=(opened, high, low, close),
        volume=volume,
        quote_volume=None if quote is None else as_floats("quote_volume", quote, unread),
        unread=tuple(unread),
    )


def _symbols(column: Any) -> tuple[list[str], Integers]:
    if column is None:
        return [], np.empty(0, dtype=np.int64)
    text = column.cast(pa.string())
    if text.null_count:
        raise HistoryError(f"{text.null_count} rows have no symbol: fill the column")
    coded = text.dictionary_encode()
    codes: Integers = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return [str(name).strip() for name in coded.dictionary.to_pylist()], codes


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
