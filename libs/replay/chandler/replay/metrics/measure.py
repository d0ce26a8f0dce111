"""All figures of a result: the portfolio's, each agent's, the benchmarks', and breakdowns."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from chandler.replay.metrics.days import month_of
from chandler.replay.metrics.performance import Performance, performance
from chandler.replay.metrics.trades import TradeFigures, figures
from chandler.replay.result import Floats, Result, Trade

STILL_OPEN = "still open"  # the exit reason of what has none yet


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the equity was in positions: Σ |size| × price by equity, at all samples.

    None without a sample with equity above 0.
    """

    mean: float | None
    greatest: float | None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's figures, or the portfolio's."""

    performance: Performance
    exposure: Exposure
    trades: TradeFigures


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a result."""

    portfolio: Measured  # the sum of all agents
    agents: dict[str, Measured]
    benchmarks: dict[str, Performance]
    # "engine", "symbol", "month", "reason", "side" → each of its values → figures; turnover is by
    # the portfolio's mean equity. A trade belongs to the month in which it was closed.
    breakdowns: dict[str, dict[str, TradeFigures]]


def measure(result: Result) -> Metrics:
    """The figures of a result; each one's definition stands where it is made.

    The portfolio's equity is the sum of the agents' at each sample. A benchmark begins at 1.0.
    """
    equity, exposure, start = portfolio(result)
    return Metrics(
        portfolio=_measured(result, equity, exposure, start, result.trades),
        agents={
            name: _measured(
                result,
                curve.equity,
                curve.exposure,
                float(curve.start),
                [each for each in result.trades if each.agent == name],
            )
            for name, curve in result.curves.items()
        },
        benchmarks={
            name: performance(result.at_ms, values, 1.0, result.from_ms)
            for name, values in result.benchmarks.items()
        },
        breakdowns=_breakdowns(result, _mean(equity, start)),
    )


def portfolio(result: Result) -> tuple[Floats, Floats, float]:
    """Equity and exposure of all agents together at each sample, and what they started with.

    1.0 of nothing where there is no agent, so that it can be measured like any other.
    """
    none = np.zeros(len(result.at_ms))
    curves = list(result.curves.values())
    if not curves:
        return none + 1.0, none, 1.0
    equity = sum((each.equity for each in curves), none)
    exposure = sum((each.exposure for each in curves), none)
    return equity, exposure, float(sum(each.start for each in curves))


def _measured(
    result: Result, equity: Floats, exposure: Floats, start: float, trades: Sequence[Trade]
) -> Measured:
    mean = _mean(equity, start)
    return Measured(
        performance=performance(result.at_ms, equity, start, result.from_ms),
        exposure=_exposure(equity, exposure),
        trades=figures(trades, mean, result.from_ms, result.to_ms),
    )


def _mean(equity: Floats, start: float) -> float:
    return float(np.mean(equity)) if len(equity) else start


def _exposure(equity: Floats, exposure: Floats) -> Exposure:
    sound = equity > 0.0
    if not sound.any():
        return Exposure(mean=None, greatest=None)
    shares = exposure[sound] / equity[sound]
    return Exposure(mean=float(shares.mean()), greatest=float(shares.max()))


def _breakdowns(result: Result, mean_equity: float) -> dict[str, dict[str, TradeFigures]]:
    by: dict[str, Callable[[Trade], str]] = {
        "engine": lambda trade: trade.source,
        "symbol": lambda trade: trade.symbol,
        "month": lambda trade: month_of(trade.closed_ms or result.to_ms),
        "reason": lambda trade: trade.reason or STILL_OPEN,
        "side": lambda trade: trade.side,
    }
    found: dict[str, dict[str, TradeFigures]] = {}
    for name, key in by.items():
        groups: dict[str, list[Trade]] = {}
        for trade in result.trades:
            groups.setdefault(key(trade), []).append(trade)
        found[name] = {
            each: figures(groups[each], mean_equity, result.from_ms, result.to_ms)
            for each in sorted(groups)
        }
    return found
