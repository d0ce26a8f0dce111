"""Questions to the ledger. Sums are made here, in Decimal: SQLite could only add floats."""

from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Table, func, select

from chandler.core.trading.money import ZERO, minus, plus
from services.ledger.lists import (
    ORDERS,
    REFUSALS,
    TRADES,
    narrowed,
    page,
    rows,
    whose,
)
from services.ledger.lists import Rows as Rows
from services.ledger.lists import Wanted as Wanted
from services.ledger.tables import (
    balance_changes,
    balances,
    daily_pnl,
    fills,
    order_events,
    orders,
    positions,
    refusals,
    signals,
    trades,
)

EARNED = ("fill", "funding", "liquidation")  # kinds of balance changes that are PnL


def closed_trades(connection: Connection, wanted: Wanted) -> Rows:
    """Round trips that have ended, newest first."""
    return page(connection, TRADES, wanted)


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
    return rows(connection, narrowed(statement, trades, "closed_ms", wanted))


def agents(connection: Connection, wanted: Wanted) -> Rows:
    """Each agent's balance and figures; those without a trade too."""
    known = {row["agent"]: row for row in pnl_by(connection, "agent", wanted._replace(limit=0))}
    statement = whose(select(balances).order_by(balances.c.agent), balances, wanted)
    names = ("agent", "account", "start", "transfers", "balance")
    held = {
        row["agent"]: {name: row[name] for name in names} for row in rows(connection, statement)
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
    statement = whose(statement, daily_pnl, wanted)
    if wanted.day_ms is not None:
        from services.ledger.fold.trips import day_of

        statement = statement.where(daily_pnl.c.day == day_of(wanted.day_ms))
    return rows(connection, statement.limit(wanted.limit or None))


def order_rows(connection: Connection, wanted: Wanted) -> Rows:
    """Orders as they stand, newest first."""
    return page(connection, ORDERS, wanted)


def refusal_rows(connection: Connection, wanted: Wanted) -> Rows:
    """Orders that were not made, newest first."""
    return page(connection, REFUSALS, wanted)


def refusal_counts(connection: Connection, wanted: Wanted) -> dict[tuple[str, str], int]:
    """How many refusals there were, by agent and reason."""
    by = (refusals.c.agent, refusals.c.reason)
    statement = select(*by, func.count()).group_by(*by)
    found = connection.execute(narrowed(statement, refusals, "at", wanted._replace(limit=0)))
    return {(agent, reason): count for agent, reason, count in found}


def earnings(connection: Connection, wanted: Wanted) -> Rows:
    """What was earned and paid, in order of time: agent, symbol, at, change."""
    names = ("agent", "symbol", "at", "change")
    places = (balance_changes.c.kafka_partition, balance_changes.c.kafka_offset)
    statement = select(*(balance_changes.c[name] for name in names))
    statement = statement.where(balance_changes.c.kind.in_(EARNED))
    statement = statement.order_by(balance_changes.c.at, *places)
    return rows(connection, narrowed(statement, balance_changes, "at", wanted))


def balance_points(connection: Connection, wanted: Wanted) -> Rows:
    """Each change of balances, in order of time: agent, at, kind, change, balance afterwards.

    With a limit the newest ones.
    """
    names = ("agent", "at", "kind", "change", "balance")
    of = balance_changes.c
    newest = (of.at.desc(), of.kafka_partition.desc(), of.kafka_offset.desc())
    statement = select(*(of[name] for name in names)).order_by(*newest)
    return rows(connection, narrowed(statement, balance_changes, "at", wanted))[::-1]


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
    exact = rows(connection, select(trades).where(trades.c.id == text))
    return exact or rows(connection, statement.limit(2))


def fills_of(connection: Connection, trade: str) -> Rows:
    """A round trip's fills, in order."""
    places = (fills.c.kafka_partition, fills.c.kafka_offset)
    return rows(connection, select(fills).where(fills.c.trade_id == trade).order_by(*places))


def order_of(connection: Connection, order: str) -> dict[str, Any] | None:
    """The order of this id."""
    return _one(connection, orders, order)


def trade_of(connection: Connection, trade: str) -> dict[str, Any] | None:
    """The round trip of this id, open or closed."""
    return _one(connection, trades, trade)


def position_of(connection: Connection, position: str) -> dict[str, Any] | None:
    """The position of this id, open or closed, as topic positions has it."""
    return _one(connection, positions, position)


def order_events_of(connection: Connection, order: str) -> Rows:
    """What became of an order, in order."""
    of = order_events.c
    statement = select(order_events).where(of.order_id == order)
    return rows(connection, statement.order_by(of.kafka_partition, of.kafka_offset))


def fills_by(connection: Connection, column: str, value: str) -> Rows:
    """Fills of an order (`order_id`) or a position, in order of time."""
    of = fills.c
    statement = select(fills).where(of[column] == value)
    return rows(connection, statement.order_by(of.at, of.kafka_partition, of.kafka_offset))


def come_of(
    connection: Connection, causes: Collection[str], wanted: Wanted
) -> dict[str, tuple[int, int]]:
    """Of each signal or exit of these ids that led to any: how many orders, and refusals."""
    counts: list[dict[str, int]] = []
    for table in (orders, refusals):
        of = table.c.cause
        statement = select(of, func.count()).where(of.in_(causes)).group_by(of)
        found = connection.execute(whose(statement, table, wanted))
        counts.append({cause: count for cause, count in found})  # noqa: C416 (rows, no pairs)
    return {
        cause: (counts[0].get(cause, 0), counts[1].get(cause, 0))
        for cause in counts[0].keys() | counts[1].keys()
    }


def signal_of(connection: Connection, cause: str) -> dict[str, Any] | None:
    """The signal of this id."""
    found = rows(connection, select(signals).where(signals.c.id == cause).limit(1))
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


def _one(connection: Connection, table: Table, key: str) -> dict[str, Any] | None:
    found = rows(connection, select(table).where(table.c.id == key))
    return found[0] if found else None
