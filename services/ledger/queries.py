"""Questions to the ledger. Sums are made here, in Decimal: SQLite could only add floats."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Table, func, select

from chandler.core.granularity import DAY_MS
from chandler.core.trading.money import ZERO, minus, plus
from services.ledger.tables import (
    balance_changes,
    balances,
    daily_pnl,
    fills,
    orders,
    refusals,
    signals,
    trades,
)

Rows = list[dict[str, Any]]

EARNED = ("fill", "funding", "liquidation")  # kinds of balance changes that are PnL


class Wanted(NamedTuple):
    """Which rows; empty: all."""

    agent: str = ""
    symbol: str = ""
    engine: str = ""
    day_ms: int | None = None  # start of a UTC day
    limit: int = 0  # 0: all
    agents: tuple[str, ...] = ()  # of these only
    since_ms: int = 0  # none of before
    until_ms: int = 0  # none from then on; 0: no end


def closed_trades(connection: Connection, wanted: Wanted) -> Rows:
    """Round trips that have ended, newest first."""
    statement = select(trades).where(trades.c.closed_ms.is_not(None))
    statement = statement.order_by(trades.c.closed_ms.desc(), trades.c.id)
    return _rows(connection, _narrowed(statement, trades, "closed_ms", wanted))


def pnl_by(connection: Connection, column: str, wanted: Wanted) -> Rows:
    """Figures of the closed round trips by agent, source (engine) or symbol; best first."""
    groups: dict[str, Rows] = {}
    for row in trips(connection, wanted._replace(limit=0)):
        groups.setdefault(row[column], []).append(row)
    made = [{column: name, **figures(rows)} for name, rows in groups.items()]
    made.sort(key=lambda row: (-row["pnl"], row[column]))
    return made[: wanted.limit or None]


def trips(connection: Connection, wanted: Wanted) -> Rows:
    """What `figures` needs of the closed round trips, in no order."""
    names = ("agent", "symbol", "source", "pnl", "realised", "fees", "funding", "duration_ms")
    statement = select(*(trades.c[name] for name in names)).where(trades.c.closed_ms.is_not(None))
    return _rows(connection, _narrowed(statement, trades, "closed_ms", wanted))


def agents(connection: Connection, wanted: Wanted) -> Rows:
    """Each agent's balance and figures; those without a trade too."""
    known = {row["agent"]: row for row in pnl_by(connection, "agent", wanted._replace(limit=0))}
    statement = _whose(select(balances).order_by(balances.c.agent), balances, wanted)
    names = ("agent", "account", "start", "transfers", "balance")
    held = {
        row["agent"]: {name: row[name] for name in names} for row in _rows(connection, statement)
    }
    nothing: dict[str, Any] = dict.fromkeys(names)
    made = [
        {**nothing, "agent": name, **figures([]), **known.get(name, {}), **held.get(name, {})}
        for name in sorted(known.keys() | held.keys())
    ]
    return made[: wanted.limit or None]


def days(connection: Connection, wanted: Wanted) -> Rows:
    """PnL by UTC day and agent, newest first; fees of open positions are in it."""
    statement = select(daily_pnl).order_by(daily_pnl.c.day.desc(), daily_pnl.c.agent)
    statement = _whose(statement, daily_pnl, wanted)
    if wanted.day_ms is not None:
        from services.ledger.fold.trips import day_of

        statement = statement.where(daily_pnl.c.day == day_of(wanted.day_ms))
    return _rows(connection, statement.limit(wanted.limit or None))


def order_rows(connection: Connection, wanted: Wanted) -> Rows:
    """Orders as they stand, newest first."""
    statement = select(orders).order_by(orders.c.changed_ms.desc(), orders.c.id)
    return _rows(connection, _narrowed(statement, orders, "changed_ms", wanted))


def refusal_rows(connection: Connection, wanted: Wanted) -> Rows:
    """Orders that were not made, newest first."""
    places = (refusals.c.kafka_partition, refusals.c.kafka_offset.desc())
    statement = select(refusals).order_by(refusals.c.at.desc(), *places)
    return _rows(connection, _narrowed(statement, refusals, "at", wanted))


