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


class Sheet(NamedTuple):
    """One table of candles. All arrays have the same length; NaN stands for an empty cell."""

    source: str  # the file, as lines for people call it
    format: str  # what the content turned out to be
    named: Named
    symbols: list[str]  # those of the symbol column; empty without one
    codes: Integers  # each row's place in `symbols`; empty without a symbol column
    times: Integers  # when the slots open, in a unit that `milliseconds` finds out
    prices: tuple[Floats, Floats, Floats, Floats]  # open, high, low, close
    volume: Floats  # base coin
    quote_volume: Floats | None  # quote coin


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


class Note(NamedTuple):
    """What was done to a file's rows before they were taken."""

    source: str
    text: str

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.source}: {self.text}"
