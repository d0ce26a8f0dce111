"""How a candle file is laid out: its format by the first bytes, its columns by their names."""

import csv
from collections.abc import Sequence
from typing import Literal, NamedTuple

from chandler.replay.history.sheet import PRICES, HistoryError

Kind = Literal["Parquet", "Arrow", "Arrow stream", "zip", "gzip", "JSON", "text", ""]
HEAD_BYTES = 1 << 16

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"\xff\xff\xff\xff", "Arrow stream"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
)
_BOM = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t"
_LINES_LOOKED_AT = 20

# What others call the columns, in small letters and without _ and blanks.
_NAMES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "pair", "instrument", "ticker"),
    "time": ("opentime", "openms", "time", "timestamp", "date", "datetime", "ts"),
    "open": ("open", "o", "openprice"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closeprice"),
    "volume": ("volume", "vol", "v", "basevolume"),
    "quote_volume": ("quotevolume", "quoteassetvolume", "turnover"),
}
_WANTED = ("time", *PRICES, "volume")
_BINANCE_COLUMNS = 12  # open time … volume, close time, quote volume, four more
_NUMBERS_MIN = 4  # a line with fewer numbers is a header
# What the end of a file's name promises.
_ENDS = {
    ".parquet": "Parquet",
    ".feather": "Feather",
    ".arrow": "Arrow",
    ".json": "JSON",
}


class Dialect(NamedTuple):
    """How a text file is written."""

    delimiter: str
    header: bool
    first: list[str]  # the cells of its first line


def kind_of(head: bytes) -> Kind:
    """The format by the content's beginning; empty where it is none that holds candles."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    text = head.removeprefix(_BOM).lstrip()
    if not text or b"\0" in head:
        return ""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not merely cut in the middle of a letter
            return ""
    return "JSON" if text[:1] in b"[{" else "text"


def said_by(name: str) -> str:
    """The format that the end of a file's name promises; empty where it says text or nothing."""
    return next((each for end, each in _ENDS.items() if name.lower().endswith(end)), "")


def dialect(head: str) -> Dialect:
    """The delimiter that its lines agree on, and whether the first one names the columns."""
    lines = [line for line in head.removeprefix("\ufeff").splitlines() if line.strip()]
    lines = lines[:_LINES_LOOKED_AT] if len(lines) <= _LINES_LOOKED_AT else lines[:-1]
    lines = lines[:_LINES_LOOKED_AT]
    if not lines:
        raise HistoryError("it is empty: expected at least one candle")
    for delimiter in _DELIMITERS:
        rows = list(csv.reader(lines, delimiter=delimiter))
        if len(rows[0]) >= len(_WANTED):
            first = [cell.strip() for cell in rows[0]]
            return Dialect(delimiter, sum(map(_is_number, first)) < _NUMBERS_MIN, first)
    raise HistoryError(
        f"its first line is {lines[0][:60]!r}: expected at least {len(_WANTED)} columns "
        "(time, open, high, low, close, volume) between commas, semicolons or tabs"
    )


def columns_by_name(names: Sequence[str]) -> dict[str, int]:
    """The place of each column that candles are made of; HistoryError names the missing ones."""
    plain = [name.strip().lower().replace("_", "").replace(" ", "") for name in names]
    found = {
        role: next(plain.index(known) for known in knowns if known in plain)
        for role, knowns in _NAMES.items()
        if any(known in plain for known in knowns)
    }
    absent = [role for role in _WANTED if role not in found]
    if absent:
        shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        raise HistoryError(
            f"no column {', '.join(absent)}: expected {', '.join(_WANTED)} (symbol and "
            f"quote_volume if there are such), found {shown}: name them so"
        )
    return found


def columns_by_place(first: Sequence[str]) -> dict[str, int]:
    """The place of each column where nothing names them: `first` is the first row."""
    begins = 0 if _is_number(first[0]) or first[0][:4].isdigit() else 1
    found = {role: begins + place for place, role in enumerate(_WANTED)}
    if begins:
        found["symbol"] = 0
    more = len(first) - begins - len(_WANTED)
    if more < 0:
        raise HistoryError(
            f"its rows have {len(first)} columns and no names: expected time, open, high, low, "
            "close, volume, or a first line that names them"
        )
    if len(first) == _BINANCE_COLUMNS and not begins:
        found["quote_volume"] = 7
    elif more == 1:
        found["quote_volume"] = begins + len(_WANTED)
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.lower() not in ("nan", "inf")
