"""One public WebSocket connection's whole life: connect, subscribe, stay alive, come back.

It never ends by itself and never dies of what the venue sends. Knows nothing of candles' meaning:
who reads the events seals, repairs and publishes.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from random import Random

import msgspec
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from chandler.exchanges.bitget.config import is_local
from chandler.exchanges.bitget.errors import MalformedFrame
from chandler.exchanges.bitget.pacing import Backoff, Budget
from chandler.exchanges.bitget.parse import (
    CandlePush,
    Frame,
    Pong,
    Refused,
    Subscribed,
    TickerPush,
    parse_frame,
)
from chandler.exchanges.bitget.symbols import CHANNEL, TICKER

# The venue's limits (bitget-api §1.6), of wall time.
MESSAGES_PER_SECOND_MAX = 10  # pings included
MESSAGE_BYTES_MAX = 4096
SUBSCRIBES_PER_HOUR_MAX = 240  # of one connection
CHANNELS_MAX = 1000  # of one connection
# 300 connects in 5 minutes are allowed to an IP: four connections and a neighbour stay below.
CONNECTS_MAX = 60
CONNECTS_PERIOD_S = 300.0
# Ours.
FRAME_BYTES_MAX = 4 << 20  # a snapshot of 500 rows is some 60 KiB
FRAMES_QUEUED_MAX = 1024  # then the socket isn't read until the consumer has caught up
PING_S = 27.0  # the venue asks for 30
PONG_S = 15.0  # how long an answer to a ping may take
SILENCE_S = 90.0  # without a push, though subscribed; the venue pushes a row every minute
RECYCLE_S = 23.5 * 3600  # before the venue's 24 h
RECYCLE_SPREAD = 0.02  # of that, at random, so that not all connections go at once
CONNECT_S = 10.0
CLOSE_S = 1.0
ACK_S = 10.0  # then an unanswered argument is asked for again; doubles each time
TICK_S = 1.0  # how often the connection's state is looked at
RETRY = Backoff(first_s=0.5, most_s=30.0, floor_s=0.1)
SILENCE_FLOOR_S = 3.0  # a venue at high speed is not silent sooner than this
CODE_TOO_MANY_REQUESTS = 30006

Arg = tuple[str, str]  # symbol, channel in the venue's spelling


class Connected(msgspec.Struct, frozen=True):
    """The socket is open; subscriptions follow by themselves."""


class Disconnected(msgspec.Struct, frozen=True):
    """The socket is gone, or could not be opened. The next try follows by itself."""

    reason: str  # one line
    planned: bool = False  # our own recycling


class Received(msgspec.Struct, frozen=True):
    """A frame, whole and readable."""

    frame: Frame
    raw: bytes
    received_at_monotonic: float  # s


class Malformed(msgspec.Struct, frozen=True):
    """A frame that can't be read."""

    raw: bytes
    detail: str


