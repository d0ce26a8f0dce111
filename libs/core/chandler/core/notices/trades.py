"""Trades as notices: entry, add, partial exit, exit, liquidation.

An entry is told at a position's first fill; an add and a partial exit when their order is done,
with all its fills; an exit when the position has ended. A position's size comes from the fills
alone: topics don't wait for one another. Who asked for an entry is told what became of its order.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

import msgspec

from chandler.core.events import Event, Symbol
from chandler.core.hashing import digest
from chandler.core.notices.kinds import Notice
from chandler.core.notices.routing import VIA
from chandler.core.notices.words import (
    called,
    in_words,
    lasting,
    moment,
    money,
    number,
    one_line,
    price,
    result,
    signed,
)
from chandler.core.trading.events import (
    Action,
    Direction,
    Liquidated,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    PositionClosed,
    PositionMarked,
)
from chandler.core.trading.money import ZERO, minus, plus, ratio, times, to_step
from chandler.core.trading.position import Position, filled

OPEN_MAX = 2_000  # positions that are remembered; beyond it the oldest is forgotten
FILLING_MAX = 2_000  # orders under way, likewise
PRICE_STEP = Decimal("0.00000001")  # an average price is for display only
NOBODY: Mapping[str, str] = {}

V = TypeVar("V")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What was filled so far of an order that adds or closes."""

    position: str
    agent: str
    symbol: Symbol
    action: Action
    side: Direction
    source: str
    size: Decimal = ZERO
    value: Decimal = ZERO  # Σ price × size
    fee: Decimal = ZERO
    realised: Decimal = ZERO


class Forced(msgspec.Struct, frozen=True, kw_only=True):
    """An order that a person asked for, and what was filled of it."""

    command: str
    who: str
    agent: str
    symbol: Symbol
    buys: bool
    size: Decimal = ZERO
    value: Decimal = ZERO  # Σ price × size
    fee: Decimal = ZERO


class Trades(msgspec.Struct, frozen=True, kw_only=True):
    """Open positions as the fills say, and orders under way."""

    open: dict[str, Position] = {}
    filling: dict[str, Part] = {}
    forced: dict[str, Forced] = {}


def take(
    trades: Trades, event: Event, cause: str, asked: Mapping[str, str] = NOBODY
) -> tuple[Trades, list[Notice]]:
    """The trades after an event, and what is to be told of it. `asked`: command → who.

    ArithmeticError where the event's figures are no numbers: the trades then stay as they are.
    """
    after, notices = _told(trades, event, cause)
    forced, answers = _forced(after.forced, event, asked)
    if forced is not after.forced:
        after = msgspec.structs.replace(after, forced=forced)
    return after, [*notices, *answers]


def _told(trades: Trades, event: Event, cause: str) -> tuple[Trades, list[Notice]]:
    match event:
        case OrderFilled():
            return _filled(trades, event, cause)
        case OrderCancelled():
            return _done(trades, event.id, event.at, cause)
        case Liquidated():
            rest = {name: each for name, each in trades.open.items() if name != event.position}
            return msgspec.structs.replace(trades, open=rest), [_liquidation(event, cause)]
        case PositionClosed():
            return trades, [_exit(event, cause)]
    return trades, []


def net(position: PositionMarked) -> Decimal:
    """PnL of what was closed: realised less fees and funding."""
    return minus(position.realised, position.fees, position.funding)


def entered(event: PositionClosed) -> Decimal:
    """Entry notional of a round trip: what was got for it, less what was realised."""
    direction = 1 if event.position.side == "long" else -1
    return minus(event.exit_notional, times(event.position.realised, Decimal(direction)))


