"""The ledger's rows as tables for people."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chandler.core.trading.money import plus, shown
from services.cli.desk.columns import console
from services.showing.figures import lasting, money, price

ID_SHOWN = 10  # characters: enough for a command to find it


class _Column(NamedTuple):
    heading: str
    name: str
    show: Callable[[Any], Text | str] = str
    right: bool = False


def _pnl(value: Decimal) -> Text:
    style = "green" if value > 0 else "red" if value < 0 else ""
    return Text(money(value), style=style)


def moment(at: int | None) -> str:
    """2024-01-31 12:00:05, UTC."""
    if at is None:
        return "-"
    return datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _short(value: str) -> str:
    return value[:ID_SHOWN]


def _known(value: Any) -> str:
    return "-" if value in (None, "") else str(value)


_SIDE = _Column("side", "side", _known)
_WHO = (_Column("agent", "agent"), _Column("symbol", "symbol"), _SIDE)
_FIGURES = (
    _Column("trades", "trades", str, True),
    _Column("wins", "wins", str, True),
    _Column("PnL", "pnl", _pnl, True),
    _Column("realised", "realised", money, True),
    _Column("fees", "fees", money, True),
    _Column("funding", "funding", money, True),
    _Column("best", "best", money, True),
    _Column("worst", "worst", money, True),
    _Column("profit factor", "profit_factor", _known, True),
    _Column("minutes", "minutes", _known, True),
)
COLUMNS: dict[str, tuple[_Column, ...]] = {
    "trades": (
        _Column("trade", "id", _short),
        *_WHO,
        _Column("source", "source"),
        _Column("size", "entry_size", shown, True),
        _Column("entry", "entry_price", price, True),
        _Column("exit", "exit_price", price, True),
        _Column("PnL", "pnl", _pnl, True),
        _Column("fees", "fees", money, True),
        _Column("funding", "funding", money, True),
        _Column("reason", "reason"),
        _Column("closed (UTC)", "closed_ms", moment),
        _Column("lasted", "duration_ms", lasting, True),
    ),
    "agents": (
        _Column("agent", "agent"),
        _Column("account", "account", _known),
        _Column("start", "start", money, True),
        _Column("balance", "balance", money, True),
        *_FIGURES,
    ),
    "engines": (_Column("engine", "source"), *_FIGURES),
    "symbols": (_Column("symbol", "symbol"), *_FIGURES),
    "days": (
        _Column("day (UTC)", "day"),
        _Column("agent", "agent"),
        _Column("fills", "fills", str, True),
        _Column("trades", "trades", str, True),
        _Column("wins", "wins", str, True),
        _Column("PnL", "pnl", _pnl, True),
        _Column("realised", "realised", money, True),
        _Column("fees", "fees", money, True),
        _Column("funding", "funding", money, True),
        _Column("books", "balance_change", money, True),
    ),
    "orders": (
        _Column("order", "id", _short),
        *_WHO,
        _Column("action", "action", _known),
        _Column("leg", "leg", _known),
        _Column("source", "source", _known),
        _Column("state", "state"),
        _Column("size", "size", lambda value: "-" if value is None else shown(value), True),
        _Column("filled", "filled", shown, True),
        _Column("price", "price", price, True),
        _Column("changed (UTC)", "changed_ms", moment),
        _Column("told", "told", _known),
    ),
    "refusals": (
        _Column("at (UTC)", "at", moment),
        *_WHO,
        _Column("source", "source"),
        _Column("reason", "reason"),
        _Column("detail", "detail"),
    ),
}
SUMMED = ("trades", "wins", "pnl", "realised", "fees", "funding", "fills", "balance_change")


def show(name: str, rows: list[dict[str, Any]]) -> None:
    """Prints rows as the table of this name, with sums below where there are figures."""
    if not rows:
        Console().print(f"no {name}")
        return
    columns = COLUMNS[name]
    has_sums = name not in ("orders", "refusals") and len(rows) > 1
    table = Table(box=None, show_footer=has_sums)
    for column in columns:
        footer = _sum(column, rows) if has_sums else ""
        justify: Any = "right" if column.right else "left"
        table.add_column(column.heading, footer, justify=justify, no_wrap=column.name != "detail")
    for row in rows:
        table.add_row(*(column.show(row[column.name]) for column in columns))
    console().print(table)


def _sum(column: _Column, rows: list[dict[str, Any]]) -> Text | str:
    if column.name not in SUMMED:
        return ""
    values = [row[column.name] for row in rows]
    if all(isinstance(value, int) for value in values):
        return str(sum(values))
    return column.show(plus(*values))
