"""The venue of one live shard: sends what is committed, feeds back what comes of it.

Decides nothing: replies, fills, lookups and the venue's books become inputs of the shard. Each
intent is sent once, by the process that committed it; what became of any other is asked for when
the venue can't take it any more.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from chandler.core.desk.config import Desk
from chandler.core.desk.live.inputs import AccountLost, AccountOpened, NotFound, Sent
from chandler.core.desk.live.questions import unfilled, unresolved, would_order
from chandler.core.desk.state import AgentState, pending
from chandler.core.events import Signal, Symbol
from chandler.core.stage import Output
from chandler.core.trading.broker import (
    VALID_MS,
    AccountAwaited,
    AccountError,
    Broker,
    BrokerError,
    Refused,
    StreamBroken,
    Unknown,
)
from chandler.core.trading.events import (
    Command,
    ExitRequested,
    OrderRequested,
    Quote,
    Seen,
)
from chandler.streams.exact import Inbox
from chandler.streams.points import armed, point
from services.declaration import Connection, Tell
from services.executor.books import Books
from services.executor.stops import Stops

SENDS_MAX = 8  # requests on their way at once
WAITING_MAX = 1_000  # that wait to be sent
QUOTE_S_MAX = 2.0  # a quote that takes longer is none
OPEN_AGAIN_S = 10.0  # after an account that can't be opened
AWAIT_S = 0.5  # between two looks for keys that the simulator is about to make
AWAIT_S_MAX = 300.0  # then people are told
LOOK_UP_S = 1.0  # between two looks for what is unresolved
LOOK_UP_AGAIN_S = 5.0  # between two lookups of one order
DOUBT_MS = 1_000  # in the measured skew
ARMED_S = 0.05  # that a request is on its way before a chaos point after it
OWN_S_MAX = 5.0  # after a transaction the shard counts as ours
DRAIN_S_MAX = 3.0  # for replies that are under way at the stop


class Venue:
    """One account, between the shard's loop and its broker."""

    def __init__(
        self,
        desk: Desk,
        make: Callable[[], Broker],
        *,
        reconcile_s: float,
        log: logging.Logger,
        tell: Tell,
    ) -> None:
        """`make` gives the account's broker; it is asked again while it raises BrokerError."""
        self.inbox = Inbox()
        self._desk = desk
        self._make = make
        self._made: Broker | None = None
        self._log = log
        self._awaits: float | None = None  # monotonic, since when; None: for no keys
        self._connection = Connection(f"account {desk.account}", tell)
        self._states: Mapping[str, AgentState] = {}
        self._at = -1  # newest event time that the shard has seen
        self._sends = asyncio.Semaphore(SENDS_MAX)
        self._waiting: asyncio.Queue[OrderRequested] = asyncio.Queue(WAITING_MAX)
        self._sending: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._stop: asyncio.Event | None = None  # of `run`
        self._asked: dict[str, float] = {}  # order → monotonic, when it was looked up
        self._leverage: dict[str, int] = {}  # symbol → what the venue has
        self._skew_ms = 0
        self._is_open = asyncio.Event()
        self._books = Books(desk, self.inbox, reconcile_s=reconcile_s, log=log)
        self._committed = -OWN_S_MAX  # monotonic, of the last transaction
        self._stops = Stops(self.inbox, log, self._owns)

    # What the shard's loop calls: nothing here waits.

    def restored(self, states: Mapping[str, AgentState], clock: int) -> None:
        """Intents that nobody answered for: they are never sent again, only looked up."""
        self._states = states
        self._at = max(self._at, clock)
        self._books.restored(states, self._at, self._desk.pace)
        self._stops.see(states)
        for state in states.values():
            for intent in pending(state):
                made = intent.request
                if intent.phase == "intended" and made.id not in self._sending:
                    reason = "the executor started anew before it knew the venue's answer"
                    self.inbox.put(Unknown(id=made.id, reason=reason, at=self._now_ms()))

    def committed(self, states: Mapping[str, AgentState], outputs: Sequence[Output]) -> None:
        """Takes the intents that stand in the topics now."""
        self._committed = time.monotonic()
        for output in outputs:
            made = output.event
            if not isinstance(made, OrderRequested):
                continue
            try:
                self._waiting.put_nowait(made)
                self._sending.add(made.id)
            except asyncio.QueueFull:
                reason = f"{WAITING_MAX} requests wait already: it was not sent"
                self.inbox.put(Unknown(id=made.id, reason=reason, at=self._now_ms()))
        if outputs:
            self._stops.see(states)

    def _owns(self) -> bool:
        """Whether the shard was ours a moment ago: who was frozen has to commit before it acts."""
        return time.monotonic() - self._committed < OWN_S_MAX

    async def look(
        self, states: Mapping[str, AgentState], event: msgspec.Struct, seen: Seen, at: int
    ) -> Seen:
        """Adds the venue's wall clock, and a quote of each order that may be made."""
        if at > self._at:
            self._at = at
            self._books.advance(states, at, self._desk.pace)
        quotes: dict[str, Quote] = {}
        if isinstance(event, Signal | ExitRequested | Command) and self._is_open.is_set():
            wall = msgspec.structs.replace(seen, wall_ms=self._now_ms())
            wanted = would_order(self._desk, states, event, wall, at=at)
            found = await asyncio.gather(
                *(self._quote(each.symbol, buys=each.buys, size=each.size) for each in wanted)
            )
            quotes = {
                each.agent: quote
                for each, quote in zip(wanted, found, strict=True)
                if quote is not None
            }
        return msgspec.structs.replace(seen, quotes=quotes, wall_ms=self._now_ms())

    async def _quote(self, symbol: Symbol, *, buys: bool, size: Decimal) -> Quote | None:
        try:
            async with asyncio.timeout(QUOTE_S_MAX):
                return await self._broker.quote(symbol, buys=buys, size=size)
        except (BrokerError, TimeoutError) as error:
            self._log.warning("%s: no quote for %s %s: %r", self._desk.account, symbol, size, error)
            return None

    @property
    def _broker(self) -> Broker:
        assert self._made is not None, "the account is open"
        return self._made

    def _now_ms(self) -> int:
        """The venue's wall clock."""
        return time.time_ns() // 1_000_000 + self._skew_ms

    # What runs beside it.

    async def run(self, stop: asyncio.Event) -> None:
        """Opens the account and serves it until `stop`; never ends by the venue's fault.

        From the stop on no entry is sent, and what has no answer after DRAIN_S_MAX is unknown.
        """
        self._stop = stop
        while not stop.is_set():
            try:
                self._made = self._made or self._make()
                await self._broker.open()
                self._skew_ms = await self._broker.skew_ms()
            except AccountAwaited as error:
                await self._await_keys(error, stop)
                continue
            except BrokerError as error:
                await self._lost(error, stop)
                continue
            self.inbox.put(AccountOpened(account=self._desk.account, at=self._now_ms()))
            self._is_open.set()
            try:
                await self._serve(stop)
            finally:
                self._is_open.clear()
                await self._broker.close()

    async def _await_keys(self, error: AccountAwaited, stop: asyncio.Event) -> None:
        """At a first start the executor is there before the simulator's keys: that is no fault."""
        if self._awaits is None:
            self._awaits = time.monotonic()
            self._log.info("%s: waiting for the simulator's keys", self._desk.account)
        if time.monotonic() - self._awaits > AWAIT_S_MAX:
            await self._lost(error, stop)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), AWAIT_S)

    async def _lost(self, error: BrokerError, stop: asyncio.Event) -> None:
        account = self._desk.account
        grave = isinstance(error, AccountError)
        self._log.log(logging.ERROR if grave else logging.WARNING, "%s: %s", account, error)
        self.inbox.put(AccountLost(account=account, reason=str(error), at=self._now_ms()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), OPEN_AGAIN_S)

    async def _serve(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            loops: list[asyncio.Task[None]] = [
                tasks.create_task(each)
                for each in (
                    self._send_all(tasks),
                    self._listen(),
                    self._again(LOOK_UP_S, self._look_up),
                    self._books.run(self._broker, self._skew),
                    self._stops.run(self._broker),
                )
            ]
            await stop.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S_MAX):
                    await self._answered()
            for each in (*loops, *self._under_way):
                each.cancel()

    async def _answered(self) -> None:
        """Returns when nothing waits to be sent, or for its answer."""
        while self._sending:
            if self._under_way:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(0)

    async def _skew(self) -> None:
        self._skew_ms = await self._broker.skew_ms()

    async def _again(self, every_s: float, ask: Callable[[], Awaitable[None]]) -> None:
        """Asks at a pace; what can't be answered is asked again."""
        while True:
            try:
                await ask()
            except BrokerError as error:
                self._log.warning("%s: %s", self._desk.account, error)
            await asyncio.sleep(every_s)

    async def _send_all(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            made = await self._waiting.get()
            await self._sends.acquire()
            sending = tasks.create_task(self._send(made))
            self._under_way.add(sending)
            sending.add_done_callback(self._under_way.discard)

    async def _send(self, made: OrderRequested) -> None:
        """Sends an intent, once; signed with its own time, never again (DESIGN.md §5.6)."""
        try:
            if self._now_ms() > made.sent_ms + VALID_MS:
                reason = "it is too old to be sent"
                self.inbox.put(Unknown(id=made.id, reason=reason, at=self._now_ms()))
                return
            if made.action != "close" and not await self._leveraged(made):
                return
            if made.action != "close" and self._stop is not None and self._stop.is_set():
                reason = "the executor was asked to end, nothing was sent"
                self.inbox.put(
                    Refused(id=made.id, code="stopping", reason=reason, at=self._now_ms())
                )
                return
            self.inbox.put(Sent(id=made.id, at=self._now_ms()))
            point("request.before")
            asked = asyncio.ensure_future(self._broker.place(made))
            if armed("request.after"):
                await asyncio.wait([asked], timeout=ARMED_S)
                point("request.after")
            reply = await asked
            point("reply.before")
            self.inbox.put(reply)
            point("reply.after")
        except asyncio.CancelledError:
            reason = "the executor ended before the venue answered"
            self.inbox.put(Unknown(id=made.id, reason=reason, at=self._now_ms()))
            raise
        finally:
            self._sending.discard(made.id)
            self._sends.release()

    async def _leveraged(self, made: OrderRequested) -> bool:
        """Sets the symbol's leverage where it differs; whether the order may be sent."""
        if self._leverage.get(made.symbol) == made.leverage:
            return True
        try:
            await self._broker.set_leverage(made.symbol, made.leverage)
        except BrokerError as error:
            reason = f"leverage {made.leverage} was not set, nothing was sent: {error}"
            self.inbox.put(Refused(id=made.id, code="leverage", reason=reason, at=self._now_ms()))
            return False
        self._leverage[made.symbol] = made.leverage
        return True

    async def _listen(self) -> None:
        while True:
            try:
                await self._take_pushes()
            except BrokerError as error:
                self._log.warning("%s: no order stream: %s", self._desk.account, error)
                self._connection.lost(f"no order stream: {error}")
            await asyncio.sleep(OPEN_AGAIN_S)

    async def _take_pushes(self) -> None:
        async for push in self._broker.stream():
            if not isinstance(push, StreamBroken):
                self.inbox.put(push)
            elif push.back:
                self._connection.back()
                self._books.ask_now()
            else:
                self._log.warning(
                    "%s: the order stream is cut: %s", self._desk.account, push.reason
                )
                self._connection.lost(f"the order stream is cut: {push.reason}")

    async def _look_up(self) -> None:
        """Asks for what nobody knows the end of, and for fills that are still to come."""
        known = self._now_ms() - DOUBT_MS
        for made in unresolved(self._states, wall_ms=known):
            if self._is_due(made.id):
                await self._resolve(made)
        for made in unfilled(self._states):
            if self._is_due(made.id):
                for fill in await self._broker.fills(made.symbol, made.id):
                    self.inbox.put(fill)

    def _is_due(self, order: str) -> bool:
        now = time.monotonic()
        if now - self._asked.get(order, -LOOK_UP_AGAIN_S) < LOOK_UP_AGAIN_S:
            return False
        if len(self._asked) > WAITING_MAX:
            self._asked.clear()
        self._asked[order] = now
        return True

    async def _resolve(self, made: OrderRequested) -> None:
        asked_ms = self._now_ms() - DOUBT_MS
        found = await self._broker.find_by_client_oid(made.symbol, made.id)
        if found is None:
            self.inbox.put(NotFound(id=made.id, asked_ms=asked_ms, at=self._now_ms()))
            return
        if found.filled:
            for fill in await self._broker.fills(made.symbol, made.id):
                self.inbox.put(fill)
        self.inbox.put(found)
