"""The time column of a candle file, whatever its type, as whole numbers."""

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chandler.replay.history.sheet import HistoryError, Integers, Unread
from services.history.cells import TEXT_MAX, unread_in

EXACT_MAX = 2.0**62
EXPECTED = "a time such as 2024-01-31 10:05:00 (UTC) or a number since 1970"


def as_integers(column: Any, unread: list[Unread]) -> Integers:
    """Timestamps, dates and their texts as ms; numbers as they are, in a unit yet to be found.

    A text that is no time is added to `unread`, another row's time stands for it; HistoryError
    where none is one.
    """
    if column.null_count:
        raise HistoryError(f"{column.null_count} rows have no time: fill the column")
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(pa.string()), pa.string()
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        plain = column.cast(pa.timestamp("ms", tz=getattr(kind, "tz", None)), safe=False)
        return _array(plain.cast(pa.int64()))
    if pa.types.is_integer(kind):
        return _array(column.cast(pa.int64()))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _whole(column.cast(pa.float64()))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _read(pc.utf8_trim_whitespace(column), unread)
    raise HistoryError(f"its times are {kind}: expected numbers or dates")


def _read(column: Any, unread: list[Unread]) -> Integers:
    try:
        return _of_text(column)
    except HistoryError:
        cells = column.to_pylist()
        wrong = np.array([not _is_time(cell) for cell in cells])
        if wrong.all() or not wrong.any():
            raise
        other = cells[int(np.argmin(wrong))]
        times = _of_text(pc.if_else(pa.array(wrong), pa.scalar(other, column.type), column))
        rows = np.flatnonzero(wrong).astype(np.int64)
        unread.append(unread_in("time", column, rows, EXPECTED))
        return times


def _of_text(column: Any) -> Integers:
    for kind in (pa.int64(), pa.float64()):
        try:
            numbers = column.cast(kind)
        except pa.ArrowException:
            continue
        return _array(numbers) if kind == pa.int64() else _whole(numbers)
    for kind in (pa.timestamp("ms"), pa.timestamp("ms", tz="UTC")):  # with and without a zone
        try:
            return _array(column.cast(kind).cast(pa.int64()))
        except pa.ArrowException:
            continue
    cells = column.to_pylist()
    found = next((cell for cell in cells if not _is_time(cell)), cells[0])[:TEXT_MAX]
    raise HistoryError(
        "its times can't be read: expected numbers since 1970 or dates such as "
        f"2024-01-31 10:05:00 (UTC), found {found!r}: correct them"
    )


def _is_time(cell: str) -> bool:
    for read in (float, datetime.fromisoformat):
        try:
            read(cell)
        except ValueError:
            continue
        return True
    return False


def _whole(numbers: Any) -> Integers:
    found = numbers.to_numpy(zero_copy_only=False)
    wrong = ~(np.isfinite(found) & (np.abs(found) < EXACT_MAX))
    if wrong.any():
        raise HistoryError(f"{int(wrong.sum())} rows have no time: fill the column")
    if (found != np.floor(found)).any():
        found = found * 1_000.0  # seconds with a fraction
    whole: Integers = np.rint(found).astype(np.int64)
    return whole


def _array(column: Any) -> Integers:
    found: Integers = column.to_numpy(zero_copy_only=False).astype(np.int64)
    return found
