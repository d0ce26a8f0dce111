"""The life of an order: a pure fold over the events that topic `orders` holds of it.

    requested ─▶ sent ─▶ accepted ─▶ filled | cancelled
        │         ├────▶ refused | expired
        │         └────▶ unknown ─▶ accepted | filled | cancelled | refused | expired
        └──────────────▶ accepted | filled (paper, or a push that was faster) | refused | expired

The same event again changes nothing: a fill is known by its trade, the others by their state; nor
does what a push has overtaken (sent, unknown, accepted), except that it names the venue's id.
What must not happen is a named fault and leaves the order as it was; it is never an exception:
what the venue holds then is for the reconciliation to find out.
"""

from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from chandler.core.events import Symbol
from chandler.core.trading.events import (
    Action,
    Direction,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    OrderSent,
    OrderUnknown,
)
from chandler.core.trading.money import ZERO, minus, plus, shown, times

OrderState = Literal[
    "requested", "sent", "unknown", "accepted", "filled", "cancelled", "refused", "expired"
]
OrderEvent = (
    OrderRequested
    | OrderSent
    | OrderAccepted
    | OrderFilled
    | OrderCancelled
    | OrderRefused
    | OrderUnknown
    | OrderExpired
)
FaultKind = Literal[
    "not_requested",  # an event of an order that nobody requested
    "of_another",  # the event's account, agent or symbol isn't the order's
    "requested_again",  # another request under the same id
    "sent_again",  # a request that was sent already: it could be at the venue twice
    "not_legal",  # the state doesn't allow it: refused after accepted, expired after a fill …
    "overfilled",  # more than was ordered, or than the cancellation says was filled
    "no_size",  # a fill of nothing, or at no price
    "other_trade",  # a known trade with another price or size
]

replace = msgspec.structs.replace

OPEN: tuple[OrderState, ...] = ("requested", "sent", "unknown", "accepted")
ENDED: tuple[OrderState, ...] = ("filled", "cancelled", "refused", "expired")

