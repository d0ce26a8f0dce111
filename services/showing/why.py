"""Explains an order: through the ledger's places, else by reading topic `orders`."""

import contextlib
from collections.abc import Callable, Collection
from typing import NamedTuple

from sqlalchemy import URL

from chandler.core.engine import ResolvedEngine
from chandler.streams.lookup import Lookup
from chandler.streams.settings import Installation
from services import plugins
from services.ledger.errors import LedgerError
from services.ledger.opening import snapshot
from services.profile import Profile
from services.showing.places import LedgerPlaces, OrderError, Places, ReadPlaces, one_of
from services.showing.tracing import Found, Tracer


class Asked(NamedTuple):
    """Which order, and by what its decision is made again."""

    text: str  # an order's or trade's id, or its beginning
    engines: dict[str, ResolvedEngine]
    code: str  # hash of the code of today
    agents: Collection[str] = ()  # whose orders may be named; empty: all


def asked_of(profile: Profile, text: str, agents: Collection[str] = ()) -> Asked:
    """With the engines and the code of today; ConfigurationError for an engine that can't be."""
    loaded = plugins.load()
    engines = {engine.name: engine for engine in plugins.resolve(profile, loaded)}
    return Asked(text, engines, plugins.code_hash(loaded), agents)


async def explained(
    installation: Installation, asked: Asked, ledger: URL, told: Callable[[str], None]
) -> Found:
    """The order's chain; OrderError where no order, or several, are meant. ReadError.

    `told`: hears why the ledger does not lead to the order, before topic orders is read whole.
    """
    why_not = "the ledger does not know it (yet)"
    with contextlib.ExitStack() as stack:
        try:
            places = LedgerPlaces(stack.enter_context(snapshot(ledger)), asked.agents)
            named = places.named(asked.text)
        except LedgerError as error:
            named, why_not = [], " ".join(str(error).split())
        if named:
            order = one_of(named, asked.text)
            with contextlib.suppress(OrderError):  # its places are not those of this Kafka
                return await _traced(installation, asked, order, places)
    told(f"{why_not}: reading topic orders from end to end")
    read = await ReadPlaces.read(installation, asked.text, asked.agents)
    return await _traced(installation, asked, one_of(read.named(asked.text), asked.text), read)


async def _traced(installation: Installation, asked: Asked, order: str, places: Places) -> Found:
    async with Lookup(installation) as lookup:
        return await Tracer(lookup, places, asked.engines, code=asked.code).order(order)
