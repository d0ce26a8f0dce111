"""Parts of partitions put together: one series per symbol, each row newer than the one before."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chandler.streams.columns.decoding import OUT, UNDECODABLE, Columns
from chandler.streams.columns.fetching import Lane
from chandler.streams.columns.parts import Part, joined

Place = tuple[str, int]  # catalogue topic, partition


class Selection(NamedTuple):
    """What is asked for of topics."""

    symbols: frozenset[str] | None = None  # None: all
    from_ms: int | None = None  # event time of the first row, inclusive
    to_ms: int | None = None  # exclusive
    offsets: Mapping[Place, tuple[int, int]] | None = None  # from, to (exclusive); else all


class Piece(NamedTuple):
    """Rows of one group of a part, in the order of their offsets."""

    columns: Columns
    texts: list[str]
    rows: int


class Series(NamedTuple):
    """A symbol's rows, ascending by time."""

    symbol: str
    columns: Columns  # of the asked names; writable, and none of them shared
    texts: list[str]
    partition: NDArray[np.int32]
    dropped: int  # rows that were not newer than one before them


Pieces = dict[str, dict[int, list[Piece]]]  # group → partition → in order


def pieces(lanes: Sequence[Lane], names: Sequence[str], selection: Selection) -> Pieces:
    """The rows of every group that is asked for, those of no symbol included."""
    found: Pieces = {}
    for lane in lanes:
        limits = (selection.offsets or {}).get(lane.place)
        for each in lane.parts:
            for group, piece in _groups(each, names, limits):
                asked = selection.symbols is None or group in selection.symbols
                if (asked or group in (OUT, UNDECODABLE)) and piece.rows:
                    found.setdefault(group, {}).setdefault(lane.place[1], []).append(piece)
    return found


def _groups(
    each: Part, names: Sequence[str], limits: tuple[int, int] | None
) -> Iterator[tuple[str, Piece]]:
    first = 0
    for group, rows in each.head.groups:
        begin, end = first, first + rows
        first = end
        if limits is not None:
            offsets = each.columns["offset"][begin:end]
            low, high = np.searchsorted(offsets, np.array(limits))
            begin, end = begin + int(low), begin + int(high)
        columns = {name: each.columns[name][begin:end] for name in names}
        yield group, Piece(columns, each.head.texts, max(0, end - begin))


def count(found: Pieces, group: str) -> int:
    """The rows of a group."""
    return sum(piece.rows for parts in found.get(group, {}).values() for piece in parts)


def in_order(found: Pieces, group: str) -> tuple[Columns, list[str], NDArray[np.int32]] | None:
    """All rows of a group by partition and offset, their texts and partitions; None: it has none.

    Names of columns as they were asked for.
    """
    parts = found.get(group)
    if not parts:
        return None
    every = [piece for number in sorted(parts) for piece in parts[number]]
    texts, columns = joined([(piece.columns, piece.texts) for piece in every])
    numbers = [
        np.full(piece.rows, number, np.int32) for number in sorted(parts) for piece in parts[number]
    ]
    return columns, texts, np.concatenate(numbers)


def series(found: Pieces, time: str, selection: Selection) -> Iterator[Series]:
    """The series of each symbol, by name. `time`: the column that has to rise in each lane.

    A symbol stands in several partitions where their number was raised: then by time over all.
    """
    for symbol in sorted(found.keys() - {OUT, UNDECODABLE}):
        got = in_order(found, symbol)
        assert got is not None
        columns, texts, partition = got
        rows = len(partition)
        if len(found[symbol]) == 1:
            kept: NDArray[np.intp] | None = newer(columns[time])
        else:
            kept = _across(columns[time], partition)
        if kept is not None:
            columns = {name: values[kept] for name, values in columns.items()}
            partition = partition[kept]
        dropped = rows - len(partition)
        low, high = within(columns[time], selection)
        if high > low:
            cut = {name: values[low:high] for name, values in columns.items()}
            yield Series(symbol, cut, texts, partition[low:high], dropped)
        elif dropped:
            nothing = {name: values[:0] for name, values in columns.items()}
            yield Series(symbol, nothing, texts, partition[:0], dropped)


def newer(times: NDArray[np.int64]) -> NDArray[np.intp] | None:
    """Places of the rows that are newer than all before them; None: every one is."""
    if len(times) < 2 or bool(np.all(times[1:] > times[:-1])):
        return None
    highest = np.maximum.accumulate(times)
    return np.flatnonzero(np.concatenate([[True], times[1:] > highest[:-1]]))


def _across(times: NDArray[np.int64], partition: NDArray[np.int32]) -> NDArray[np.intp]:
    """Places, ascending by time, of the rows that are newer in their lane, each time once."""
    lanes = [np.flatnonzero(partition == number) for number in np.unique(partition)]
    kept = [lane if (own := newer(times[lane])) is None else lane[own] for lane in lanes]
    places = np.concatenate(kept)
    places = places[np.argsort(times[places], kind="stable")]
    once = newer(times[places])
    return places if once is None else places[once]


def within(times: NDArray[np.int64], selection: Selection) -> tuple[int, int]:
    """The rows, of ascending times, that lie in the selection."""
    low, high = 0, len(times)
    if selection.from_ms is not None:
        low = int(np.searchsorted(times, selection.from_ms))
    if selection.to_ms is not None:
        high = int(np.searchsorted(times, selection.to_ms))
    return low, max(low, high)
