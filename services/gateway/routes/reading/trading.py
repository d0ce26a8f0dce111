"""Orders, fills, round trips and refusals: from the ledger, a page at a time."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from services.gateway.caller import Caller, at_least, parts_of
from services.gateway.lookups import found, of_whom, paged, wanted
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.routes.reading.signals import signalled
from services.gateway.shapes.forms import IdPath, Listed, of_row
from services.gateway.shapes.traded import (
    CountsAsked,
    Fill,
    Fills,
    FillsAsked,
    OfAgents,
    Order,
    OrderEvent,
    Orders,
    OrdersAsked,
    OrderWhole,
    RefusalCount,
    Refusals,
    RefusalsAsked,
    Refused,
    Trade,
    Trades,
    TradesAsked,
    TradeWhole,
)
from services.ledger import lists, queries
from services.ledger.lists import List, Rows, Wanted
from services.showing.figures import AVERAGE

router = APIRouter(tags=["trading"])
Reader = Annotated[Caller, at_least("viewer", "read")]
Here = Annotated[Parts, Depends(parts_of)]


@router.get("/orders", responses=refusals(401, 403, 404, 503))
async def orders(caller: Reader, parts: Here, asked: Annotated[OrdersAsked, Query()]) -> Orders:
    """Orders as they stand, those that changed last first."""
    equal = {"source": asked.source, "state": asked.state, "cause": asked.cause}
    rows, following = await _page(parts, caller, lists.ORDERS, asked, equal)
    return Listed[Order](items=[_order(row) for row in rows], next=following)


@router.get("/orders/{order}", responses=refusals(401, 403, 404, 503))
async def order(order: IdPath, caller: Reader, parts: Here) -> OrderWhole:
    """One order with what became of it."""

    def ask(connection: Connection) -> tuple[dict[str, Any] | None, Rows, Rows]:
        row = queries.order_of(connection, order)
        events = queries.order_events_of(connection, order)
        return row, events, queries.fills_by(connection, "order_id", order)

    row, events, fills = await found(parts.sources.ledger(ask))
    if row is None or not caller.sees(row["agent"]):
        raise Problem(404, "unknown_order", "no order has this id: see /v1/orders")
    return OrderWhole(
        **_order(row).model_dump(),
        events=[of_row(OrderEvent, each, place=_place("orders", each)) for each in events],
        fills=[fill_of(each) for each in fills],
    )


@router.get("/fills", responses=refusals(401, 403, 404, 503))
async def fills(caller: Reader, parts: Here, asked: Annotated[FillsAsked, Query()]) -> Fills:
    """Fills, the newest first."""
    equal = {"source": asked.source, "order_id": asked.order, "trade_id": asked.trade}
    rows, following = await _page(parts, caller, lists.FILLS, asked, equal)
    return Listed[Fill](items=[fill_of(row) for row in rows], next=following)


@router.get("/trades", responses=refusals(401, 403, 404, 503))
async def trades(caller: Reader, parts: Here, asked: Annotated[TradesAsked, Query()]) -> Trades:
    """Round trips: those that ended last first; of open ones those that were opened last."""
    of = lists.TRADES if asked.state == "closed" else lists.OPEN_TRADES
    equal = {"source": asked.source, "side": asked.side, "reason": asked.reason}
    rows, following = await _page(parts, caller, of, asked, equal)
    return Listed[Trade](items=[of_row(Trade, row) for row in rows], next=following)


@router.get("/trades/{trade}", responses=refusals(401, 403, 404, 503))
async def trade(trade: IdPath, caller: Reader, parts: Here) -> TradeWhole:
    """One round trip with its fills and the signal that it was for."""

    def ask(
        connection: Connection,
    ) -> tuple[dict[str, Any] | None, Rows, dict[str, Any] | None]:
        row = queries.trade_of(connection, trade)
        if row is None:
            return None, [], None
        return row, queries.fills_of(connection, trade), queries.signal_of(connection, row["cause"])

    row, fills, signal = await found(parts.sources.ledger(ask))
    if row is None or not caller.sees(row["agent"]):
        raise Problem(404, "unknown_trade", "no trade has this id: see /v1/trades")
    shown = None if signal is None else signalled(signal, caller).model_dump(mode="json")
    return of_row(TradeWhole, row, filled=[fill_of(each) for each in fills], signal=shown)


@router.get("/refusals", responses=refusals(401, 403, 404, 503))
async def refused(
    caller: Reader, parts: Here, asked: Annotated[RefusalsAsked, Query()]
) -> Refusals:
    """Orders that were not made, with the reason, the newest first."""
    equal = {"source": asked.source, "reason": asked.reason, "cause": asked.cause}
    rows, following = await _page(parts, caller, lists.REFUSALS, asked, equal)
    return Listed[Refused](items=[of_row(Refused, row) for row in rows], next=following)


@router.get("/refusals/counts", responses=refusals(401, 403, 404, 503))
async def refusal_counts(
    caller: Reader, parts: Here, asked: Annotated[CountsAsked, Query()]
) -> Listed[RefusalCount]:
    """How many there were, by agent and reason; most first."""
    which = counted(parts, caller, asked)
    counts = await found(parts.sources.ledger(partial(queries.refusal_counts, wanted=which)))
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    items = [
        RefusalCount(agent=agent, reason=reason, count=count) for (agent, reason), count in ordered
    ]
    return Listed[RefusalCount](items=items)


def counted(parts: Parts, caller: Caller, asked: CountsAsked) -> Wanted:
    """What sums and counts are made of."""
    return Wanted(
        agents=of_whom(parts, caller, asked.agent),
        symbol=asked.symbol.upper(),
        engine=asked.source,
        since_ms=asked.since_ms,
        until_ms=asked.until_ms,
    )


def fill_of(row: Mapping[str, Any]) -> Fill:
    """A fill as the ledger has it."""
    return of_row(Fill, dict(row), place=_place("orders", row))


async def _page(
    parts: Parts, caller: Caller, of: List, asked: OfAgents, equal: dict[str, str]
) -> tuple[Rows, str]:
    whose = of_whom(parts, caller, asked.agent)
    which = wanted(asked, of, whose, symbol=asked.symbol)
    rows = await found(
        parts.sources.ledger(lambda connection: lists.page(connection, of, which, **equal))
    )
    return paged(asked, of, rows)


def _order(row: dict[str, Any]) -> Order:
    filled: Decimal = row["filled"]
    average = AVERAGE.divide(row["notional"], filled) if filled else None
    return of_row(Order, row, fill_price=average)


def _place(topic: str, row: Mapping[str, Any]) -> str:
    return f"{topic}:{row['kafka_partition']}:{row['kafka_offset']}"
