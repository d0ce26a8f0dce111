"""Answers a query: what is asked, from where, within a bound. Changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from chandler.core.notices.text import Line
from chandler.core.notices.words import one_line
from services.exits import one_line as line_of
from services.following.sources import Sources, is_outage
from services.following.views import Views
from services.notifier.answering import market, orders, running, standing, statistics
from services.notifier.answering.asked import Asked, asked_of
from services.notifier.talk import Query, Reply, Topic

ANSWER_S = 5.0
LONGER_S: dict[Topic, float] = {"why": 25.0}  # of what is looked up far back
SAID_MAX = 600  # characters of why there is no answer: what was typed may be in it

Lines = Callable[[Asked], Awaitable[list[Line]]]
Pictured = Callable[[Asked], Awaitable[tuple[list[Line], str]]]

LINES: dict[Topic, Lines] = {
    "status": running.status,
    "agents": standing.agents,
    "positions": standing.positions,
    "balance": standing.balance,
    "statistics": statistics.statistics,
    "orders": orders.orders,
    "refusals": orders.refusals,
    "why": orders.why,
    "signals": market.signals,
    "market": market.market,
    "logs": running.logs,
    "crashes": running.crashes,
}
PICTURED: dict[Topic, Pictured] = {"candles": market.candles, "digest": statistics.digest}


async def answer(query: Query, views: Views, sources: Sources) -> Reply:
    """The answer; what is missing, or can't be known now, is said in words with what to do.

    Only figures of `query.agents` are shown or summed up (all, where none is named). Raises only
    where our own code is wrong.
    """
    bound_s = LONGER_S.get(query.topic, ANSWER_S)
    try:
        async with asyncio.timeout(bound_s):
            return await _answered(query, views, sources)
    except TimeoutError:
        said = f"There was no answer within {bound_s:g} s: ask again, or see the status."
    except ArithmeticError as error:
        said = f"A figure in it is no number ({line_of(error)}): tell an owner."
    except Exception as error:
        if not is_outage(error):
            raise
        said = one_line(line_of(error), SAID_MAX)
    sources.log.info("no answer to %s of %s: %s", query.topic, query.user, said)
    return Reply(lines=[Line(said)])


async def _answered(query: Query, views: Views, sources: Sources) -> Reply:
    query = replace(query, symbol=query.symbol.upper())
    asked = asked_of(query, views, sources)
    if query.topic in PICTURED:
        lines, picture = await PICTURED[query.topic](asked)
        return Reply(lines=lines, picture=picture)
    return Reply(lines=await LINES[query.topic](asked))