_LEGAL: dict[type, tuple[OrderState, ...]] = {
    OrderSent: ("requested",),
    OrderAccepted: ("requested", "sent", "unknown"),
    OrderFilled: ("requested", "sent", "unknown", "accepted"),
    OrderCancelled: ("requested", "sent", "unknown", "accepted"),
    OrderRefused: ("requested", "sent", "unknown"),
    OrderUnknown: ("requested", "sent"),
    OrderExpired: ("requested", "sent", "unknown"),
}
_AFTER: dict[type, OrderState] = {
    OrderSent: "sent",
    OrderAccepted: "accepted",
    OrderCancelled: "cancelled",
    OrderRefused: "refused",
    OrderUnknown: "unknown",
    OrderExpired: "expired",
}


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One fill, as much of it as tells it from another."""

    trade: str
    price: Decimal
    size: Decimal


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an order."""

    id: str
    account: str
    agent: str
    symbol: Symbol
    position: str
    leg: str
    action: Action
    side: Direction  # of the position
    size: Decimal
    state: OrderState = "requested"
    venue_id: str = ""
    trades: tuple[Trade, ...] = ()
    cancelled_at: Decimal | None = None  # filled size that the cancellation tells
    reason: str = ""  # of a cancellation, refusal or unknown
    requested_ms: int  # event time of the request
    sent_ms: int = 0  # event time of OrderSent; 0: none yet
    changed_ms: int

    @property
    def filled(self) -> Decimal:
        """Base coin, so far."""
        return plus(*(each.size for each in self.trades))

    @property
    def left(self) -> Decimal:
        """Base coin that may still be filled; 0 once the order has ended."""
        return ZERO if self.state in ENDED else minus(self.size, self.filled)

    @property
    def notional(self) -> Decimal:
        """Quote coin, Σ price × size of the fills."""
        return plus(*(times(each.price, each.size) for each in self.trades))


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must not happen to an order, by its name."""

    id: str
    kind: FaultKind
    detail: str  # one line: what was expected and found


class Stepped(NamedTuple):
    """What an event made of an order."""

    order: Order | None
    changed: bool  # False: a repeat, or a fault
    fault: Fault | None = None


def step(order: Order | None, event: OrderEvent) -> Stepped:
    """The order after one of its events. `order` is None before the request."""
    if isinstance(event, OrderRequested):
        return _requested(order, event)
    if order is None or order.id != event.id:
        return _fault(order, event, "not_requested", f"{_name(event)} of an order nobody requested")
    if (order.account, order.agent, order.symbol) != (event.account, event.agent, event.symbol):
        expected = f"expected {order.account}, {order.agent}, {order.symbol}"
        found = f"found {event.account}, {event.agent}, {event.symbol}"
        return _fault(order, event, "of_another", f"{expected}; {found}")
    if isinstance(event, OrderFilled):
        return _filled(order, event)
    return _moved(order, event)


def _requested(order: Order | None, event: OrderRequested) -> Stepped:
    made = Order(
        id=event.id,
        account=event.account,
        agent=event.agent,
        symbol=event.symbol,
        position=event.position,
        leg=event.leg,
        action=event.action,
        side=event.side,
        size=event.size,
        requested_ms=event.at,
        changed_ms=event.at,
    )
    if order is None:
        return Stepped(made, changed=True)
    if _request_of(order) == _request_of(made):
        return Stepped(order, changed=False)
    return _fault(order, event, "requested_again", "another request under the same id")


def _filled(order: Order, event: OrderFilled) -> Stepped:
    if min(event.size, event.price) <= 0:
        said = f"a fill of {shown(event.size)} at {shown(event.price)}"
        return _fault(order, event, "no_size", said)
    trade = Trade(trade=event.trade, price=event.price, size=event.size)
    for known in order.trades:
        if known.trade == trade.trade:
            if known == trade:
                return Stepped(order, changed=False)
            expected = f"{shown(known.size)} at {shown(known.price)}"
            found = f"{shown(trade.size)} at {shown(trade.price)}"
            said = f"trade {trade.trade}: expected {expected}, found {found}"
            return _fault(order, event, "other_trade", said)
    if order.state in ("refused", "expired"):
        return _not_legal(order, event)
    after = plus(order.filled, event.size)
    # Pushes come in any order: a fill may follow the last one, or the cancellation.
    most = order.size if order.cancelled_at is None else order.cancelled_at
    if after > most:
        said = f"at most {shown(most)} expected, {shown(after)} filled"
        return _fault(order, event, "overfilled", said)
    state = order.state
    if state in OPEN:
        state = "filled" if event.done or after == order.size else "accepted"
    changed = replace(
        order,
        state=state,
        trades=(*order.trades, trade),
        changed_ms=max(order.changed_ms, event.at),
    )
    return Stepped(changed, changed=True)


def _moved(
    order: Order,
    event: OrderSent | OrderAccepted | OrderCancelled | OrderRefused | OrderUnknown | OrderExpired,
) -> Stepped:
    if isinstance(event, OrderSent) and order.sent_ms:
        return _sent_again(order, event)
    if isinstance(event, OrderUnknown) and order.state not in ("requested", "sent"):
        return Stepped(order, changed=False)  # more is known by now
    if order.state in ("accepted", "filled", "cancelled"):
        late = _late(order, event)
        if late is not None:
            return late
    after = _AFTER[type(event)]
    if order.state == after:
        return Stepped(order, changed=False)
    refuted = order.trades and after in ("refused", "expired")
    if refuted or order.state not in _LEGAL[type(event)]:
        return _not_legal(order, event)
    changed = replace(order, state=after, changed_ms=max(order.changed_ms, event.at))
    if isinstance(event, OrderSent):
        changed = replace(changed, sent_ms=event.at)
    elif isinstance(event, OrderAccepted):
        changed = replace(changed, venue_id=event.venue_id)
    elif isinstance(event, OrderCancelled):
        if not order.filled <= event.filled <= order.size:
            expected = f"from {shown(order.filled)} to {shown(order.size)} filled expected"
            return _fault(order, event, "overfilled", f"{expected}, {shown(event.filled)} found")
        changed = replace(changed, cancelled_at=event.filled, reason=event.reason)
    elif isinstance(event, OrderRefused | OrderUnknown):
        changed = replace(changed, reason=event.reason)
    return Stepped(changed, changed=True)


def _late(order: Order, event: OrderEvent) -> Stepped | None:
    """What the venue's push has overtaken, and repeats; None: it is neither."""
    if isinstance(event, OrderSent):
        return Stepped(replace(order, sent_ms=event.at), changed=True)
    if isinstance(event, OrderAccepted):
        return _named(order, event)
    known = order.filled if order.cancelled_at is None else order.cancelled_at
    if isinstance(event, OrderCancelled) and order.state != "accepted" and event.filled == known:
        return Stepped(order, changed=False)
    if isinstance(event, OrderCancelled) and order.state == "cancelled":
        return _not_legal(order, event)
    return None


def _sent_again(order: Order, event: OrderSent) -> Stepped:
    """The very record again is a repeat; another one means that the request went out twice."""
    if order.sent_ms == event.at:
        return Stepped(order, changed=False)
    said = f"sent at {order.sent_ms} and again at {event.at}"
    return _fault(order, event, "sent_again", said)


def _named(order: Order, event: OrderAccepted) -> Stepped:
    """An acceptance that comes after a push, or again: it tells the venue's id at most."""
    if order.venue_id in (event.venue_id, ""):
        changed = order.venue_id != event.venue_id
        return Stepped(replace(order, venue_id=event.venue_id), changed=changed)
    said = f"accepted as {event.venue_id}, before as {order.venue_id}"
    return _fault(order, event, "not_legal", said)


def _request_of(order: Order) -> tuple[object, ...]:
    return (
        order.account,
        order.agent,
        order.symbol,
        order.position,
        order.leg,
        order.action,
        order.side,
        order.size,
        order.requested_ms,
    )


def _not_legal(order: Order, event: OrderEvent) -> Stepped:
    said = f"{_name(event)} of an order that is {order.state}, {shown(order.filled)} filled"
    return _fault(order, event, "not_legal", said)


def _fault(order: Order | None, event: OrderEvent, kind: FaultKind, detail: str) -> Stepped:
    return Stepped(order, changed=False, fault=Fault(id=event.id, kind=kind, detail=detail))


def _name(event: OrderEvent) -> str:
    return type(event).__name__
