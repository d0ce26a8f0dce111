"""An account's own books at its venue, read over its private REST, against the desk's."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

from chandler.core.desk.state import AgentState, pending, signed
from chandler.core.events import Symbol
from chandler.core.granularity import MINUTE_MS
from chandler.core.trading.broker import Broker, BrokerError
from chandler.core.trading.money import ZERO, minus, plus, total

TRIES_MAX = 20  # for a moment in which nothing is under way between the venue and the desk
AGAIN_S = 0.5
OVERLAP_MS = MINUTE_MS  # bills are asked for from so long before the newest that is known

States = Callable[[], Awaitable[Sequence[AgentState]]]


class VenueBooks(NamedTuple):
    """One account. All is well: difference is 0. `fault`: why it was not compared, or ""."""

    account: str
    wallet: Decimal  # the venue's, quote coin
    expected: Decimal  # what the desk's agents have, with what of the account is nobody's
    positions: int  # symbols that are open at the venue
    difference: Decimal  # Σ of the absolute ones, of the wallet and of sizes
    differences: list[str]
    fault: str = ""


def not_compared(account: str, fault: str) -> VenueBooks:
    """An account whose venue can't be asked."""
    return VenueBooks(account, ZERO, ZERO, 0, ZERO, [], fault)


class _Theirs(NamedTuple):
    wallet: Decimal
    sizes: dict[Symbol, Decimal]  # signed
    unread: Decimal = ZERO  # funding that is booked there, and that the desk has not asked for yet


async def venue_books(account: str, broker: Broker, states: States) -> VenueBooks:
    """The venue's wallet and positions against what the agents' states hold.

    While both trade, a fill may be known to one of them only. So it looks for a moment in which
    the venue stands still; what still differs after TRIES_MAX looks is a difference.
    """
    try:
        try:
            await broker.open()
            return await _even(account, broker, states)
        finally:
            await broker.close()
    except BrokerError as error:
        if "Cannot connect" in str(error):
            return not_compared(account, "its venue can't be reached: is ./chandler up running?")
        return not_compared(account, str(error))


async def _even(account: str, broker: Broker, states: States) -> VenueBooks:
    found = None
    for _ in range(TRIES_MAX):
        before = await _theirs(broker)
        ours = [state for state in await states() if state.account == account]
        if await _theirs(broker) == before and not any(pending(state) for state in ours):
            unread = await _unread(broker, ours)
            found = compared(account, before._replace(unread=unread), ours)
            if not found.difference:
                return found
        await asyncio.sleep(AGAIN_S)
    return found or not_compared(account, f"it traded at each of {TRIES_MAX} looks")


async def _unread(broker: Broker, ours: Sequence[AgentState]) -> Decimal:
    """Funding since the desk read the venue's books: it is asked for once in a while, not pushed.

    Paid is positive.
    """
    known_ms = min((state.known_ms for state in ours), default=-1)
    if known_ms < 0:
        return ZERO
    booked = {key for state in ours for key in state.processed}
    bills = await broker.fundings_since(known_ms - OVERLAP_MS)
    return total(each.amount for each in bills if f"funding/{each.bill}" not in booked)


async def _theirs(broker: Broker) -> _Theirs:
    positions = await broker.positions()
    sizes = {each.symbol: signed(each.side, each.size) for each in positions if each.size}
    return _Theirs((await broker.balance()).wallet, sizes)


def compared(account: str, theirs: _Theirs, ours: Sequence[AgentState]) -> VenueBooks:
    """What differs between a venue's account and the states of the agents that trade on it."""
    free = next((each.wallet_free for each in ours if each.wallet_free is not None), ZERO)
    expected = plus(free, *(each.balance for each in ours))
    sizes: dict[Symbol, Decimal] = {}
    for state in ours:
        sizes.update(state.foreign)
    for state in ours:
        for symbol, holding in state.holdings.items():
            size = signed(holding.position.side, holding.position.size)
            sizes[symbol] = plus(sizes.get(symbol, ZERO), size)
    off = minus(plus(theirs.wallet, theirs.unread), expected)
    found = [(off, f"{account}: the wallet at the venue is {theirs.wallet}, ours {expected}")]
    for symbol in sorted({*theirs.sizes, *sizes}):
        there, here = theirs.sizes.get(symbol, ZERO), sizes.get(symbol, ZERO)
        line = f"{account} {symbol}: the venue has {there}, ours is {here}"
        found.append((minus(there, here), line))
    return VenueBooks(
        account=account,
        wallet=theirs.wallet,
        expected=expected,
        positions=len(theirs.sizes),
        difference=total(abs(amount) for amount, _ in found),
        differences=[line for amount, line in found if amount],
    )
