"""What was read of one file: columns as they stand there, nothing checked yet."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

PRICES = ("open", "high", "low", "close")


class HistoryError(Exception):
    """A file can't be taken at all: the message is one line for people."""


class Named(NamedTuple):
    """What a file's name says; empty where it says nothing."""

    symbol: str
    granularity: str  # as it is spelled there


class Unread(NamedTuple):
    """Cells of one column that say nothing that could be taken."""

    column: str
    rows: Integers  # their places, ascending
    texts: list[str]  # what stands in each
    expected: str  # a number such as 0.5


class Sheet(NamedTuple):
    """One table of candles. All arrays have the same length; NaN stands for an empty cell.

    It stands for an unread number, too; another row's time stands for an unread time.
    """

    source: str  # the file, as lines for people call it
    format: str  # what the content turned out to be
    named: Named
    symbols: list[str]  # those of the symbol column; empty without one
    codes: Integers  # each row's place in `symbols`; empty without a symbol column
    times: Integers  # when the slots open, in a unit that `milliseconds` finds out
    prices: tuple[Floats, Floats, Floats, Floats]  # open, high, low, close
    volume: Floats  # base coin
    quote_volume: Floats | None  # quote coin
    unread: tuple[Unread, ...] = ()  # cells whose rows can't be used


class Fault(NamedTuple):
    """Why something isn't imported."""

    source: str  # file
    symbol: str  # empty: nothing of the file
    text: str

    @property
    def line(self) -> str:
        """For people."""
        of = f" {self.symbol}" if self.symbol else ""
        return f"{self.source}{of}: {self.text}"

    @property
    def cause(self) -> str:
        """What was found, without what to do: a text's words before its first colon."""
        return self.text.partition(": ")[0]


class Note(NamedTuple):
    """What was done to a file's rows before they were taken."""

    source: str
    text: str
    minor: bool = False  # comes with most files, and is told last

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.source}: {self.text}"
