"""Fills, funding and liquidations into round trips (`trades`) and days (`daily_pnl`).

The arithmetic is core's, and so is its rule: an agent is long, short or flat in a symbol. A fill
goes to what is open there, whatever position it names, as in the executor's books.
"""

from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

import msgspec

from chandler.core.events import Symbol
from chandler.core.trading.events import Direction, FundingPaid, Liquidated, OrderFilled
from chandler.core.trading.money import ZERO, minus, plus, ratio
from chandler.core.trading.position import Position, filled, funded
from services.ledger.fold.placed import Placed, place
from services.ledger.fold.rows import Row, Rows
from services.ledger.tables import daily_pnl, funding, trades

SHOWN = Decimal("1E-12")  # prices for people
WIDE = Context(prec=120)
LIQUIDATED = "liquidated"


def day_of(at: int) -> str:
    """The UTC day: 2024-01-31."""
    return datetime.fromtimestamp(at // 1_000, UTC).strftime("%Y-%m-%d")


def fill_of(rows: Rows, record: Placed, event: OrderFilled, *, cause: str, fault: str) -> Row:
    """Books a fill into its round trip and its day; returns its row for `fills`."""
    deal = _Deal(
        order_id=event.id,
        trade=event.trade,
        account=event.account,
        agent=event.agent,
        symbol=event.symbol,
        position=event.position,
        leg=event.leg,
        action=event.action,
        side=event.side,
        buys=event.buys,
        price=event.price,
        size=event.size,
        fee=event.fee,
        done=event.done,
        leverage=event.leverage,
        stop=event.stop,
        targets=event.targets,
        source=event.source,
        cause=cause,
        fault=fault,
        at=event.at,
    )
    return _booked(rows, record, deal)


def take_liquidation(rows: Rows, record: Placed, event: Liquidated) -> None:
    """The venue's own fill of a position whose margin was gone."""
    if min(event.size, event.price) <= 0:
        return
    deal = _Deal(
        order_id=None,
        trade=f"{LIQUIDATED}-{event.position}",
        account=event.account,
        agent=event.agent,
        symbol=event.symbol,
        position=event.position,
        leg=LIQUIDATED,
        action="close",
        side=event.side,
        buys=event.side == "short",
        price=event.price,
        size=event.size,
        fee=event.fee,
        done=True,
        leverage=0,
        stop=None,
        targets=[],
        source=LIQUIDATED,
        cause="",
        fault="",
        at=event.at,
    )
    rows.add_fill(_booked(rows, record, deal))


def take_funding(rows: Rows, record: Placed, event: FundingPaid) -> None:
    """Funding goes to the round trip that is open, or to the one that it names."""
    row = rows.open_trade(event.agent, event.symbol) or rows.get(trades, event.position)
    if row is not None:
        after = funded(_position(row), amount=event.amount, mark_ms=event.settled_ms)
        rows.put(trades, row | _figures(after) | {"changed_ms": max(row["changed_ms"], event.at)})
    day = _day(rows, event.agent, event.at)
    day["funding"] = plus(day["funding"], event.amount)
    _put_day(rows, day)
    names = ("account", "agent", "symbol", "position", "rate", "mark", "size", "amount")
    rows.add(
        funding,
        {
            **place(record),
            **{name: getattr(event, name) for name in names},
            "trade_id": row["id"] if row is not None else None,
            "settled_ms": event.settled_ms,
            "at": event.at,
        },
    )


def take_balance_change(rows: Rows, agent: str, at: int, change: Decimal) -> None:
    """What the executor's own books say of the day: to be compared with the fills'."""
    day = _day(rows, agent, at)
    day["balance_change"] = plus(day["balance_change"], change)
    _put_day(rows, day)


class _Deal(msgspec.Struct, frozen=True, kw_only=True):
    """A fill, or a liquidation."""

    order_id: str | None
    trade: str
    account: str
    agent: str
    symbol: Symbol
    position: str
    leg: str
    action: str
    side: Direction
    buys: bool
    price: Decimal
    size: Decimal
    fee: Decimal
    done: bool
    leverage: int
    stop: Decimal | None
    targets: list[Decimal]
    source: str
    cause: str
    fault: str
    at: int


def _booked(rows: Rows, record: Placed, deal: _Deal) -> Row:
    row = rows.open_trade(deal.agent, deal.symbol)
    before = None if row is None else _position(row)
    after = filled(
        before,
        symbol=deal.symbol,
        buys=deal.buys,
        price=deal.price,
        size=deal.size,
        fee=deal.fee,
        leverage=deal.leverage,
        at=deal.at,
    )
    if row is None:
        row = _started(rows, record, deal)
    position = after.ended or after.position
    assert position is not None
    trip = _moved(row, record, deal, before, position)
    rows.put(trades, trip)
    if after.ended is not None and after.position is not None:  # more was closed than was open
        over = _moved(_started(rows, record, deal), record, deal, None, after.position)
        rows.put(trades, over)
    _count(rows, deal, after.realised, trip)
    names = ("order_id", "trade", "account", "agent", "symbol", "position", "leg", "action")
    more = ("side", "price", "size", "fee", "done", "source", "fault", "at")
    return {
        **place(record),
        **{name: getattr(deal, name) for name in (*names, *more)},
        "trade_id": trip["id"],
        "realised": after.realised,
    }


def _count(rows: Rows, deal: _Deal, realised: Decimal, trip: Row) -> None:
    day = _day(rows, deal.agent, deal.at)
    day["realised"] = plus(day["realised"], realised)
    day["fees"] = plus(day["fees"], deal.fee)
    day["fills"] += 1
    if trip["closed_ms"] is not None:
        day["trades"] += 1
        day["wins"] += trip["pnl"] > 0
    _put_day(rows, day)


def _started(rows: Rows, record: Placed, deal: _Deal) -> Row:
    trade_id, number = deal.position, 1
    while rows.get(trades, trade_id) is not None:  # the position has ended, and is opened again
        number += 1
        trade_id = f"{deal.position}~{number}"
    side: Direction = "long" if deal.buys else "short"
    zeros = ("size", "cost", "size_max", "entry_size", "entry_notional", "entry_price")
    more = ("exit_size", "exit_notional", "exit_price", "realised", "fees", "funding", "pnl")
    return {
        "id": trade_id,
        "side": side,
        **{name: getattr(deal, name) for name in ("position", "account", "agent", "symbol")},
        **{name: getattr(deal, name) for name in ("source", "cause", "leverage", "stop")},
        "targets": deal.targets,
        **dict.fromkeys((*zeros, *more), ZERO),
        "legs": [],
        "reason": "",
        "fills": 0,
        "entry_order": deal.order_id or "",
        "exit_order": "",
        "opened_ms": deal.at,
        "changed_ms": deal.at,
        "closed_ms": None,
        "duration_ms": None,
        "funded_ms": 0,
        **place(record),
        "exit_written_ms": record.written_ms,
    }


def _moved(row: Row, record: Placed, deal: _Deal, before: Position | None, now: Position) -> Row:
    """The round trip after the fill that made `now` of it."""
    size = before.size if before is not None else ZERO
    opened = max(minus(now.size, size), ZERO)
    closed = max(minus(size, now.size), ZERO)
    after = row | _figures(now)
    after["size_max"] = max(row["size_max"], now.size)
    after["entry_size"] = plus(row["entry_size"], opened)
    after["exit_size"] = plus(row["exit_size"], closed)
    after["entry_price"] = _price(after["entry_notional"], after["entry_size"])
    after["exit_price"] = _price(after["exit_notional"], after["exit_size"])
    after["legs"] = row["legs"] if deal.leg in row["legs"] else [*row["legs"], deal.leg]
    after["fills"] += 1
    after["changed_ms"] = max(row["changed_ms"], deal.at)
    after["exit_written_ms"] = max(row["exit_written_ms"], record.written_ms)
    if not now.size:
        after["closed_ms"] = after["changed_ms"]
        after["duration_ms"] = after["closed_ms"] - row["opened_ms"]
        after["reason"] = deal.source
        after["exit_order"] = deal.order_id or ""
    return after


def _position(row: Row) -> Position:
    return Position(
        symbol=row["symbol"],
        side=row["side"],
        size=row["size"],
        cost=row["cost"],
        leverage=row["leverage"],
        opened_ms=row["opened_ms"],
        changed_ms=row["changed_ms"],
        entered=row["entry_notional"],
        exited=row["exit_notional"],
        realised=row["realised"],
        fees=row["fees"],
        funding=row["funding"],
        funded_ms=row["funded_ms"],
    )


def _figures(position: Position) -> Row:
    return {
        "size": position.size,
        "cost": position.cost,
        "leverage": position.leverage,
        "entry_notional": position.entered,
        "exit_notional": position.exited,
        "realised": position.realised,
        "fees": position.fees,
        "funding": position.funding,
        "funded_ms": position.funded_ms,
        "pnl": minus(position.realised, position.fees, position.funding),
    }


def _price(notional: Decimal, size: Decimal) -> Decimal:
    return ratio(notional, size).quantize(SHOWN, context=WIDE) if size else ZERO


def _day(rows: Rows, agent: str, at: int) -> dict[str, Any]:
    day = day_of(at)
    row = rows.get(daily_pnl, agent, day)
    if row is not None:
        return dict(row)
    money = ("realised", "fees", "funding", "pnl", "balance_change")
    counts = ("fills", "trades", "wins")
    return {"agent": agent, "day": day, **dict.fromkeys(money, ZERO), **dict.fromkeys(counts, 0)}


def _put_day(rows: Rows, day: Row) -> None:
    day["pnl"] = minus(day["realised"], day["fees"], day["funding"])
    rows.put(daily_pnl, day)
