"""Trades and curves out of an agent's course."""

from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from chandler.core.events import Event, Symbol
from chandler.core.positions.state import Open
from chandler.core.trading.events import (
    BalanceChanged,
    Liquidated,
    OrderFilled,
    PositionMarked,
)
from chandler.core.trading.money import ZERO, minus, plus
from chandler.core.trading.position import Position, filled
from chandler.replay.dense.lanes import Ints
from chandler.replay.result import Curve, Trade
from chandler.replay.sparse.agent import Course
from chandler.replay.sparse.prices import Prices


def trades_of(course: Course) -> list[Trade]:
    """The agent's round trips, also those that are still open."""
    first: dict[str, OrderFilled] = {}
    sizes: dict[str, Decimal] = {}
    for fill in course.fills:
        first.setdefault(fill.position, fill)
        if fill.action != "close":
            sizes[fill.position] = plus(sizes.get(fill.position, ZERO), fill.size)
    made = [
        _trade(each.position, each.at, each.exit_notional, each.reason, first, sizes)
        for each in course.closed
    ]
    made += [_open_trade(each, first, sizes) for each in course.open]
    return sorted(made, key=lambda each: (each.opened_ms, each.symbol, each.id))


def _trade(
    last: PositionMarked,
    at: int,
    exited: Decimal,
    reason: str,
    first: Mapping[str, OrderFilled],
    sizes: Mapping[str, Decimal],
) -> Trade:
    entered = minus(exited, last.realised) if last.side == "long" else plus(exited, last.realised)
    return Trade(
        id=last.id,
        agent=last.agent,
        symbol=last.symbol,
        side=last.side,
        source=last.source,
        opened_ms=last.opened_ms,
        closed_ms=at,
        entered=entered,
        exited=exited,
        size=sizes[last.id],
        leverage=last.leverage,
        adds=last.adds,
        realised=last.realised,
        fees=last.fees,
        funding=last.funding,
        reason=reason,
        order=first[last.id].id,
    )


def _open_trade(
    position: Open, first: Mapping[str, OrderFilled], sizes: Mapping[str, Decimal]
) -> Trade:
    money = position.money
    return Trade(
        id=position.id,
        agent=position.agent,
        symbol=money.symbol,
        side=money.side,
        source=position.source,
        opened_ms=money.opened_ms,
        closed_ms=0,
        entered=money.entered,
        exited=money.exited,
        size=sizes[position.id],
        leverage=money.leverage,
        adds=len(position.add_orders),
        realised=money.realised,
        fees=money.fees,
        funding=money.funding,
        reason="",
        order=first[position.id].id,
    )


def curve_of(course: Course, at_ms: Ints, prices: Mapping[Symbol, Prices]) -> Curve:
    """Equity and exposure at each time of `at_ms`."""
    start = course.agent.config.balance
    balances, stretches = _walked(course.events)
    equity = np.full(len(at_ms), float(start))
    ends = [*_begins(balances)[1:], None][: len(balances)]
    for (begin, balance), end in zip(balances, ends, strict=True):
        equity[_between(at_ms, begin, end)] = float(balance)
    exposure = np.zeros(len(at_ms))
    for symbol, steps in stretches.items():
        of = prices[symbol]
        rows = np.searchsorted(of.at, at_ms, "right") - 1
        price = of.mark[np.maximum(rows, 0)] / 10.0**of.places
        after = [*(begin for begin, _ in steps[1:]), None]
        for (begin, position), end in zip(steps, after, strict=True):
            if position is None:
                continue
            span = _between(at_ms, begin, end)
            value = price[span] * float(position.size)
            equity[span] += position.direction * (value - float(position.cost))
            exposure[span] += value
    balance = course.state.balance if course.state is not None else start
    return Curve(start=start, balance=balance, equity=equity, exposure=exposure)


def _begins(steps: list[tuple[int, Decimal]]) -> list[int | None]:
    return [begin for begin, _ in steps]


def _between(at_ms: Ints, begin: int, end: int | None) -> slice:
    """The times at or after `begin` and before `end`."""
    first = int(np.searchsorted(at_ms, begin))
    last = len(at_ms) if end is None else int(np.searchsorted(at_ms, end))
    return slice(first, last)


def _walked(
    events: list[Event],
) -> tuple[list[tuple[int, Decimal]], dict[Symbol, list[tuple[int, Position | None]]]]:
    """From when on there was which balance, and which position in each symbol."""
    balances: list[tuple[int, Decimal]] = []
    stretches: dict[Symbol, list[tuple[int, Position | None]]] = {}
    for event in events:
        if isinstance(event, BalanceChanged):
            balances.append((event.at, event.balance))
        elif isinstance(event, OrderFilled | Liquidated):
            steps = stretches.setdefault(event.symbol, [])
            steps.append((event.at, _after(steps[-1][1] if steps else None, event)))
    return balances, stretches


def _after(before: Position | None, event: OrderFilled | Liquidated) -> Position | None:
    if isinstance(event, Liquidated):
        return None
    return filled(
        before,
        symbol=event.symbol,
        buys=event.buys,
        price=event.price,
        size=event.size,
        fee=event.fee,
        leverage=event.leverage,
        at=event.at,
    ).position