FeedEvent = Connected | Disconnected | Received | Malformed


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How long a connection waits for what, wall seconds."""

    ping_s: float
    pong_s: float
    silence_s: float
    recycle_s: float
    ack_s: float

    @property
    def tick_s(self) -> float:
        shortest = min(self.ping_s, self.pong_s, self.silence_s, self.recycle_s, self.ack_s)
        return min(TICK_S, shortest / 4)


class Feed:
    """Iterate `events()`, once. `rate` is the speed of the venue's clock.

    `rate` shortens the waits for data and for a reconnect; the limits on a connection (pings,
    messages, subscriptions, its age) are wall time at any speed. `connects` is a budget shared by
    the feeds behind one IP; `tap` sees every raw frame with its monotonic time.
    """

    def __init__(
        self,
        url: str,
        args: Iterable[Arg],
        *,
        ping_s: float = PING_S,
        pong_s: float = PONG_S,
        silence_s: float = SILENCE_S,
        recycle_s: float = RECYCLE_S,
        ack_s: float = ACK_S,
        rate: float = 1.0,
        retry: Backoff = RETRY,
        random: Random | None = None,
        tap: Callable[[float, bytes], None] | None = None,
        connects: Budget | None = None,
        product_type: str = "USDT-FUTURES",
    ) -> None:
        self.frames = 0
        self.reconnects = 0
        self.dropped: Counter[str] = Counter()  # by cause: what did not become an event's data
        self.connected = False
        self.tap = tap
        self._url = url
        self._wanted: dict[Arg, None] = {}
        self._changed = asyncio.Event()
        self._random = random or Random()
        self._retry = retry.scaled(rate)
        self._connects = connects or Budget(CONNECTS_MAX, CONNECTS_PERIOD_S / rate, burst=10.0)
        self._product_type = product_type
        silence = silence_s if rate == 1.0 else max(SILENCE_FLOOR_S, silence_s / rate)
        self._bounds = Bounds(
            ping_s=ping_s, pong_s=pong_s, silence_s=silence, recycle_s=recycle_s, ack_s=ack_s
        )
        self.add(args)

    def add(self, args: Iterable[Arg]) -> None:
        """Subscribes to (symbol, channel) pairs, now and after every reconnect."""
        wanted = self._wanted | dict.fromkeys(args)
        if len(wanted) > CHANNELS_MAX:
            raise ValueError(f"{len(wanted)} channels on one connection, at most {CHANNELS_MAX}")
        self._wanted = wanted
        self._changed.set()

    def remove(self, args: Iterable[Arg]) -> None:
        """Unsubscribes. What is under way may still arrive."""
        gone = set(args)
        self._wanted = {arg: None for arg in self._wanted if arg not in gone}
        self._changed.set()

    async def events(self) -> AsyncIterator[FeedEvent]:
        """All that happens, until the iterator is closed."""
        failures = 0
        while True:
            await self._connects.take()
            try:
                socket = await self._open()
            except (OSError, WebSocketException) as error:
                failures += 1
                yield Disconnected(f"cannot connect to {self._url}: {_one_line(error)}")
                await asyncio.sleep(self._retry.wait_s(failures, self._random))
                continue
            link = _Link(socket, self)
            self.connected = True
            try:
                yield Connected()
                receive = socket.recv
                while True:
                    link.listening = True
                    raw = await receive(decode=False)
                    link.listening = False
                    at = time.monotonic()
                    yield self._take(link, raw, at)
            except ConnectionClosed as closed:
                reason = link.reason or _one_line(closed)
            finally:
                self.connected = False
                await link.stop()
            self.reconnects += 1
            yield Disconnected(reason, link.planned)
            failures = 0 if link.planned else 1 if link.pushed else failures + 1
            if failures:
                await asyncio.sleep(self._retry.wait_s(failures, self._random))

    def _take(self, link: "_Link", raw: bytes, at: float) -> Received | Malformed:
        self.frames += 1
        if self.tap is not None:
            self.tap(at, raw)
        try:
            frame = parse_frame(raw)
        except MalformedFrame as error:
            self.dropped["malformed frame"] += 1
            return Malformed(raw, error.detail)
        kind = type(frame)
        if kind is CandlePush or kind is TickerPush:
            link.heard_at = at
            link.pushed = True
        if kind is CandlePush and frame.rejected:  # type: ignore[union-attr]
            self.dropped.update(row.cause for row in frame.rejected)  # type: ignore[union-attr]
        if kind is Pong:
            link.pong_due = None
        elif link.unanswered:
            link.answered(frame, at)
        if kind is Refused:
            self.dropped["refused"] += 1
        return Received(frame, raw, at)

    async def _open(self) -> ClientConnection:
        return await connect(
            self._url,
            compression=None,
            open_timeout=CONNECT_S,
            close_timeout=CLOSE_S,
            ping_interval=None,  # the venue counts text pings only
            max_size=FRAME_BYTES_MAX,
            max_queue=FRAMES_QUEUED_MAX,
            proxy=None if is_local(self._url) else True,
        )


class _Link:
    """What one open socket has been asked for, what it owes us, and the task that tends it."""

    def __init__(self, socket: ClientConnection, feed: Feed) -> None:
        now = time.monotonic()
        self.listening = False  # False: the consumer is busy, so silence is not the venue's
        self.heard_at = now  # last push
        self.pushed = False
        self.pong_due: float | None = None
        self.reason = ""
        self.planned = False
        self.unanswered: dict[Arg, float] = {}  # asked for, and when
        self._asked: dict[Arg, None] = {}
        self._socket = socket
        self._feed = feed
        self._bounds = feed._bounds
        self._ack_s = feed._bounds.ack_s
        self._ping_at = now + self._bounds.ping_s
        spread = 1.0 - RECYCLE_SPREAD * feed._random.random()
        self._recycle_at = now + self._bounds.recycle_s * spread
        self._messages = Budget(MESSAGES_PER_SECOND_MAX, 1.0)
        hourly = SUBSCRIBES_PER_HOUR_MAX
        self._subscribes = Budget(hourly, 3600.0, burst=hourly / 2)
        self._tending = asyncio.create_task(self._tend())

    async def stop(self) -> None:
        """Ends the task and closes the socket; an error of our own in the task comes out here."""
        self._tending.cancel()
        await asyncio.wait({self._tending})
        if not self._tending.cancelled():
            self._tending.result()

    def answered(self, frame: Frame, at: float) -> None:
        """Notes that the venue has reacted to an argument."""
        match frame:
            case CandlePush():
                self.unanswered.pop((frame.symbol, CHANNEL[frame.granularity]), None)
            case TickerPush():
                self.unanswered.pop((frame.symbol, TICKER), None)
            case Refused(code=code) if code == CODE_TOO_MANY_REQUESTS:
                # Asked for again later; which ones were meant the venue may not say.
                self.unanswered = dict.fromkeys(self.unanswered, at)
            case Refused() | Subscribed():
                self.unanswered.pop((frame.symbol, frame.channel), None)

    async def _tend(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                subscribing = tasks.create_task(self._subscribe())
                await self._keep_alive()
                subscribing.cancel()
        finally:
            await self._socket.close()

    async def _keep_alive(self) -> None:
        """Returns, with the reason noted, when the connection has to go."""
        while not self.reason:
            await asyncio.sleep(self._bounds.tick_s)
            now = time.monotonic()
            if not self.listening:
                self.heard_at = now
                self.unanswered = dict.fromkeys(self.unanswered, now)
                if self.pong_due is not None:
                    self.pong_due = now + self._bounds.pong_s
            self.reason = self._fault(now)
            if not self.reason and now >= self._ping_at:
                await self._send("ping")
                self._ping_at = now + self._bounds.ping_s
                if self.pong_due is None:
                    self.pong_due = time.monotonic() + self._bounds.pong_s

    def _fault(self, now: float) -> str:
        if self.pong_due is not None and now > self.pong_due:
            return f"no pong within {self._bounds.pong_s:g} s"
        if self._asked and now - self.heard_at > self._bounds.silence_s:
            return f"silent for {self._bounds.silence_s:g} s"
        if now >= self._recycle_at:
            self.planned = True
            return "recycled"
        return ""

    async def _subscribe(self) -> None:
        """Makes the venue's subscriptions what the feed wants, one message at a time."""
        while not self.reason:
            wanted = self._feed._wanted
            gone = [arg for arg in self._asked if arg not in wanted]
            missing = [arg for arg in wanted if arg not in self._asked]
            if not gone and not missing:
                await self._wait_for_change()
                continue
            await self._subscribes.take()
            op, args = ("unsubscribe", gone) if gone else ("subscribe", missing)
            text, count = message(op, args, self._feed._product_type)
            await self._send(text)
            now = time.monotonic()
            for arg in args[:count]:
                if op == "subscribe":
                    self._asked[arg] = None
                    self.unanswered[arg] = now
                else:
                    self._asked.pop(arg, None)
                    self.unanswered.pop(arg, None)

    async def _wait_for_change(self) -> None:
        """Until the feed wants something else, or an argument was unanswered for too long."""
        try:
            async with asyncio.timeout(self._ack_s):
                await self._feed._changed.wait()
            self._feed._changed.clear()
        except TimeoutError:
            due = time.monotonic() - self._ack_s
            late = [arg for arg, asked_at in self.unanswered.items() if asked_at <= due]
            for arg in late:
                self._asked.pop(arg, None)
            if late:
                self._ack_s *= 2

    async def _send(self, text: str) -> None:
        """Sends within the message budget. A socket that takes nothing, or is closed, has ended."""
        await self._messages.take()
        try:
            async with asyncio.timeout(self._bounds.pong_s):
                await self._socket.send(text)
        except TimeoutError:
            self.reason = f"the socket took nothing for {self._bounds.pong_s:g} s"
        except ConnectionClosed as closed:
            self.reason = _one_line(closed)


def message(op: str, args: list[Arg], product_type: str) -> tuple[str, int]:
    """The longest message within the venue's size, and how many of `args` are in it."""
    head = f'{{"op":"{op}","args":['
    parts: list[str] = []
    size = len(head) + len("]}")
    for symbol, channel in args:
        arg = {"instType": product_type, "channel": channel, "instId": symbol}
        part = orjson.dumps(arg).decode()
        size += len(part.encode()) + 1
        if size > MESSAGE_BYTES_MAX and parts:
            break
        parts.append(part)
    return head + ",".join(parts) + "]}", len(parts)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
