"""Two backtests beside each other: figures that differ, trades that only one of them has."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from chandler.core.trading.money import minus
from chandler.replay.report.run import Run
from chandler.replay.result import Trade

Number = float | int | Decimal | None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both."""

    name: str  # "performance.sharpe", "trades.pnl"
    kind: str  # "share", "ratio", "money", "count", "lasting"
    first: Number
    second: Number
    difference: Number  # second less first; None where one of them is None


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A trade that both made, with another end."""

    first: Trade
    second: Trade


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two runs. Trades are the same by agent, symbol, side and opening."""

    first: str  # names
    second: str
    same_digest: bool  # all fills and balances
    same_candles: bool  # period, number, source of what was read
    same_config: bool
    same_code: bool
    figures: list[Line]
    only_first: list[Trade]
    only_second: list[Trade]
    differing: list[Pair]  # other money, times or reason
    equal: int


# Figure → kind, in the order in which people read them.
FIGURES = {
    "performance.total_return": "share",
    "performance.cagr": "share",
    "performance.volatility": "share",
    "performance.drawdown.depth": "share",
    "performance.drawdown_within.depth": "share",
    "performance.sharpe": "ratio",
    "performance.sortino": "ratio",
    "performance.calmar": "ratio",
    "performance.end": "money",
    "trades.trades": "count",
    "trades.pnl": "money",
    "trades.win_rate": "share",
    "trades.profit_factor": "ratio",
    "trades.average": "money",
    "trades.average_win": "money",
    "trades.average_loss": "money",
    "trades.losing_streak": "count",
    "trades.holding_ms": "lasting",
    "trades.fees": "money",
    "trades.funding": "money",
    "trades.turnover": "ratio",
    "trades.time_open": "share",
    "trades.open_trades": "count",
    "trades.open_pnl": "money",
    "exposure.mean": "share",
    "exposure.greatest": "share",
}


def compare(first: Run, second: Run) -> Comparison:
    """Lays two runs side by side."""
    a, b = first.origin, second.origin
    pairs, only_first, only_second = _matched(first.trades, second.trades)
    differing = [pair for pair in pairs if _told(pair.first) != _told(pair.second)]
    return Comparison(
        first=first.name,
        second=second.name,
        same_digest=a.digest == b.digest,
        same_candles=(first.from_ms, first.to_ms, a.candles, a.ticks, a.source, a.from_tickers)
        == (second.from_ms, second.to_ms, b.candles, b.ticks, b.source, b.from_tickers),
        same_config=a.config == b.config,
        same_code=a.code == b.code,
        figures=list(_lines(first, second)),
        only_first=only_first,
        only_second=only_second,
        differing=differing,
        equal=len(pairs) - len(differing),
    )


def _lines(first: Run, second: Run) -> Iterator[Line]:
    for name, kind in FIGURES.items():
        one, other = _figure(first, name), _figure(second, name)
        yield Line(name=name, kind=kind, first=one, second=other, difference=_less(other, one))


def _figure(run: Run, name: str) -> Number:
    found: object = run.metrics.portfolio
    for part in name.split("."):
        found = getattr(found, part) if found is not None else None
    if found is None and name.endswith(".depth"):
        return 0.0  # never below its peak
    assert found is None or isinstance(found, float | int | Decimal), name
    return found


def _less(one: Number, other: Number) -> Number:
    if one is None or other is None:
        return None
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return minus(one, other) or Decimal(0)
    return float(one) - float(other) if isinstance(one, float) else int(one) - int(other)


def _matched(
    first: list[Trade], second: list[Trade]
) -> tuple[list[Pair], list[Trade], list[Trade]]:
    """Position ids hold the configuration's hash: they say nothing across configurations."""
    waiting: dict[tuple[str, str, str, int], list[Trade]] = defaultdict(list)
    for trade in second:
        waiting[_key(trade)].append(trade)
    pairs, alone = [], []
    for trade in first:
        same = waiting[_key(trade)]
        if same:
            pairs.append(Pair(first=trade, second=same.pop(0)))
        else:
            alone.append(trade)
    left = {id(trade) for trades in waiting.values() for trade in trades}
    return pairs, alone, [trade for trade in second if id(trade) in left]


def _key(trade: Trade) -> tuple[str, str, str, int]:
    return (trade.agent, trade.symbol, trade.side, trade.opened_ms)


def _told(trade: Trade) -> tuple[object, ...]:
    return (
        trade.closed_ms, trade.entered, trade.exited, trade.size, trade.adds, trade.realised,
        trade.fees, trade.funding, trade.reason,
    )  # fmt: skip
