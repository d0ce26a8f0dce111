"""Sums and extremes over the last n bars: amortised O(1), and without drift.

A rolling sum adds the new value and takes the old one away, so that rounding errors stay behind.
It is therefore made anew from the window each n bars, and at once when it has shrunk so far below
its peak that the errors of the peak would show. Functions of the compiled subset (subset.py).
"""

from collections.abc import Sequence
from typing import NamedTuple

from chandler.core.indicators.spec import Bars

SHRUNK = 0.001  # of the peak: below it a rolling sum is made anew


class Rolling(NamedTuple):
    """Sum of the last n values of a column."""

    seen: int  # values taken in, at most n
    left: int  # bars until the sum is made anew
    total: float
    peak: float  # greatest total since it was made anew


ROLLING = Rolling(0, 0, 0.0, 0.0)


def roll(state: Rolling, column: Sequence[float], i: int, n: int) -> Rolling:
    """The sum with value i in it; the column's values aren't negative. Looks back n bars."""
    if state.seen < n:
        total = state.total + column[i]
        return Rolling(state.seen + 1, n, total, total)
    change = column[i] - column[i - n]
    total = state.total + change
    if state.left > 1 and (change == 0.0 or total > SHRUNK * state.peak):
        peak = total if total > state.peak else state.peak
        return Rolling(n, state.left - 1, total, peak)
    total = 0.0
    for j in range(i - n + 1, i + 1):
        total += column[j]
    return Rolling(n, n, total, total)


class Extreme(NamedTuple):
    """Highest or lowest of the last n values of a column."""

    seen: int  # values taken in, at most n
    age: int  # bars since the extreme
    value: float


EXTREME = Extreme(0, 0, 0.0)


def highest(state: Extreme, column: Sequence[float], i: int, n: int) -> Extreme:
    """The highest of the last n values with value i in it. Looks back n - 1 bars."""
    value = column[i]
    if state.seen == 0:
        return Extreme(1, 0, value)
    seen = state.seen + 1 if state.seen < n else n
    if value >= state.value:
        return Extreme(seen, 0, value)
    if state.age + 1 < n:
        return Extreme(seen, state.age + 1, state.value)
    age = 0
    for k in range(1, n):
        if column[i - k] > value:
            value = column[i - k]
            age = k
    return Extreme(seen, age, value)


def lowest(state: Extreme, column: Sequence[float], i: int, n: int) -> Extreme:
    """The lowest of the last n values with value i in it. Looks back n - 1 bars."""
    value = column[i]
    if state.seen == 0:
        return Extreme(1, 0, value)
    seen = state.seen + 1 if state.seen < n else n
    if value <= state.value:
        return Extreme(seen, 0, value)
    if state.age + 1 < n:
        return Extreme(seen, state.age + 1, state.value)
    age = 0
    for k in range(1, n):
        if column[i - k] < value:
            value = column[i - k]
            age = k
    return Extreme(seen, age, value)


def mean(values: tuple[float, ...]) -> float:
    """Plain mean of a fixed tuple, oldest first."""
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


def typical(bars: Bars, i: int) -> float:
    """Typical price of bar i: (high + low + close) / 3."""
    return (bars.high[i] + bars.low[i] + bars.close[i]) / 3.0


def true_range(bars: Bars, i: int) -> float:
    """Greatest of high - low, |high - previous close|, |low - previous close|. Looks back 1 bar."""
    before = bars.close[i - 1]
    top = bars.high[i] if bars.high[i] > before else before
    bottom = bars.low[i] if bars.low[i] < before else before
    return top - bottom