def _filled(trades: Trades, event: OrderFilled, cause: str) -> tuple[Trades, list[Notice]]:
    if not (event.price.is_finite() and event.size.is_finite() and event.fee.is_finite()):
        raise ArithmeticError("a fill of no number")
    if min(event.price, event.size) <= 0:
        raise ArithmeticError("a fill of nothing")
    before = trades.open.get(event.position)
    if before is None and event.action == "close":
        return trades, []  # its entry was never seen: PositionClosed tells the end
    if before is not None and before.side != event.side:
        raise ArithmeticError("a fill of the other side")
    closes = event.action == "close"
    size = min(event.size, before.size) if closes and before is not None else event.size
    after = filled(
        before,
        symbol=event.symbol,
        buys=event.buys,
        price=event.price,
        size=size,
        fee=event.fee,
        leverage=event.leverage,
        at=event.at,
    )
    remaining = {name: each for name, each in trades.open.items() if name != event.position}
    if after.position is not None:
        remaining[event.position] = after.position
    trades = msgspec.structs.replace(trades, open=_newest(remaining, OPEN_MAX))
    if event.action == "open":
        return trades, [_entry(event, cause)] if before is None else []
    part = trades.filling.get(event.id) or Part(
        position=event.position,
        agent=event.agent,
        symbol=event.symbol,
        action=event.action,
        side=event.side,
        source=event.source,
    )
    part = msgspec.structs.replace(
        part,
        size=plus(part.size, size),
        value=plus(part.value, times(event.price, size)),
        fee=plus(part.fee, event.fee),
        realised=plus(part.realised, after.realised),
    )
    filling = _newest({**trades.filling, event.id: part}, FILLING_MAX)
    trades = msgspec.structs.replace(trades, filling=filling)
    return _done(trades, event.id, event.at, cause) if event.done else (trades, [])


def _done(trades: Trades, order: str, at: int, cause: str) -> tuple[Trades, list[Notice]]:
    """After the end of an order; nothing is told where none of it was filled, or all is closed."""
    part = trades.filling.get(order)
    if part is None:
        return trades, []
    filling = {name: each for name, each in trades.filling.items() if name != order}
    trades = msgspec.structs.replace(trades, filling=filling)
    position = trades.open.get(part.position)
    if part.action == "add":
        return trades, [_add(part, position, at, cause)]
    return trades, [_partial(part, position, at, cause)] if position is not None else []


def _forced(
    forced: dict[str, Forced], event: Event, asked: Mapping[str, str]
) -> tuple[dict[str, Forced], list[Notice]]:
    """The orders that people asked for, and what became of the one that ended."""
    if isinstance(event, OrderRequested):
        who = asked.get(event.cause, "")
        if not who.startswith(VIA) or event.reduce_only or event.id in forced:
            return forced, []
        order = Forced(
            command=event.cause,
            who=who,
            agent=event.agent,
            symbol=event.symbol,
            buys=event.buys,
        )
        return _newest({**forced, event.id: order}, FILLING_MAX), []
    if not isinstance(event, OrderFilled | OrderCancelled | OrderRefused | OrderExpired):
        return forced, []
    known = forced.get(event.id)
    if known is None:
        return forced, []
    if isinstance(event, OrderFilled):
        known = msgspec.structs.replace(
            known,
            size=plus(known.size, event.size),
            value=plus(known.value, times(event.price, event.size)),
            fee=plus(known.fee, event.fee),
        )
        if not event.done:
            return {**forced, event.id: known}, []
    rest = {name: each for name, each in forced.items() if name != event.id}
    return rest, [_outcome(event.id, known, event)]


def _outcome(
    order: str, known: Forced, event: OrderFilled | OrderCancelled | OrderRefused | OrderExpired
) -> Notice:
    """What became of an order, for who asked for it."""
    done = "bought" if known.buys else "sold"
    head = f"{called(known.agent)} {done} nothing of {called(known.symbol)}"
    lines = []
    if known.size:
        at = price(to_step(ratio(known.value, known.size), PRICE_STEP))
        head = f"{called(known.agent)} {done} {number(known.size)} {called(known.symbol)} at {at}"
        lines = [f"{money(known.value)}, fee {money(known.fee)}"]
    match event:
        case OrderRefused():
            lines.append(one_line(f"the venue refused it: {event.code} {event.reason}"))
        case OrderCancelled():
            lines.append(one_line(f"the rest was cancelled: {event.reason}"))
        case OrderExpired():
            lines.append("the venue never took it, and cannot any more")
    return Notice(
        id=digest("forced", order),
        kind="answer",
        at=event.at,
        who=known.who,
        command=known.command,
        head=head,
        lines=[*lines, f"order {order}, {moment(event.at)}"],
    )