def refusal_counts(connection: Connection, wanted: Wanted) -> dict[tuple[str, str], int]:
    """How many refusals there were, by agent and reason."""
    by = (refusals.c.agent, refusals.c.reason)
    statement = select(*by, func.count()).group_by(*by)
    narrowed = _narrowed(statement, refusals, "at", wanted._replace(limit=0))
    return {(agent, reason): count for agent, reason, count in connection.execute(narrowed)}


def earnings(connection: Connection, wanted: Wanted) -> Rows:
    """What was earned and paid, in order of time: agent, symbol, at, change."""
    names = ("agent", "symbol", "at", "change")
    places = (balance_changes.c.kafka_partition, balance_changes.c.kafka_offset)
    statement = select(*(balance_changes.c[name] for name in names))
    statement = statement.where(balance_changes.c.kind.in_(EARNED))
    statement = statement.order_by(balance_changes.c.at, *places)
    return _rows(connection, _narrowed(statement, balance_changes, "at", wanted))


def newest_ms(connection: Connection) -> int:
    """The newest event time of what was traded or refused; 0: nothing was."""
    newest = (
        connection.execute(select(func.max(time))).scalar()
        for time in (balance_changes.c.at, refusals.c.at, trades.c.closed_ms)
    )
    return max((each for each in newest if each is not None), default=0)


def trade_like(connection: Connection, text: str) -> Rows:
    """The round trips whose id begins so, or that an order of this id is part of; two at most."""
    starts = trades.c.id.startswith(text, autoescape=True)
    of_order = (trades.c.entry_order == text) | (trades.c.exit_order == text)
    statement = select(trades).where(starts | of_order).order_by(trades.c.id)
    exact = _rows(connection, select(trades).where(trades.c.id == text))
    return exact or _rows(connection, statement.limit(2))


def fills_of(connection: Connection, trade: str) -> Rows:
    """A round trip's fills, in order."""
    places = (fills.c.kafka_partition, fills.c.kafka_offset)
    return _rows(connection, select(fills).where(fills.c.trade_id == trade).order_by(*places))


def signal_of(connection: Connection, cause: str) -> dict[str, Any] | None:
    """The signal of this id."""
    found = _rows(connection, select(signals).where(signals.c.id == cause).limit(1))
    return found[0] if found else None


def figures(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Trades, wins, sums, extremes and the profit factor of what `trips` found."""
    found = list(rows)
    wins = [row for row in found if row["pnl"] > 0]

    def total(name: str, of: Rows = found, keep: Callable[[Decimal], bool] = bool) -> Decimal:
        return plus(*(row[name] for row in of if keep(row[name])))

    lost = total("pnl", keep=lambda pnl: pnl < 0)
    won = total("pnl", of=wins)
    return {
        "trades": len(found),
        "wins": len(wins),
        "pnl": total("pnl"),
        "realised": total("realised"),
        "fees": total("fees"),
        "funding": total("funding"),
        "best": max((row["pnl"] for row in found), default=ZERO),
        "worst": min((row["pnl"] for row in found), default=ZERO),
        # None: nothing was lost yet.
        "profit_factor": round(float(won / minus(ZERO, lost)), 2) if lost else None,
        "minutes": round(sum(row["duration_ms"] for row in found) / 60_000 / len(found), 1)
        if found
        else None,
    }


def _narrowed(statement: Select[Any], table: Table, time: str, wanted: Wanted) -> Select[Any]:
    statement = _whose(statement, table, wanted)
    if wanted.symbol:
        statement = statement.where(table.c.symbol == wanted.symbol)
    if wanted.since_ms:
        statement = statement.where(table.c[time] >= wanted.since_ms)
    if wanted.until_ms:
        statement = statement.where(table.c[time] < wanted.until_ms)
    if wanted.engine:
        statement = statement.where(table.c.source == wanted.engine)
    if wanted.day_ms is not None:
        begin, end = wanted.day_ms, wanted.day_ms + DAY_MS
        statement = statement.where(table.c[time] >= begin, table.c[time] < end)
    return statement.limit(wanted.limit or None)


def _whose(statement: Select[Any], table: Table, wanted: Wanted) -> Select[Any]:
    if wanted.agent:
        statement = statement.where(table.c.agent == wanted.agent)
    if wanted.agents:
        statement = statement.where(table.c.agent.in_(wanted.agents))
    return statement


def _rows(connection: Connection, statement: Select[Any]) -> Rows:
    return [dict(row) for row in connection.execute(statement).mappings()]
