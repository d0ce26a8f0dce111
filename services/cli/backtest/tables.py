"""A backtest's figures, and a comparison's, as tables for people."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from chandler.core.trading.money import plus
from chandler.replay.metrics import Drawdown, Measured, Metrics, Performance, TradeFigures
from chandler.replay.remarks import STRANGERS
from chandler.replay.report.comparison import Comparison, Number
from chandler.replay.result import Result, Trade
from services.cli.desk.columns import age

NONE = "-"
ROWS_MAX = 12  # of a breakdown: those that made or lost the most
BREAKDOWNS = ("engine", "symbol", "reason", "side", "month")


class _Curve(NamedTuple):
    name: str
    performance: Performance
    measured: Measured | None  # of benchmarks nothing but the curve is known


# Figure → what it is called, in all tables; a comparison has every one.
LABELS = {
    "performance.total_return": "return",
    "performance.cagr": "CAGR",
    "performance.volatility": "volatility, a year",
    "performance.drawdown_within.depth": "drawdown, within days",
    "performance.drawdown.depth": "drawdown, daily closes",
    "performance.sharpe": "Sharpe",
    "performance.sortino": "Sortino",
    "performance.calmar": "Calmar (by daily closes)",
    "performance.end": "equity at the end",
    "trades.trades": "closed trades",
    "trades.pnl": "PnL of closed trades",
    "trades.open_trades": "open positions",
    "trades.open_pnl": "open, booked so far",
    "trades.win_rate": "win rate",
    "trades.profit_factor": "profit factor",
    "trades.average": "average trade",
    "trades.average_win": "average win",
    "trades.average_loss": "average loss",
    "trades.losing_streak": "most losses in a row",
    "trades.holding_ms": "time held",
    "trades.fees": "fees in all",
    "trades.funding": "funding in all",
    "trades.turnover": "turnover",
    "trades.time_open": "time open",
    "exposure.mean": "exposure, mean",
    "exposure.greatest": "exposure, greatest",
}


def share(value: float | None) -> str:
    """12.34 %"""
    return NONE if value is None else f"{100 * value:,.2f} %"


def figure(value: Number) -> str:
    """Two places, with thousands."""
    return NONE if value is None else f"{value:,.2f}"


def signed(value: Number) -> Text:
    """The same, in its colour."""
    if value is None:
        return Text(NONE)
    return Text(f"{value:+,.2f}", style="green" if value > 0 else "red" if value < 0 else "")


def show(console: Console, result: Result, metrics: Metrics) -> None:
    """Prints a result: figures of all curves, breakdowns, refusals, notes."""
    console.print(_figures(metrics))
    for name in BREAKDOWNS:
        groups = metrics.breakdowns[name]
        if groups:
            console.print(_breakdown(name, groups))
    refusals: dict[str, int] = {}
    for reasons in result.refusals.values():
        for reason, count in reasons.items():
            refusals[reason] = refusals.get(reason, 0) + count
    meant = {reason: count for reason, count in refusals.items() if reason not in STRANGERS}
    if meant:
        console.print(f"refusals: {escape(_counted(meant))}")
    if len(meant) < len(refusals):
        others = {reason: refusals[reason] for reason in STRANGERS if reason in refusals}
        console.print(
            f"signals for others: {escape(_counted(others))} (each agent is offered every signal, "
            "and takes those of the engines and symbols that it follows)"
        )
    for note in result.notes:
        console.print(f"note: {escape(note)}")
    if not result.trades:
        console.print("no trades were made in this period")


def _counted(counts: dict[str, int]) -> str:
    pairs = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return " ".join(f"{reason}={count}" for reason, count in pairs)


def _figures(metrics: Metrics) -> Table:
    curves = [_Curve("portfolio", metrics.portfolio.performance, metrics.portfolio)]
    if len(metrics.agents) > 1:
        curves += [_Curve(name, each.performance, each) for name, each in metrics.agents.items()]
    curves += [_Curve(f"{name} held", each, None) for name, each in metrics.benchmarks.items()]
    table = Table(box=None, padding=(0, 1))
    table.add_column("", no_wrap=True)
    for each in curves:
        table.add_column(escape(each.name), justify="right", no_wrap=True)
    for name, cell in FIGURES.items():
        table.add_row(LABELS[name], *(cell(each.performance) for each in curves))
    for name, told in TRADED.items():
        table.add_row(
            LABELS.get(name, name),
            *(told(each.measured) if each.measured else "" for each in curves),
        )
    return table


def _gained(measured: Measured) -> float:
    return measured.performance.end - measured.performance.start


def _unrealised(measured: Measured) -> float:
    """What the equity has beyond all that is booked, to the cent."""
    booked = plus(measured.trades.pnl, measured.trades.open_pnl)
    return round(_gained(measured) - float(booked), 2) + 0.0  # not -0


def _fall(fall: Drawdown | None) -> str:
    return share(fall.depth if fall else 0.0)


# A column for each curve, so that a narrow window shows what matters.
FIGURES: dict[str, Callable[[Performance], str]] = {
    "performance.total_return": lambda each: share(each.total_return),
    "performance.cagr": lambda each: share(each.cagr),
    "performance.drawdown_within.depth": lambda each: _fall(each.drawdown_within),
    "performance.drawdown.depth": lambda each: _fall(each.drawdown),
    "performance.sharpe": lambda each: figure(each.sharpe),
    "performance.sortino": lambda each: figure(each.sortino),
    "performance.calmar": lambda each: figure(each.calmar),
}
TRADED: dict[str, Callable[[Measured], str | Text]] = {
    "trades.trades": lambda each: str(each.trades.trades),
    "trades.pnl": lambda each: signed(each.trades.pnl),
    "trades.open_trades": lambda each: str(each.trades.open_trades),
    "trades.open_pnl": lambda each: signed(each.trades.open_pnl),
    "open, unrealised": lambda each: signed(_unrealised(each)),
    "PnL in all": lambda each: signed(_gained(each)),
    "trades.fees": lambda each: figure(each.trades.fees),
    "trades.funding": lambda each: figure(each.trades.funding),
    "trades.win_rate": lambda each: share(each.trades.win_rate),
    "trades.profit_factor": lambda each: figure(each.trades.profit_factor),
    "trades.time_open": lambda each: share(each.trades.time_open),
    "trades.turnover": lambda each: figure(each.trades.turnover),
}


def _breakdown(name: str, groups: dict[str, TradeFigures]) -> Table:
    """Months in their order; others by what they made, the middle left out where there are many."""
    rows = list(groups.items())
    if name != "month":
        rows.sort(key=lambda each: -each[1].pnl)
    left_out = len(rows) - ROWS_MAX if name != "month" else 0
    if left_out > 0:
        rows = [*rows[: ROWS_MAX // 2], *rows[-(ROWS_MAX // 2) :]]
    table = Table(box=None, padding=(0, 1))
    table.add_column(name if name != "reason" else "exit reason", overflow="fold")
    for heading in (
        "trades", "PnL", "win rate", "factor", "average", "held", "fees", "funding", "open",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    for place, (key, each) in enumerate(rows):
        if left_out > 0 and place == ROWS_MAX // 2:
            table.add_row(f"… {left_out} more")
        table.add_row(
            escape(key),
            str(each.trades),
            signed(each.pnl),
            share(each.win_rate),
            figure(each.profit_factor),
            signed(each.average),
            age(each.holding_ms) if each.holding_ms is not None else NONE,
            figure(each.fees),
            figure(each.funding),
            f"{each.open_trades} ({each.open_pnl:+,.2f})" if each.open_trades else "0",
        )
    return table


def show_comparison(console: Console, found: Comparison, *, trades_max: int = 10) -> None:
    """Prints two runs side by side, and the first trades that differ."""
    same = {
        "digest": found.same_digest,
        "candles": found.same_candles,
        "configuration": found.same_config,
        "code": found.same_code,
    }
    console.print(
        "  ".join(f"{what}: {'same' if is_so else 'other'}" for what, is_so in same.items())
    )
    table = Table(box=None, padding=(0, 1))
    table.add_column("")
    for heading in (found.first, found.second, "difference"):
        table.add_column(escape(heading), justify="right", no_wrap=True)
    for line in found.figures:
        table.add_row(
            LABELS[line.name],
            _kind(line.kind, line.first),
            _kind(line.kind, line.second),
            "same" if line.first == line.second else _kind(line.kind, line.difference, sign=True),
        )
    console.print(table)
    for name, trades in ((found.first, found.only_first), (found.second, found.only_second)):
        console.print(f"only in {escape(name)}: {len(trades)} trades")
        for trade in trades[:trades_max]:
            console.print(f"  {escape(_one_line(trade))}")
    console.print(f"in both: {found.equal} equal, {len(found.differing)} with another end")
    for pair in found.differing[:trades_max]:
        one, other = pair.first, pair.second
        told = f"{_one_line(one)} → {other.reason or 'still open'}, {other.pnl:+,.2f}"
        console.print(f"  {escape(told)}")


def _kind(kind: str, value: Number, *, sign: bool = False) -> str:
    if value is None:
        return NONE
    plus = "+" if sign and value > 0 else ""
    if kind == "share":
        return plus + share(float(value))
    if kind == "lasting":
        return ("-" if value < 0 else plus) + age(abs(int(value)))
    if kind == "count":
        return f"{plus}{int(value):,}"
    return plus + figure(value if isinstance(value, Decimal) else float(value))


def _one_line(trade: Trade) -> str:
    opened = datetime.fromtimestamp(trade.opened_ms / 1_000, UTC)
    return (
        f"{opened:%Y-%m-%d %H:%M} {trade.symbol} {trade.side} {trade.agent}: "
        f"{trade.reason or 'still open'}, {trade.pnl:+,.2f}"
    )
