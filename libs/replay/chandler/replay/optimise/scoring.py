"""What a trial comes to in each window: one number by an objective, always finite.

Returns are of UTC days where every window has twenty of them, else of hours: two days' returns
say nothing of risk. The definitions are those of `metrics.performance`, on these returns.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np

from chandler.core.granularity import DAY_MS
from chandler.core.trading.money import total
from chandler.replay.metrics.measure import portfolio
from chandler.replay.optimise.windows import Window
from chandler.replay.result import Floats, Ints, Result, Trade

OBJECTIVES = ("sharpe", "sortino", "calmar", "return", "profit_factor")
GREATEST = 100.0  # of a window, either way: a loss-free hour must not outweigh a month
WORST = -1_000.0  # of a trial that hardly traded: below all that a window can come to
YEAR_MS = 365 * DAY_MS
LOOKS = 2  # after each of the first parts; each costs as much as its curves
BEFORE_BARS = 10  # trials that come to a look before any is stopped there

W = TypeVar("W")


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A trial's figures over what it read."""

    values: list[float]  # of each window, in their order
    trades: int  # that were opened
    longest_ms: int  # the longest time that one was open
    total_return: float  # a fraction
    digest: str  # of the backtest


def scored(result: Result, windows: Sequence[Window], objective: str, step_ms: int) -> Scored:
    """All windows of a backtest; its equity is that of all agents together."""
    equity, _, start = portfolio(result)
    at_ms = result.at_ms
    held = [(each.closed_ms or result.to_ms) - each.opened_ms for each in result.trades]
    return Scored(
        values=[
            value(objective, at_ms, equity, start, result.trades, each, step_ms) for each in windows
        ],
        trades=len(result.trades),
        longest_ms=max(held, default=0),
        total_return=float(equity[-1]) / start - 1.0 if len(equity) else 0.0,
        digest=result.origin.digest,
    )


def score_of(values: Sequence[float], trades: int, trades_min: int) -> float:
    """Mean over the parts of the in-sample period, each once: the first train and every test.

    `values`: as `Split.windows` orders them. WORST below `trades_min` trades.
    """
    if trades < max(1, trades_min):
        return WORST
    return _mean(parts_of(values))


def parts_of(windows: Sequence[W]) -> list[W]:
    """Of all windows (or their values) those that are each part of the period once."""
    return [windows[0], *windows[1::2]]


def standing(
    result: Result, windows: Sequence[Window], parts: int, objective: str, step_ms: int
) -> float:
    """The score so far, over the first parts: of a backtest that has come to the end of these."""
    equity, _, start = portfolio(result)
    return _mean(
        [
            value(objective, result.at_ms, equity, start, result.trades, each, step_ms)
            for each in parts_of(windows)[:parts]
        ]
    )


def bars(reached: Sequence[Sequence[float]], looks: int) -> list[float | None]:
    """At each look the middle of what earlier trials had there; None while they are few."""
    found: list[float | None] = []
    for look in range(looks):
        there = sorted(each[look] for each in reached if len(each) > look)
        found.append(there[len(there) // 2] if len(there) >= BEFORE_BARS else None)
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def value(
    objective: str,
    at_ms: Ints,
    equity: Floats,
    start: float,
    trades: Sequence[Trade],
    window: Window,
    step_ms: int,
) -> float:
    """One window, from -100 to 100; -100 where the equity is gone.

    - sharpe: mean(r) / std(r) × √(steps a year); 0 where all are alike
    - sortino: mean(r) × √(steps a year) / √mean(min(r, 0)²); 100 for a gain without a loss
    - calmar: return × (a year / the window) / deepest fall, not compounded; 100 likewise
    - return: last equity by the one before the window, less 1
    - profit_factor: gains by losses of the trades closed in it; 1 without any, 100 without a loss
    """
    if objective == "profit_factor":
        return _bounded(_profit_factor(trades, window))
    before, closes = _cut(at_ms, equity, start, window, step_ms)
    if before <= 0.0 or (len(closes) and closes.min() <= 0.0):
        return -GREATEST
    if not len(closes):
        return 0.0
    with np.errstate(all="ignore"):  # what is beyond a float is bounded
        return _bounded(_figure(objective, before, closes, window, step_ms))


def _figure(objective: str, before: float, closes: Floats, window: Window, step_ms: int) -> float:
    path = np.concatenate(([before], closes))
    returns: Floats = path[1:] / path[:-1] - 1.0
    gained = float(closes[-1]) / before - 1.0
    if objective == "return":
        return gained
    if objective == "sharpe":
        return _sharpe(returns, YEAR_MS / step_ms)
    if objective == "sortino":
        return _sortino(returns, YEAR_MS / step_ms)
    assert objective == "calmar", f"objective {objective}: expected one of {OBJECTIVES}"
    deepest = -float((path / np.maximum.accumulate(path) - 1.0).min())
    return _by(gained * (YEAR_MS / window.length_ms), deepest, gained)


def _cut(
    at_ms: Ints, equity: Floats, start: float, window: Window, step_ms: int
) -> tuple[float, Floats]:
    """The equity before the window, and the last one of each step in it."""
    first, last = (
        int(np.searchsorted(at_ms, each, "right")) for each in (window.from_ms, window.to_ms)
    )
    before = float(equity[first - 1]) if first else start
    if first == last:
        return before, np.empty(0)
    steps: Any = (at_ms[first:last] - 1) // step_ms
    calendar = np.arange(steps[0], steps[-1] + 1)
    closes: Floats = equity[first:last][np.searchsorted(steps, calendar, "right") - 1]
    return before, closes


def _sharpe(returns: Floats, steps: float) -> float:
    if len(returns) < 2 or returns.max() == returns.min():
        return 0.0
    return float(returns.mean()) / float(np.std(returns, ddof=1)) * math.sqrt(steps)


def _sortino(returns: Floats, steps: float) -> float:
    mean = float(returns.mean())
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return _by(mean * math.sqrt(steps), downside, mean)


def _profit_factor(trades: Sequence[Trade], window: Window) -> float:
    closed = [each.pnl for each in trades if window.from_ms < each.closed_ms <= window.to_ms]
    gained = float(total(each for each in closed if each > 0))
    lost = -float(total(each for each in closed if each < 0))
    return _by(gained, lost, gained) if gained or lost else 1.0


def _by(first: float, second: float, gained: float) -> float:
    """The quotient; where nothing was lost it is as good as it gets, or nothing."""
    if second > 0.0:
        return first / second
    return GREATEST if gained > 0.0 else 0.0


def _bounded(number: float) -> float:
    return min(max(number, -GREATEST), GREATEST) if not math.isnan(number) else -GREATEST
