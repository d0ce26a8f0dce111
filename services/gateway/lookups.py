"""Looks up what routes answer: outages become problems, and nobody sees others' agents."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from chandler.streams.admin import TopicError
from services.exits import one_line
from services.following.sources import UnanswerableError, is_outage
from services.following.views import NOT_YET, Followed
from services.gateway.caller import Caller
from services.gateway.cursors import cursor_of, place_of
from services.gateway.parts import Parts
from services.gateway.problems import Problem
from services.gateway.shapes.forms import Asked
from services.ledger.errors import LedgerError
from services.ledger.lists import List, Place, Rows, Wanted

ANSWER_S = 5.0
NOBODY = ("",)  # no agent is called so: a list of it is empty
NAMED_MAX = 10
SAID_MAX = 300  # characters of why there is no answer

LOG = logging.getLogger("chandler.gateway")

R = TypeVar("R")


async def found(looking: Awaitable[R], within_s: float = ANSWER_S) -> R:
    """What is looked up; Problem 503 where the world outside has no answer now.

    Where the ledger is, or a file, is for the log alone.
    """
    try:
        async with asyncio.timeout(within_s):
            return await looking
    except TimeoutError:
        raise Problem(
            503, "slow", f"there was no answer within {within_s:g} s: ask again, or for less"
        ) from None
    except Exception as error:
        if not (is_outage(error) or isinstance(error, TopicError)):
            raise
        said = one_line(error)[:SAID_MAX]
        if isinstance(error, UnanswerableError):
            raise Problem(503, "busy", said) from None
        LOG.warning("there is no answer: %s", said)
        what = "ledger" if isinstance(error, LedgerError) else "Kafka"
        raise Problem(
            503,
            f"{what.lower()}_away",
            f"{'the ' * (what == 'ledger')}{what} can't be read now: ask again, or see /v1/infra",
        ) from None


def stale(parts: Parts, *followed: Followed) -> str:
    """Why what is known of these may be old; Problem 503 where they have never been read."""
    trouble = parts.views.trouble(*followed)
    if not parts.views.known(*followed):
        kind = "topics_unread" if trouble == NOT_YET else "kafka_away"
        raise Problem(503, kind, (trouble or NOT_YET)[:SAID_MAX])
    return trouble[:SAID_MAX]


def agents_of(parts: Parts, caller: Caller) -> list[str]:
    """The agents that there are for this caller, by name."""
    known = {*parts.profile.agents, *parts.views.desk.states()}
    return sorted(filter(caller.sees, known))


def seen(parts: Parts, caller: Caller, agent: str) -> str:
    """The agent; Problem 404 where there is none for this caller."""
    known = agents_of(parts, caller)
    if agent in known:
        return agent
    few = ", ".join(known[:NAMED_MAX]) or "none for you"
    raise Problem(404, "unknown_agent", f"no agent is called so: there is {few}")


def sees_all(caller: Caller) -> bool:
    """Whether nothing of the agents is hidden from this caller: nobody's either."""
    return caller.sees("")


def of_whom(parts: Parts, caller: Caller, agent: str = "") -> tuple[str, ...]:
    """The agents whose rows a list may have; empty: all. Problem 404 for one that isn't seen."""
    if agent:
        return (seen(parts, caller, agent),)
    return () if sees_all(caller) else tuple(agents_of(parts, caller)) or NOBODY


def wanted(
    asked: Asked, of: List, agents: Iterable[str] = (), symbol: str = "", engine: str = ""
) -> Wanted:
    """What the ledger is asked for: one row more than the page has. Problem 400 for its cursor."""
    return Wanted(
        agents=tuple(agents),
        limit=asked.limit + 1,
        since_ms=asked.since_ms,
        until_ms=asked.until_ms,
        after=place_of(asked.after, of.kinds()),
        symbol=symbol.upper(),
        engine=engine,
    )


def paged(asked: Asked, of: List, rows: Rows) -> tuple[Rows, str]:
    """The page's rows, and the cursor of the next one."""
    if len(rows) <= asked.limit:
        return rows, ""
    kept = rows[: asked.limit]
    last: Place = of.place(kept[-1])
    return kept, cursor_of(last)
