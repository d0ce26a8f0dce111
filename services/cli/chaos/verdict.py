"""What the venue knows and what the topics say, read after a chaos run and compared."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Protocol

from chandler.core.events import Event
from chandler.replay.audit.reckoning import Reckoning, VenueTruth, reckon
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.profile import Profile

RECONCILES = 1.5  # times the pace at which the executor reads the venue's books
AGAIN_S = 3.0


class Venue(Protocol):
    """Asks the simulator's admin endpoint."""

    async def venue(self, method: str, path: str) -> Any: ...


async def reckoning(
    installation: Installation, profile: Profile, venue: Venue, unresolved: int
) -> Reckoning:
    """The truth of every account on the simulator against topic `orders`.

    Funding is asked for at a pace: what the wallets differ by may stand in our books a while later.
    """
    return await even(
        lambda: _compared(installation, profile, venue, unresolved),
        within_s=RECONCILES * profile.desk.reconcile_s,
    )


async def even(
    compare: Callable[[], Awaitable[Reckoning]], *, within_s: float, again_s: float = AGAIN_S
) -> Reckoning:
    """Compares until wallets and books are the same; the last comparison after `within_s`."""
    deadline = time.monotonic() + within_s
    found = await compare()
    while found.difference and time.monotonic() < deadline:
        await asyncio.sleep(again_s)
        found = await compare()
    return found


async def _compared(
    installation: Installation, profile: Profile, venue: Venue, unresolved: int
) -> Reckoning:
    accounts = sorted(name for name, account in profile.accounts.items() if account.on_simulator)
    truth = await truth_of(venue, accounts)
    orders: list[Event] = [
        record.event
        async for record in read_topics(installation, ["orders"])
        if record.event is not None
    ]
    return reckon(orders, truth, accounts, unresolved)


async def truth_of(venue: Venue, accounts: list[str]) -> VenueTruth:
    """Everything that the venue was asked for and did, over all accounts."""
    received: dict[str, int] = {}
    taken: set[str] = set()
    trades: dict[str, Decimal] = {}
    for account in accounts:
        orders = await venue.venue("GET", f"/admin/accounts/orders?account={account}")
        for client_oid, truth in orders.items():
            if truth["receipts"]:
                received[client_oid] = max(1, truth["orders"])
            if truth["was"]:
                taken.add(client_oid)
        for fill in await venue.venue("GET", f"/admin/accounts/fills?account={account}"):
            trades[str(fill["id"])] = Decimal(fill["size"])
    wallets = {
        found["account"]: (
            Decimal(found["start"]) + Decimal(found["moved"]),
            Decimal(found["wallet"]),
        )
        for found in await venue.venue("GET", "/admin/accounts")
    }
    return VenueTruth(received, frozenset(taken), trades, wallets)
