"""A part: a stretch of one partition's records as columns, grouped by symbol; a Parquet file.

Parts of a partition form a chain: each names the last record before it by a fingerprint of its
bytes, so that no part of a topic that was made anew can follow one of its predecessor.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chandler.streams.columns.decoding import Columns, Rows

START = "0" * 16  # the fingerprint before a partition's first part
TEMPORARY = ".tmp"
_NAME = re.compile(r"(\d{19})-(\d{19})\.([0-9a-f]{16})\.([0-9a-f]{16})\.parquet")
_HEAD = b"chandler"
_SUM = b"chandler-sum"


class Name(NamedTuple):
    """What a part's file name says."""

    begin: int  # first offset that it covers
    end: int  # behind its last record
    previous: str  # fingerprint of the last record before it, or START
    last: str  # fingerprint of its last record, at end - 1

    def __str__(self) -> str:
        return f"{self.begin:019d}-{self.end:019d}.{self.previous}.{self.last}.parquet"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a part's file beside its columns."""

    name: str
    groups: list[tuple[str, int]]  # symbol and its rows, in the order of the rows
    texts: list[str]  # codes of text columns are places in it, from 1
    newest_ms: int  # greatest CreateTime of its records


class Part(NamedTuple):
    """Columns, grouped by symbol; each group in the order of offsets. Always with `offset`."""

    name: Name
    head: Head
    columns: Columns


class CorruptPartError(Exception):
    """A file isn't what a part's file has to be."""


def parsed(file_name: str) -> Name | None:
    """The name of a part; None if it is none."""
    found = _NAME.fullmatch(file_name)
    if not found:
        return None
    begin, end, previous, last = found.groups()
    return Name(int(begin), int(end), previous, last)


def fingerprint(record: Any) -> str:
    """Names a fetched record by its place, time, key and value: 16 hex digits."""
    place = f"{record.offset} {record.timestamp} {len(record.key or b'')} ".encode()
    whole = place + (record.key or b"") + (record.value or b"")
    return hashlib.blake2b(whole, digest_size=8).hexdigest()


def chained(names: Iterable[Name]) -> list[Name]:
    """The longest stretch of parts that follow each other from a START."""
    following: dict[tuple[int, str], Name] = {}
    for name in sorted(names, key=lambda name: name.end):
        following[name.begin, name.previous] = name  # of several the longest
    best: list[Name] = []
    for first in following.values():
        chain = [first] if first.previous == START else []
        while chain and (after := following.get((chain[-1].end, chain[-1].last))):
            chain.append(after)
        best = max(best, chain, key=len_of)
    return best


def len_of(chain: Sequence[Name]) -> int:
    """Offsets that a chain covers."""
    return chain[-1].end - chain[0].begin if chain else 0


def part(name: Name, chunks: Sequence[Rows], newest_ms: int) -> Part:
    """One part of what was decoded, in the order of offsets."""
    groups = [group for chunk in chunks for group in chunk.groups]
    texts, columns = joined([(chunk.columns, chunk.texts) for chunk in chunks])
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(group, len(numbers)) for group in groups], np.int32)
    return _grouped(name, list(numbers), codes, columns, texts, newest_ms)


def merged(parts: Sequence[Part]) -> Part:
    """One part in place of several that follow each other."""
    first, last = parts[0].name, parts[-1].name
    name = Name(first.begin, last.end, first.previous, last.last)
    texts, columns = joined([(each.columns, each.head.texts) for each in parts])
    numbers: dict[str, int] = {}
    codes = [
        np.full(rows, numbers.setdefault(group, len(numbers)), np.int32)
        for each in parts
        for group, rows in each.head.groups
    ]
    newest_ms = max(each.head.newest_ms for each in parts)
    return _grouped(name, list(numbers), np.concatenate(codes), columns, texts, newest_ms)


def joined(pieces: Sequence[tuple[Columns, Sequence[str]]]) -> tuple[list[str], Columns]:
    """Columns one after the other, with the codes of their texts as places in one list."""
    texts: list[str] = []
    shifted: list[Columns] = []
    for columns, own in pieces:
        if own and texts:
            columns = {
                name: np.where(values > 0, values + np.int32(len(texts)), 0).astype(np.int32)
                if name.endswith("_text")
                else values
                for name, values in columns.items()
            }
        shifted.append(columns)
        texts += own
    names = pieces[0][0]
    return texts, {name: np.concatenate([each[name] for each in shifted]) for name in names}


def _grouped(
    name: Name, groups: list[str], codes: Any, columns: Columns, texts: list[str], newest_ms: int
) -> Part:
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=len(groups))
    head = Head(
        name=str(name),
        groups=[(group, int(rows)) for group, rows in zip(groups, counts, strict=True)],
        texts=texts,
        newest_ms=newest_ms,
    )
    return Part(name, head, {column: values[order] for column, values in columns.items()})


def write_part(folder: Path, written: Part) -> None:
    """Writes the file: another reader sees all of it, or nothing. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    head = msgspec.json.encode(written.head)
    table = pa.table(dict(written.columns)).replace_schema_metadata({_HEAD: head, _SUM: _sum(head)})
    handle, path = tempfile.mkstemp(suffix=TEMPORARY, dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            pq.write_table(
                table,
                file,
                compression="lz4",
                use_dictionary=False,
                write_statistics=False,
                write_page_checksum=True,
                row_group_size=max(1, len(table)),
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(path, folder / str(written.name))
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise
    _sync(folder)


def read_part(folder: Path, name: Name, columns: Sequence[str]) -> Part:
    """The part with these columns. FileNotFoundError; CorruptPartError."""
    try:
        with pq.ParquetFile(
            folder / str(name), memory_map=True, page_checksum_verification=True
        ) as file:
            found = file.schema_arrow.metadata or {}
            head_bytes = found.get(_HEAD, b"")
            if found.get(_SUM) != _sum(head_bytes):
                raise CorruptPartError("its head has another sum than it says")
            head = msgspec.json.decode(head_bytes, type=Head)
            table = file.read(list(columns))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException, msgspec.DecodeError) as error:
        raise CorruptPartError(str(error).split("\n")[0]) from None
    if head.name != str(name) or sum(rows for _, rows in head.groups) != len(table):
        raise CorruptPartError("its head is of another file")
    if table.column_names != list(columns):
        raise CorruptPartError(f"it has the columns {', '.join(table.column_names)}")
    read = {each: table.column(each).to_numpy() for each in columns}
    return Part(name, head, read)


def _sum(head: bytes) -> bytes:
    return hashlib.blake2b(head, digest_size=16).hexdigest().encode()


def _sync(folder: Path) -> None:
    """Makes the new name survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
