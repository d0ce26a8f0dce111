"""What an indicator is: incremental functions over a window of bars, and their parameters.

The compiled subset (DESIGN.md §7) holds for `step`, `ready` and `value`: NamedTuples of float
and int (and fixed-length tuples of float), + − × ÷ and sqrt, guarded domains, checked indices.
The same functions run interpreted over lists and compiled over arrays.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from chandler.core.granularity import Granularity


class Bars(NamedTuple):
    """Columns of a symbol's candles, oldest first, all of the same length."""

    open_ms: Sequence[int]
    open: Sequence[float]
    high: Sequence[float]
    low: Sequence[float]
    close: Sequence[float]
    volume: Sequence[float]  # base coin


class Indicator(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """An indicator with its parameters, as an evaluator asks for it.

    `step(state, bars, i, *params)` takes in bar i (it may look back `lookback` bars from i, and
    never ahead) and returns the next state. `ready(state, *params)` says whether there is a value,
    `value(state, *params)` gives it: a float, or a NamedTuple with the names in `fields`.
    """

    name: str
    params: tuple[int | float, ...]
    start: Any  # the state before the first bar: a NamedTuple
    step: Callable[..., Any]
    ready: Callable[..., bool]
    value: Callable[..., Any]
    lookback: int = 0  # bars before the current one that step reads
    fields: tuple[str, ...] = ()
    record: Any = None  # the NamedTuple class that value returns, where there are fields
    on: Granularity | None = None  # None: the engine's base granularity

    @property
    def key(self) -> str:
        """Its name on the wire: rsi(14), macd(12,26,9)."""
        return f"{self.name}({','.join(str(p) for p in self.params)})"
