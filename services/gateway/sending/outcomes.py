"""What agents made of a signal: from what was heard lately, and of older ones from the ledger."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from chandler.core.events import Signal
from services.exits import one_line
from services.following.sources import Sources, is_outage
from services.gateway.problems import Problem
from services.gateway.sending.heard import Heard, Outcome
from services.gateway.sending.hearing import Hearing
from services.gateway.shapes.signals import OutcomeOut
from services.ledger.tables import orders, refusals, signals

ROWS_MAX = 1_000
LEDGER_S_MAX = 5.0


class Told(NamedTuple):
    """A signal as the ledger has it."""

    signal: Signal
    place: str
    outcomes: dict[str, Outcome]


async def outcomes_of(
    hearing: Hearing, signal: str, agents: list[str], within_s: float
) -> list[OutcomeOut]:
    """Of these agents, in order. Waits until each has answered, but no longer."""

    def whole(heard: Heard) -> bool | None:
        return set(agents) <= heard.outcomes(signal).keys() or None

    await hearing.until(whole, within_s)
    return [outcome_of(name, hearing.heard.outcomes(signal)) for name in agents]


def outcome_of(agent: str, known: Mapping[str, Outcome]) -> OutcomeOut:
    """An agent's; waiting, where it hasn't answered."""
    return OutcomeOut(**known.get(agent, Outcome(agent, "waiting"))._asdict())


async def looked_up(sources: Sources, id_: str) -> Told | None:
    """An older signal, with what came of it; None: the ledger has none of that id. Problem 503."""
    try:
        async with asyncio.timeout(LEDGER_S_MAX):
            return await sources.ledger(lambda connection: of_ledger(connection, id_))
    except Exception as error:
        if not (isinstance(error, TimeoutError) or is_outage(error)):
            raise
        sources.log.warning("the ledger has no answer: %s", one_line(error))
        raise Problem(
            503,
            "ledger_away",
            "it is not among the newest signals, and the ledger has no answer now: try again",
            {"Retry-After": "2"},
        ) from None


def of_ledger(connection: Connection, id_: str) -> Told | None:
    """An older signal, with what came of it; None: the ledger has none of that id."""
    row = connection.execute(select(signals).where(signals.c.id == id_)).mappings().first()
    if row is None:
        return None
    values = {name: row[name] for name in Signal.__struct_fields__ if name in row}
    found: dict[str, Outcome] = {}
    refused = select(refusals).where(refusals.c.cause == id_).limit(ROWS_MAX)
    for each in connection.execute(refused).mappings():
        found[each["agent"]] = Outcome(
            each["agent"], "refused", reason=each["reason"], detail=each["detail"]
        )
    made = select(orders).where(orders.c.cause == id_).order_by(orders.c.requested_ms.desc())
    for each in connection.execute(made.limit(ROWS_MAX)).mappings():
        found[each["agent"]] = Outcome(each["agent"], "order", order=each["id"])
    place = f"{row['topic']}:{row['kafka_partition']}:{row['kafka_offset']}"
    return Told(msgspec.convert(values, Signal), place, found)
