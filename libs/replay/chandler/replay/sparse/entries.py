"""What agents are given: signals, external ones and commands, in the order of things.

Signals stay columns until an agent reads one: most of them are nobody's, or are refused at sight.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chandler.core.desk.live.inputs import Input
from chandler.core.events import Signal, Symbol
from chandler.core.watermarks.places import SIGNAL
from chandler.replay.dense.lanes import Flags, Ints
from chandler.replay.dense.signals import Given


class Entry(NamedTuple):
    """A signal, an external one or a command, and its place."""

    at: int
    rank: int
    weight: float
    symbol: str
    id: str
    event: Signal | Input


def entry_of(signal: Signal) -> Entry:
    """A signal at its place: by close, the stronger first, then symbol."""
    return Entry(signal.close_ms, SIGNAL, -signal.strength, signal.symbol, signal.id, signal)


class Signals:
    """The signals of all symbols and engines, in the order of things."""

    def __init__(self, given: Mapping[Symbol, Sequence[Given]], after_ms: int = -1) -> None:
        """Without those that close at or before `after_ms`."""
        self.given = [each for symbol in sorted(given) for each in given[symbol]]
        lengths = [len(each.close_ms) for each in self.given]
        ranks = {symbol: rank for rank, symbol in enumerate(sorted(given))}
        close_ms = _joined([each.close_ms for each in self.given], np.int64)
        strength = np.minimum(np.abs(_joined([each.score for each in self.given], np.float64)), 1.0)
        symbols = np.repeat([ranks[each.symbol] for each in self.given], lengths)
        of = np.repeat(np.arange(len(self.given)), lengths)
        rows = _joined([np.arange(each) for each in lengths], np.int64)
        order = np.lexsort((symbols, -strength, close_ms))
        order = order[close_ms[order] > after_ms]
        self.of: Ints = of[order]
        self.rows: Ints = rows[order]
        self.close_ms: Ints = close_ms[order]
        self._made: dict[int, Entry] = {}
        self._untie(symbols[order], strength[order])

    def __len__(self) -> int:
        return len(self.of)

    def _untie(self, symbols: Ints, strength: Ints) -> None:
        """Of one close, strength and symbol: by id."""
        same = (
            (self.close_ms[1:] == self.close_ms[:-1])
            & (symbols[1:] == symbols[:-1])
            & (strength[1:] == strength[:-1])
        )
        place = 0
        for start in np.flatnonzero(same).tolist():
            if start < place:
                continue
            place = start + 1
            while place < len(same) + 1 and same[place - 1]:
                place += 1
            run = sorted(range(start, place), key=lambda each: self.entry(each).id)
            self.of[start:place], self.rows[start:place] = self.of[run], self.rows[run]
            for each in range(start, place):
                self._made.pop(each)

    def entry(self, place: int) -> Entry:
        """One of them; made once, whoever reads it."""
        made = self._made.get(place)
        if made is None:
            given = self.given[int(self.of[place])]
            made = self._made[place] = entry_of(given.signal(int(self.rows[place])))
        return made

    def followed(
        self, why_not: Callable[[str, Symbol], str], until_ms: int
    ) -> tuple[list[Entry], Counter[str]]:
        """Those for which `why_not` (of source and symbol) says "", and how many others, by why.

        The first of all is always among them, whatever is said of it.
        """
        refused = [why_not(each.engine.name, each.symbol) for each in self.given]
        kept: Flags = np.array([not why for why in refused], np.bool_)[self.of]
        kept[:1] = True
        within = self.close_ms <= until_ms
        counts = np.bincount(self.of[~kept & within], minlength=len(self.given))
        why: Counter[str] = Counter()
        for reason, count in zip(refused, counts.tolist(), strict=True):
            if count:
                why[reason] += count
        return [self.entry(place) for place in np.flatnonzero(kept & within).tolist()], why


def _joined(parts: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, kind)