def _entry(event: OrderFilled, cause: str) -> Notice:
    value = times(event.price, event.size)
    more = "" if event.done else ", first part"
    targets = ", ".join(price(each) for each in event.targets[:5]) or "none"
    return Notice(
        id=cause,
        kind="entry",
        at=event.at,
        agent=event.agent,
        symbol=event.symbol,
        head=f"{_who(event.agent, event.symbol, 'entry', event.side)} at {price(event.price)}",
        lines=[
            f"size {number(event.size)}{more}, {money(value)} at leverage {event.leverage}",
            f"stop {price(event.stop)}, targets {targets}",
            f"from {called(event.source)}, fee {money(event.fee)}",
            moment(event.at),
        ],
    )


def _add(part: Part, position: Position | None, at: int, cause: str) -> Notice:
    held = f"size now {number(position.size)}, cost {money(position.cost)}, " if position else ""
    return Notice(
        id=cause,
        kind="add",
        at=at,
        agent=part.agent,
        symbol=part.symbol,
        head=f"{_who(part.agent, part.symbol, 'add', part.side)} at {_average(part)}",
        lines=[
            f"size {number(part.size)}, {money(part.value)}, from {called(part.source)}",
            f"{held}fee {money(part.fee)}",
            moment(at),
        ],
    )


def _partial(part: Part, position: Position, at: int, cause: str) -> Notice:
    direction = Decimal(1 if part.side == "long" else -1)
    cost = minus(part.value, times(part.realised, direction))
    pnl = minus(part.realised, part.fee)
    who = _who(part.agent, part.symbol, "partial exit", part.side)
    return Notice(
        id=cause,
        kind="partial_exit",
        at=at,
        agent=part.agent,
        symbol=part.symbol,
        head=f"{who}, {result(pnl, cost)}, {in_words(part.source)}",
        lines=[
            f"size {number(part.size)} at {_average(part)}, still open {number(position.size)}",
            f"realised {signed(part.realised)}, fee {money(part.fee)}",
            moment(at),
        ],
    )


def _exit(event: PositionClosed, cause: str) -> Notice:
    position = event.position
    who = _who(position.agent, event.symbol, "exit", position.side)
    pnl, cost = net(position), entered(event)
    return Notice(
        id=cause,
        kind="exit",
        at=event.at,
        agent=position.agent,
        symbol=event.symbol,
        head=f"{who}, {result(pnl, cost)}, {in_words(event.reason)}",
        lines=[
            f"realised {signed(position.realised)}, fees {money(position.fees)}, "
            f"funding {money(position.funding)}",
            f"entry notional {money(cost)}, from {called(position.source)}, "
            f"held {lasting(event.at - position.opened_ms)}",
            moment(event.at),
        ],
    )


def _liquidation(event: Liquidated, cause: str) -> Notice:
    return Notice(
        id=cause,
        kind="liquidation",
        level="alarm",
        at=event.at,
        agent=event.agent,
        symbol=event.symbol,
        head=f"{_who(event.agent, event.symbol, 'liquidation', event.side)} "
        f"at {price(event.price)}",
        lines=[f"size {number(event.size)}, fee {money(event.fee)}", moment(event.at)],
    )


def _average(part: Part) -> str:
    return price(to_step(ratio(part.value, part.size), PRICE_STEP))


def _who(agent: str, symbol: str, what: str, side: str) -> str:
    return f"{called(agent)}: {what} {side} {called(symbol)}"


def _newest(table: dict[str, V], most: int) -> dict[str, V]:
    return table if len(table) <= most else dict(list(table.items())[-most:])
