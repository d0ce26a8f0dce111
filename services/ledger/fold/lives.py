"""Order events into `orders`, `order_events` and `fills`; core's fold says what an order is.

A fill's money counts whatever the order's life says of it: it is the executor's word that it
happened. What must not happen is named in `fault`.
"""

from typing import Any

from chandler.core.trading.events import (
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    OrderSent,
    OrderUnknown,
)
from chandler.core.trading.money import ZERO, plus, shown, times
from chandler.core.trading.orders import Fault, Order, OrderEvent, Trade, step
from services.ledger.fold.placed import Placed, place
from services.ledger.fold.rows import Row, Rows
from services.ledger.fold.trips import fill_of
from services.ledger.tables import order_events, orders

NOT_REQUESTED = "not_requested"
_OF_REQUEST = (
    "shard",
    "seq",
    "position",
    "leg",
    "action",
    "side",
    "size",
    "leverage",
    "price",
    "stop",
    "targets",
    "cause",
    "source",
    "reason",
)
_OF_FILL = ("position", "leg", "action", "side", "leverage", "stop", "targets", "source")


def take_order_event(rows: Rows, record: Placed, event: OrderEvent) -> None:
    """One event of one order."""
    row = rows.get(orders, event.id)
    if row is None:
        rows.no_fills(event.id)
    order = _order(rows, row)
    stepped = step(order, event)
    after = dict(row) if row is not None else _blank(record, event)
    after["events"] += 1
    after["changed_ms"] = max(after["changed_ms"], event.at)
    if isinstance(event, OrderRequested) and stepped.changed:
        after |= _request(event) | place(record)
    if stepped.order is not None:
        after |= _figures(stepped.order)
    if isinstance(event, OrderRefused) and stepped.changed:
        after["code"] = event.code
    if isinstance(event, OrderFilled):
        _book(rows, record, event, after, stepped.fault)
    rows.put(orders, after)
    fault = stepped.fault.kind if stepped.fault else ""
    rows.add(
        order_events,
        {
            **place(record),
            "order_id": event.id,
            "type": type(event).__name__,
            "state": after["state"],
            "fault": fault,
            "detail": stepped.fault.detail if stepped.fault else _detail(event),
            "at": event.at,
        },
    )


def _book(rows: Rows, record: Placed, event: OrderFilled, order: Row, fault: Fault | None) -> None:
    """The fill's money, once for each (order, trade), into its round trip and its day."""
    if event.trade in rows.fills_of(event.id) or min(event.size, event.price) <= 0:
        return
    if order["requested_ms"] is None:  # the venue's own: a stop that it held
        order |= {name: getattr(event, name) for name in _OF_FILL}
        order["state"] = "filled" if event.done else order["state"]
    order["filled"] = plus(order["filled"], event.size)
    order["notional"] = plus(order["notional"], times(event.price, event.size))
    order["fees"] = plus(order["fees"], event.fee)
    cause = order["cause"] or ""
    rows.add_fill(fill_of(rows, record, event, cause=cause, fault=fault.kind if fault else ""))


def _order(rows: Rows, row: Row | None) -> Order | None:
    if row is None or row["requested_ms"] is None:
        return None
    booked = rows.fills_of(row["id"]).values()
    return Order(
        id=row["id"],
        account=row["account"],
        agent=row["agent"],
        symbol=row["symbol"],
        position=row["position"],
        leg=row["leg"],
        action=row["action"],
        side=row["side"],
        size=row["size"],
        state=row["state"],
        venue_id=row["venue_id"],
        trades=tuple(
            Trade(trade=one["trade"], price=one["price"], size=one["size"])
            for one in booked
            if not one["fault"]
        ),
        cancelled_at=row["cancelled_at"],
        reason=row["told"],
        requested_ms=row["requested_ms"],
        sent_ms=row["sent_ms"],
        changed_ms=row["changed_ms"],
    )


def _figures(order: Order) -> Row:
    return {
        "state": order.state,
        "venue_id": order.venue_id,
        "cancelled_at": order.cancelled_at,
        "told": order.reason,
        "sent_ms": order.sent_ms,
    }


def _request(event: OrderRequested) -> Row:
    return {
        **{name: getattr(event, name) for name in _OF_REQUEST},
        "account": event.account,
        "agent": event.agent,
        "symbol": event.symbol,
        "requested_ms": event.at,
        "ready_ms": event.ready_ms,
        "signed_ms": event.sent_ms or None,
    }


def _blank(record: Placed, event: OrderEvent) -> Row:
    """An order of which nothing is known but its id."""
    nothing: dict[str, Any] = dict.fromkeys(column.name for column in orders.c)
    return nothing | {
        "id": event.id,
        "account": event.account,
        "agent": event.agent,
        "symbol": event.symbol,
        "state": NOT_REQUESTED,
        "venue_id": "",
        "filled": ZERO,
        "notional": ZERO,
        "fees": ZERO,
        "code": "",
        "told": "",
        "sent_ms": 0,
        "changed_ms": event.at,
        "events": 0,
        **place(record),
    }


def _detail(event: OrderEvent) -> str:
    """What is worth a line."""
    if isinstance(event, OrderRequested):
        return event.reason
    if isinstance(event, OrderFilled):
        return f"{shown(event.size)} at {shown(event.price)}, fee {shown(event.fee)}"
    if isinstance(event, OrderRefused):
        return f"{event.code} {event.reason}".strip()
    if isinstance(event, OrderCancelled):
        return f"{event.reason}, {shown(event.filled)} filled"
    if isinstance(event, OrderUnknown):
        return event.reason
    if isinstance(event, OrderAccepted):
        return event.venue_id
    return str(event.at) if isinstance(event, OrderSent) else ""
