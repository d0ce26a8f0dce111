"""Signals, of engines and from outside, with what they led to; pumps that started and ended."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from services.gateway.caller import Caller, at_least, parts_of
from services.gateway.lookups import found, of_whom, paged, seen, sees_all, wanted
from services.gateway.parts import Parts
from services.gateway.problems import refusals
from services.gateway.shapes.forms import Listed, of_row
from services.gateway.shapes.market import (
    PumpEvent,
    PumpEvents,
    PumpEventsAsked,
    Signalled,
    Signals,
    SignalsAsked,
)
from services.ledger import lists, queries
from services.ledger.lists import Rows, Wanted

router = APIRouter(tags=["market"])
Reader = Annotated[Caller, at_least("viewer", "read")]
Here = Annotated[Parts, Depends(parts_of)]
TOPICS = {True: "signals.external", False: "signals", None: ""}

Came = dict[str, tuple[int, int]]


@router.get("/signals", responses=refusals(401, 403, 404, 503))
async def signals(caller: Reader, parts: Here, asked: Annotated[SignalsAsked, Query()]) -> Signals:
    """Signals, the newest first; those that are for others' agents alone are left out.

    A page may have fewer than were asked for, and there is more as long as it has a next.
    """
    if asked.agent:
        seen(parts, caller, asked.agent)
    which = wanted(asked, lists.SIGNALS, symbol=asked.symbol, engine=asked.source)
    whose = Wanted(agents=of_whom(parts, caller, asked.agent))

    def ask(connection: Connection) -> tuple[Rows, Came]:
        rows = lists.page(
            connection, lists.SIGNALS, which, side=asked.side, topic=TOPICS[asked.external]
        )
        return rows, queries.come_of(connection, [row["id"] for row in rows], whose)

    rows, came = await found(parts.sources.ledger(ask))
    rows, following = paged(asked, lists.SIGNALS, rows)
    shown = [row for row in rows if _is_for(row["agents"], caller, asked.agent)]
    items = [signalled(row, caller, came.get(row["id"], (0, 0))) for row in shown]
    return Listed[Signalled](items=items, next=following)


@router.get("/pumps/history", responses=refusals(401, 403, 503))
async def pump_events(
    _: Reader, parts: Here, asked: Annotated[PumpEventsAsked, Query()]
) -> PumpEvents:
    """Pumps that started and ended, the newest first."""
    which = wanted(asked, lists.PUMPS, symbol=asked.symbol)
    rows = await found(
        parts.sources.ledger(lambda connection: lists.page(connection, lists.PUMPS, which))
    )
    rows, following = paged(asked, lists.PUMPS, rows)
    return Listed[PumpEvent](items=[of_row(PumpEvent, row) for row in rows], next=following)


def signalled(row: dict[str, Any], caller: Caller, came: tuple[int, int] = (0, 0)) -> Signalled:
    """A signal as the ledger has it; of the agents that it is for only those that are seen."""
    mine = [each for each in row["agents"] if caller.sees(each)]
    place = f"{row['topic']}:{row['kafka_partition']}:{row['kafka_offset']}"
    return of_row(Signalled, {**row, "agents": mine}, orders=came[0], refusals=came[1], place=place)


def _is_for(agents: list[str], caller: Caller, agent: str) -> bool:
    if agent:
        return not agents or agent in agents
    return not agents or sees_all(caller) or any(map(caller.sees, agents))
