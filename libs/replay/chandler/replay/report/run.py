"""A backtest as it is kept: what is needed to lay it beside another one."""

import msgspec

from chandler.replay.metrics import Metrics
from chandler.replay.metrics.measure import portfolio
from chandler.replay.result import Floats, Ints, Origin, Result, Trade


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A result's parts, its figures, and what people call it."""

    name: str
    origin: Origin
    from_ms: int
    to_ms: int
    metrics: Metrics
    trades: list[Trade]
    at_ms: Ints
    equity: Floats  # the portfolio's at each time, quote coin
    start: float  # the portfolio's


def run_of(name: str, result: Result, metrics: Metrics) -> Run:
    """The run that a result is."""
    equity, _, start = portfolio(result)
    return Run(
        name=name,
        origin=result.origin,
        from_ms=result.from_ms,
        to_ms=result.to_ms,
        metrics=metrics,
        trades=result.trades,
        at_ms=result.at_ms,
        equity=equity,
        start=start,
    )
