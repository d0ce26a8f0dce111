"""Why an order was made: the chain from its fills back to the candles, with the events."""

import asyncio
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends
from sqlalchemy import Connection

from chandler.core.events import Event
from chandler.core.trading.events import DeskTaken
from chandler.replay.audit.lineage import Link
from services.gateway.caller import Caller, at_least, parts_of
from services.gateway.lookups import found, of_whom
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.shapes.forms import IdPath
from services.gateway.shapes.running import LinkShown, Why
from services.ledger.address import address
from services.ledger.errors import LedgerError
from services.showing.places import LENGTH_MIN, LedgerPlaces, OrderError
from services.showing.tracing import Found
from services.showing.why import asked_of, explained

router = APIRouter(tags=["trading"])
Reader = Annotated[Caller, at_least("viewer", "read")]
Here = Annotated[Parts, Depends(parts_of)]
WHY_S = 20.0
AT_ONCE = 1  # chains that are looked up: other questions have the other threads
UNKNOWN = "no order or trade that you see begins so: see /v1/orders"


@router.get("/why/{order}", responses=refusals(401, 403, 404, 503))
async def why(order: IdPath, caller: Reader, parts: Here) -> Why:
    """The chain of an order, by its id, a trade's, or the beginning of one."""
    agents = of_whom(parts, caller)

    async def one_after_the_other() -> Found:
        async with parts.recent.few("why", AT_ONCE):
            if not await _may_be(parts, order, agents):
                raise Problem(404, "unknown_order", UNKNOWN)
            return await parts.sources.apart(partial(_chain, parts, order, agents))

    chain = await found(one_after_the_other(), WHY_S)
    links = [_link(each) for each in chain.links]
    return Why(order=chain.order, differing=chain.differing, links=links)


async def _may_be(parts: Parts, order: str, agents: tuple[str, ...]) -> bool:
    """Whether there may be such an order: else topic orders is not read from end to end."""

    def named(connection: Connection) -> list[str]:
        return LedgerPlaces(connection, agents).named(order)

    for life in parts.views.orders.lives():
        begins = len(order) >= LENGTH_MIN and life.id.startswith(order)
        if (begins or life.id == order) and (not agents or life.agent in agents):
            return True
    try:
        return bool(await parts.sources.ledger(named))
    except LedgerError:
        return True  # nobody knows


def _chain(parts: Parts, order: str, agents: tuple[str, ...]) -> Found:
    """In a thread, with an event loop of its own: the ledger is asked between topics."""
    ledger = address(parts.installation, parts.profile.ledger.url)
    question = asked_of(parts.profile, order, agents)

    async def bounded() -> Found:
        async with asyncio.timeout(WHY_S):
            return await explained(parts.installation, question, ledger, parts.sources.log.info)

    try:
        return asyncio.run(bounded())
    except OrderError:
        raise Problem(404, "unknown_order", f"{UNKNOWN}; or several do: write more of it") from None


def _link(link: Link) -> LinkShown:
    return LinkShown(
        name=link.name,
        place=link.place,
        says=link.says,
        faults=link.faults,
        unchecked=list(link.unchecked),
        data=None if link.event is None else _data(link.event),
    )


def _data(event: Event) -> dict[str, Any]:
    """The event's fields; of a desk record what it saw, and of that nothing of other agents."""
    if isinstance(event, DeskTaken):
        seen = msgspec.to_builtins(event.seen)
        seen.pop("quotes", None)
        names = ("shard", "seq", "at", "kind", "late", "config", "code")
        return {**{name: getattr(event, name) for name in names}, "seen": seen}
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields
