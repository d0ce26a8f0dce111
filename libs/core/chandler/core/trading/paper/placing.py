"""Placing and cancelling: what a venue says of an order at once, before any ticker."""

from decimal import Decimal

import msgspec

from chandler.core.events import Ticker
from chandler.core.trading import matching
from chandler.core.trading.money import ZERO, is_multiple, minus, places, plus, ratio, shown, times
from chandler.core.trading.paper.account import (
    PaperAccount,
    PaperOrder,
    Refused,
    RefusedCode,
    Rules,
    available,
)
from chandler.core.trading.position import Position
from chandler.core.trading.terms import Terms

replace = msgspec.structs.replace


def place(
    account: PaperAccount,
    order: PaperOrder,
    *,
    terms: Terms,
    ticker: Ticker | None,
    rules: Rules,
) -> tuple[PaperAccount, Refused | None]:
    """Takes an order, or refuses it as a venue does at once; fills come with tickers.

    `ticker` is the symbol's newest: the margin is estimated by it.
    """
    position = account.positions.get(order.symbol)
    fault = (
        _form_fault(order, terms)
        or _duplicate_fault(account, order)
        or _reduce_fault(order, position)
    )
    if fault is not None:
        return account, fault
    if order.reduce_only or order.trigger is not None:
        return waiting(account, order), None
    opening = opening_size(order, position)
    if not opening:
        return waiting(account, order), None
    found = ticker and matching.quote(
        ticker,
        buys=order.buys,
        size=opening,
        terms=terms,
        slippage_percent=rules.slippage_percent,
    )
    if not found:
        return account, _refused(order, "no_price", f"{order.symbol} has no price: wait for one")
    notional = times(order.limit or found.price, opening)
    if notional < terms.notional_min:
        expected = f"at least {shown(terms.notional_min)} of notional"
        return account, _refused(order, "notional_min", f"{expected}, found {shown(notional)}")
    bound = needed(order, order.limit or found.price, opening, terms)
    free = available(account)
    if bound > free:
        said = f"margin and fee are {shown(bound)}, available are {shown(free)}"
        return account, _refused(order, "margin", said)
    return waiting(account, replace(order, reserved=bound)), None


def cancel(account: PaperAccount, order: str) -> tuple[PaperAccount, PaperOrder | None]:
    """Without the order, and the order as it was; None: it doesn't wait (any more)."""
    found = account.orders.get(order)
    if found is None:
        return account, None
    orders = {key: each for key, each in account.orders.items() if key != order}
    return replace(account, orders=orders), found


def _form_fault(order: PaperOrder, terms: Terms) -> Refused | None:
    """Whether the order by itself is one that the instrument allows."""
    if not (terms.closes and (terms.opens or order.reduce_only)):
        return _refused(order, "suspended", f"{order.symbol} may not be traded so now")
    if not 1 <= order.leverage <= max(terms.leverage_max, 1):
        expected = f"leverage from 1 to {terms.leverage_max}"
        return _refused(order, "leverage", f"{expected}, found {order.leverage}")
    for price in (order.limit, order.trigger):
        if price is not None and (price <= 0 or not is_multiple(price, terms.price_step)):
            expected = f"a multiple of {shown(terms.price_step)}"
            return _refused(order, "price_step", f"{expected}, found {shown(price)}")
    if order.size is None:
        assert order.trigger is not None, f"order {order.id} without a size is no stop"
        return None
    if order.size <= 0 or not is_multiple(order.size, terms.size_step):
        expected = f"a multiple of {shown(terms.size_step)} above 0"
        return _refused(order, "size_step", f"{expected}, found {shown(order.size)}")
    if order.size < terms.size_min and not order.reduce_only:
        expected = f"at least {shown(terms.size_min)}"
        return _refused(order, "size_min", f"{expected}, found {shown(order.size)}")
    return None


def _duplicate_fault(account: PaperAccount, order: PaperOrder) -> Refused | None:
    if order.id in account.orders:
        return _refused(order, "duplicate", f"order {order.id} is pending already")
    return None


def _reduce_fault(order: PaperOrder, position: Position | None) -> Refused | None:
    """Reduce-only orders and stops of a position need one on the other side."""
    waits = order.trigger is not None and not order.of_position
    if not order.reduce_only or waits:
        return None
    if position is None or (position.side == "long") == order.buys:
        return _refused(order, "no_position", f"{order.symbol} has no position that it reduces")
    return None


def opening_size(order: PaperOrder, position: Position | None) -> Decimal:
    """What of the order opens or adds; the rest closes."""
    assert order.size is not None
    if position is None or (position.side == "long") == order.buys:
        return order.size
    return max(minus(order.size, position.size), ZERO)


def needed(order: PaperOrder, price: Decimal, opening: Decimal, terms: Terms) -> Decimal:
    """Margin and fee of opening so much at a price."""
    notional = times(price, opening)
    fee = places(times(notional, terms.taker_fee))
    return plus(places(ratio(notional, Decimal(order.leverage))), fee)


def waiting(account: PaperAccount, order: PaperOrder) -> PaperAccount:
    """The account with the order among those that wait, new or changed."""
    return replace(account, orders={**account.orders, order.id: order})


def _refused(order: PaperOrder, code: RefusedCode, reason: str) -> Refused:
    return Refused(id=order.id, code=code, reason=reason)
