"""The cells of a candle file's column as numbers; what is no number is named with its place."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chandler.replay.history.sheet import Floats, HistoryError, Integers, Unread

EMPTY = frozenset({"", "null", "none", "nan", "na"})
EXPECTED = "a number such as 0.5"
TEXT_MAX = 40  # letters of a cell that are shown
_NUMBER = (
    r"(?i)^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity|nan)$"  # as Arrow reads them
)


def as_floats(column: str, cells: Any, unread: list[Unread]) -> Floats:
    """As floats, made from the text itself; NaN where a cell is empty, or unread and added there.

    HistoryError where not a single cell is a number.
    """
    is_text = pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
    if is_text:
        text = pc.utf8_trim_whitespace(cells)
        empty = pc.is_in(pc.utf8_lower(text), value_set=pa.array(sorted(EMPTY)))
        cells = pc.if_else(empty, pa.scalar(None, text.type), text)
    try:
        numbers = cells.cast(pa.float64())
    except pa.ArrowException:
        if not is_text:
            raise HistoryError(
                f"column {column} is {cells.type}: expected numbers such as 0.5, correct it"
            ) from None
        wrong = pc.invert(pc.fill_null(pc.match_substring_regex(cells, _NUMBER), True))
        kept = pc.if_else(wrong, pa.scalar(None, cells.type), cells)
        found = unread_in(column, cells, _places(wrong), EXPECTED)
        if kept.null_count == len(kept):
            raise HistoryError(
                f"column {column}: expected numbers such as 0.5, found {found.texts[0]!r}: "
                "correct it"
            ) from None
        unread.append(found)
        numbers = kept.cast(pa.float64())
    floats: Floats = pc.fill_null(numbers, float("nan")).to_numpy(zero_copy_only=False)
    return floats


def unread_in(column: str, cells: Any, rows: Integers, expected: str) -> Unread:
    """What stands in some rows of a column of texts."""
    texts = [(each or "")[:TEXT_MAX] for each in cells.take(pa.array(rows)).to_pylist()]
    return Unread(column, rows, texts, expected)


def _places(wrong: Any) -> Integers:
    places: Integers = np.flatnonzero(wrong.to_numpy(zero_copy_only=False)).astype(np.int64)
    return places
