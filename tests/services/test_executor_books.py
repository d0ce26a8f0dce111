"""From where on fills and funding of a venue are asked for, also after a restart."""

import asyncio
import logging
from contextlib import suppress
from decimal import Decimal
from typing import cast

from chandler.core.desk.live.inputs import Reconciled
from chandler.core.desk.state import AgentState
from chandler.core.events import Symbol
from chandler.core.trading.broker import Broker, VenueBalance, VenueFill, VenueFunding
from chandler.streams.exact import Inbox
from services.executor.books import OVERLAP_MS, TRIES_MAX, Books, known_ms
from tests.core.desk.account import Live

D = Decimal
PAID = VenueFunding(bill="b", symbol=Symbol("AUSDT"), amount=D(1), at=28_800_000)


class Busy:
    """A venue at which something is filled beside each of the first looks."""

    def __init__(self, looks: int) -> None:
        self.since: list[int] = []  # from where on it was asked for fills
        self._looks = looks

    async def fills_since(self, since: int) -> list[VenueFill]:
        self.since.append(since)
        fill = VenueFill(
            id="",
            venue_id="v",
            trade=str(min(len(self.since), self._looks)),
            symbol=PAID.symbol,
            buys=True,
            price=D(1),
            size=D(1),
            fee=D(0),
            at=since + OVERLAP_MS,
        )
        return [fill]

    async def fundings_since(self, since: int) -> list[VenueFunding]:
        return [PAID] if PAID.at >= since else []

    async def positions(self) -> list[object]:
        return []

    open_orders = positions

    async def balance(self) -> VenueBalance:
        return VenueBalance(wallet=D(1), available=D(1), equity=D(1), at=0)


def books(inbox: Inbox) -> Books:
    log = logging.getLogger("test")
    return Books(Live().desk, inbox, reconcile_s=60.0, log=log)


def state(known: int = -1) -> AgentState:
    return AgentState(agent="anna", account="main", start=D(100), known_ms=known)


async def looked(venue: Busy, asked: Books, inbox: Inbox) -> list[object]:
    """What is handed over until the books were compared, or could not be."""

    async def nothing() -> None:
        pass

    asked.ask_now()
    before = len(venue.since)
    task = asyncio.create_task(asked.run(cast(Broker, venue), nothing))
    async with asyncio.timeout(10):
        found: list[object] = []
        while not any(isinstance(each, Reconciled) for each in found):
            await asyncio.sleep(0)
            found += inbox.drain()
            if len(venue.since) - before > TRIES_MAX:
                break
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return found


def test_what_the_venue_did_is_known_up_to_where_its_books_were_read_last():
    """Killed again and again, the executor took tickers in each of its lives and asked for fills
    from where its clock stood by then: a stop that had fired at the venue was never seen."""
    clock = 50_000

    assert known_ms({"anna": state(20_000), "berta": state()}, clock) == 20_000
    assert known_ms({"anna": state()}, clock) == clock
    assert known_ms({}, clock) == clock


async def test_funding_that_was_paid_while_fills_came_beside_each_look_is_asked_for_the_next_time():
    """Fills moved the time on from which funding was asked for, although it had not been."""
    inbox, venue = Inbox(), Busy(looks=TRIES_MAX + 1)
    asked = books(inbox)
    asked.restored({"anna": state(PAID.at - 1)}, PAID.at + OVERLAP_MS, 1.0)

    first = await looked(venue, asked, inbox)
    asked.advance({}, PAID.at + 3 * OVERLAP_MS, 1.0)
    second = await looked(venue, asked, inbox)

    assert PAID not in first
    assert not any(isinstance(each, Reconciled) for each in first)
    assert PAID in second
    (told,) = [each for each in second if isinstance(each, Reconciled)]
    assert told.known_ms == PAID.at + 3 * OVERLAP_MS
    assert set(venue.since) == {PAID.at - 1 - OVERLAP_MS}


async def test_what_was_handed_over_and_is_not_in_the_state_is_handed_over_again():
    inbox, venue = Inbox(), Busy(looks=0)
    asked = books(inbox)
    asked.restored({"anna": state(PAID.at)}, PAID.at, 1.0)
    first = await looked(venue, asked, inbox)

    asked.restored({"anna": state(PAID.at)}, PAID.at + 3 * OVERLAP_MS, 1.0)
    second = await looked(venue, asked, inbox)

    assert [type(each) for each in second] == [type(each) for each in first]
    assert [each for each in first if isinstance(each, VenueFill | VenueFunding)] == [
        each for each in second if isinstance(each, VenueFill | VenueFunding)
    ]
