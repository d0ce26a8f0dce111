"""What the venue's books say: fills and funding that were missed, then positions and balance."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from chandler.core.desk.config import Desk
from chandler.core.desk.live.inputs import AccountLost, AccountOpened, Reconciled
from chandler.core.desk.state import AgentState
from chandler.core.granularity import HOUR_MS, MINUTE_MS
from chandler.core.trading.broker import AccountError, Broker, BrokerError
from chandler.streams.exact import Inbox
from services.executor.stops import now_ms

OVERLAP_MS = MINUTE_MS  # fills are asked for from so long before the newest known; at 1x
OVERLAP_MS_MAX = 6 * HOUR_MS
REACH_MS = 36 * HOUR_MS  # fills before that are not asked for; at 1x, and with the overlap less
# than the desk remembers trades for: an older one would be booked twice
TRIES_MAX = 5  # for books that nothing was filled beside
AGAIN_S = 5.0  # after a question that was not answered


def known_ms(states: Mapping[str, AgentState], at: int) -> int:
    """Up to when all fills and funding of the account were taken in; `at`: the shard's clock.

    The clock goes on with the market, also in a life that ends before it has asked the venue.
    """
    known = max((state.known_ms for state in states.values()), default=-1)
    return at if known < 0 else min(known, at)


class Books:
    """Asks at the start, at a pace, and when it is told to."""

    def __init__(
        self,
        desk: Desk,
        inbox: Inbox,
        *,
        reconcile_s: float,
        log: logging.Logger,
    ) -> None:
        self._desk = desk
        self._inbox = inbox
        self._reconcile_s = reconcile_s
        self._log = log
        self._clock = -1  # the shard's
        self._known_ms: int | None = None  # all fills and funding up to it were handed over
        self._overlap_ms = OVERLAP_MS
        self._handed: set[str] = set()  # fills that were handed over already
        self._asked = asyncio.Event()
        self._is_lost = False  # the venue says that the account can't be traded with

    def restored(self, states: Mapping[str, AgentState], at: int, pace: float) -> None:
        """The shard starts anew: what it was handed over and did not commit is asked for again."""
        self._known_ms = None
        self._handed.clear()
        self.advance(states, at, pace)

    def advance(self, states: Mapping[str, AgentState], at: int, pace: float) -> None:
        """The shard has come to `at`: what was filled before it knew of anything is not ours."""
        self._clock = at
        if self._known_ms is None and at >= 0:
            self._overlap_ms = min(OVERLAP_MS_MAX, round(OVERLAP_MS * max(1.0, pace)))
            reach_ms = round(REACH_MS * max(1.0, pace))
            self._known_ms = max(known_ms(states, at), at - reach_ms)
            self._asked.set()

    def ask_now(self) -> None:
        """Does not wait for the next time."""
        self._asked.set()

    async def run(self, broker: Broker, skew: Callable[[], Awaitable[None]]) -> None:
        """Until it is cancelled."""
        while True:
            wait_s = self._reconcile_s
            self._asked.clear()
            try:
                await skew()
                if self._known_ms is not None:
                    await self._reconcile(broker, self._known_ms - self._overlap_ms)
            except BrokerError as error:
                wait_s = AGAIN_S
                self._failed(error)
            else:
                self._answered()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), wait_s)

    def _failed(self, error: BrokerError) -> None:
        account = self._desk.account
        self._log.warning("%s: its books can't be read: %s", account, error)
        if isinstance(error, AccountError):
            self._is_lost = True
            self._inbox.put(AccountLost(account=account, reason=str(error), at=now_ms()))

    def _answered(self) -> None:
        if self._is_lost:
            self._is_lost = False
            self._inbox.put(AccountOpened(account=self._desk.account, at=now_ms()))

    async def _reconcile(self, broker: Broker, since: int) -> None:
        """Fills first; then the books, and again while fills come in beside them."""
        clock = self._clock
        await self._take_fills(broker, since)
        for _ in range(TRIES_MAX):
            positions = await broker.positions()
            orders = await broker.open_orders()
            balance = await broker.balance()
            if not await self._take_fills(broker, since):
                break
        else:
            return  # too much is going on: the next time
        for funding in await broker.fundings_since(since):
            self._inbox.put(funding)
        self._inbox.put(
            Reconciled(
                account=self._desk.account,
                positions=positions,
                orders=orders,
                balance=balance,
                known_ms=clock,
                at=balance.at,
            )
        )
        self._known_ms = clock

    async def _take_fills(self, broker: Broker, since: int) -> int:
        """Hands over the fills since then; how many were not handed over before."""
        fills = await broker.fills_since(since)
        new = [fill for fill in fills if f"{fill.venue_id}/{fill.trade}" not in self._handed]
        for fill in new:
            self._inbox.put(fill)
        self._handed = {f"{fill.venue_id}/{fill.trade}" for fill in fills}
        return len(new)
