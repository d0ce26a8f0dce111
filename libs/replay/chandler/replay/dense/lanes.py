"""A symbol's candles of one granularity as arrays, one row per slot, and what is made of them.

Rows follow each other slot by slot, as in the topics; what the venue lacks is a row marked missing.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chandler.core.events import Symbol
from chandler.core.granularity import Granularity, interval_ms, utc
from chandler.core.indicators.compute import PRICE_MAX, VOLUME_MAX
from chandler.core.indicators.spec import Bars
from chandler.replay.dense.native import machine

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
KERNEL: Any = ["C", "W"]  # what machine code is compiled for


class LaneError(ValueError):
    """Candles can't be used as they are: one line says what was found and what to do."""


class Lane(NamedTuple):
    """Arrays of equal length, ascending, without a hole."""

    symbol: Symbol
    granularity: Granularity
    open_ms: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats  # base coin
    quote_volume: Floats  # quote coin
    missing: Flags  # no candle in the slot: its numbers say nothing

    @property
    def end_ms(self) -> int:
        """Close of the newest slot; -1 without any."""
        return int(self.open_ms[-1]) + interval_ms(self.granularity) if len(self.open_ms) else -1

    def bars(self) -> Bars:
        """The sealed candles, as indicators take them in."""
        columns: Any = (self.open_ms, self.open, self.high, self.low, self.close, self.volume)
        if self.missing.any():
            columns = [np.ascontiguousarray(column[~self.missing]) for column in columns]
        return Bars(*columns)

    def between(self, from_ms: int, to_ms: int) -> "Lane":
        """The slots that open at or after `from_ms` and are over at `to_ms`."""
        first = int(np.searchsorted(self.open_ms, from_ms))
        last = int(np.searchsorted(self.open_ms, to_ms - interval_ms(self.granularity), "right"))
        columns: Any = [column[first:last] for column in self[2:]]
        return Lane(self.symbol, self.granularity, *columns)


Lanes = Mapping[Granularity, Lane]  # of one symbol


def lane(symbol: str, granularity: str, columns: Mapping[str, Any]) -> Lane:
    """A lane of `open_ms open high low close volume` and, where there are, `quote_volume missing`.

    An impossible candle counts as missing, as it does live. LaneError for a hole, for rows that are
    not ascending or off the grid.
    """
    where, each = Symbol(symbol), Granularity(granularity)
    open_ms = np.require(columns["open_ms"], np.int64, KERNEL)
    numbers: Any = [
        np.require(columns[name], np.float64, KERNEL)
        for name in ("open", "high", "low", "close", "volume")
    ]
    quote = columns.get("quote_volume")
    quote = np.zeros(len(open_ms)) if quote is None else np.require(quote, np.float64, KERNEL)
    absent = columns.get("missing")
    absent = np.zeros(len(open_ms), np.bool_) if absent is None else np.asarray(absent, np.bool_)
    _check_slots(where, each, open_ms)
    impossible = ~_possible(*numbers)
    whole: Any = [open_ms, *numbers, quote, absent | impossible]
    return Lane(where, each, *whole)


def _check_slots(symbol: Symbol, granularity: Granularity, open_ms: Ints) -> None:
    interval = interval_ms(granularity)
    if len(open_ms) and (off := open_ms % interval != 0).any():
        at = int(open_ms[off][0])
        raise LaneError(
            f"{symbol} {granularity}: a candle opens at {utc(at)} ({at} ms), which is no slot: "
            "give open times in ms, UTC"
        )
    steps = np.diff(open_ms)
    if (wrong := steps != interval).any():
        place = int(np.argmax(wrong))
        found, after = int(open_ms[place + 1]), int(open_ms[place])
        cure = (
            "say which slots are missing, or fetch them"
            if found > after
            else "sort them and leave out what is there twice"
        )
        raise LaneError(
            f"{symbol} {granularity}: the candle of {utc(found)} follows that of {utc(after)}, "
            f"expected {utc(after + interval)}: {cure}"
        )


def _possible(open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats) -> Flags:
    """What core's `check` lets through; False for NaN."""
    with np.errstate(invalid="ignore"):
        return (
            (low > 0.0)
            & (low <= high)
            & (high <= PRICE_MAX)
            & (low <= open_)
            & (open_ <= high)
            & (low <= close)
            & (close <= high)
            & (volume >= 0.0)
            & (volume <= VOLUME_MAX)
        )


def exact_rows(base: Lane, closes: Ints, other: Lane) -> tuple[Ints, int]:
    """For each of `closes` (of `base`) the bar of `other`'s exact slot, -1 where there is none.

    And how many of them can be evaluated: from the first close on whose slot hasn't come, none can.
    """
    interval = interval_ms(other.granularity)
    wanted = closes - closes % interval  # close of the exact slot (DESIGN.md §5.8)
    if not len(other.open_ms):
        return np.full(len(closes), -1), 0
    count = int(np.searchsorted(wanted, other.end_ms, "right"))
    slots = (wanted - interval - int(other.open_ms[0])) // interval
    bars = np.cumsum(~other.missing) - 1
    bars[other.missing] = -1
    inside = (slots >= 0) & (slots < len(bars))
    rows = np.where(inside, bars[np.clip(slots, 0, len(bars) - 1)], -1)
    return rows.astype(np.int64), count


def longer(shorter: Lane, granularity: Granularity) -> Lane:
    """Candles of a longer granularity by core's one rule (resample.py), of whole slots only.

    A slot without any candle is missing; one at either end that isn't whole is left out.
    """
    interval, part = interval_ms(granularity), interval_ms(shorter.granularity)
    opens = shorter.open_ms
    if not len(opens):
        return Lane(shorter.symbol, granularity, *shorter[2:])
    first = -(-int(opens[0]) // interval) * interval
    count = max(0, (shorter.end_ms - first) // interval)
    start = (first - int(opens[0])) // part
    columns: Any = [np.zeros(count) for _ in range(6)]
    missing = np.ones(count, np.bool_)
    _join(tuple(shorter[3:9]), shorter.missing, start, interval // part, tuple(columns), missing)
    open_ms = first + np.arange(count, dtype=np.int64) * interval
    return Lane(shorter.symbol, granularity, *[open_ms, *columns, missing])


@machine
def _join(source: Any, absent: Any, start: int, parts: int, out: Any, missing: Any) -> None:
    for slot in range(len(missing)):
        for row in range(start + slot * parts, start + (slot + 1) * parts):
            if absent[row]:
                continue
            if missing[slot]:
                missing[slot] = False
                for k in range(6):
                    out[k][slot] = source[k][row]
                continue
            if source[1][row] > out[1][slot]:
                out[1][slot] = source[1][row]
            if source[2][row] < out[2][slot]:
                out[2][slot] = source[2][row]
            out[3][slot] = source[3][row]
            out[4][slot] += source[4][row]
            out[5][slot] += source[5][row]
