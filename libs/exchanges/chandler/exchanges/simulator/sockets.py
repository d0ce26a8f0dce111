"""The public WebSocket: subscriptions, acks and errors, snapshots, limits, and faulty frames.

Sources: the venue's WebSocket introduction and channel pages (docs: bitget-api §1).
Frames are written to the transport in one piece per turn, because there are many of them.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from aiohttp import WSMsgType, web

from chandler.core.resample import Bar
from chandler.exchanges.simulator.faults import Faults, FrameFaults
from chandler.exchanges.simulator.instruments import Quotes, row_text
from chandler.exchanges.simulator.market import SPACINGS, Market, Spacing
from chandler.exchanges.simulator.recording import SLOT_MS

INST_TYPE = "USDT-FUTURES"
SNAPSHOT_ROWS_MAX = 500
MESSAGE_BYTES_MAX = 4096
RECEIVED_BYTES_MAX = 65_536  # beyond that the connection is closed
OUTGOING_BYTES_MAX = 32 * 1024 * 1024  # a client that reads so slowly is cut
HOUSEKEEPING_S = 0.2
LATE_S = 0.1  # wall: how long a late last update is held back
CUT_SPREAD = 0.25  # a cut comes within so much of its interval
HOUR_S = 3600.0
CONNECTS_S = 300.0

CHANNEL_UNKNOWN, ILLEGAL, INVALID_OP, TOO_MANY, OVER_LIMIT, WRONG_PARAM = (
    30001,
    30002,
    30003,
    30006,
    30007,
    30016,
)
# Spot's REST spellings, which the socket refuses as wrong.
_SPOT = ("1min", "5min", "15min", "30min", "1h", "4h", "6h", "12h", "1day", "3day", "1week")
WRONG_SPELLINGS = frozenset(f"candle{text}" for text in _SPOT)


class Limits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The venue's limits on a connection, in wall time whatever the speed; admin changes them."""

    messages_per_second: int = 10
    subscribes_per_hour: int = 240
    channels: int = 1000
    connects_per_5_minutes: int = 300  # by address
    ping_timeout_s: float = 120.0
    recycle_s: float = 24 * HOUR_S


class Feed:
    """One channel of one symbol and who listens."""

    def __init__(self, index: int, symbol: str, channel: str, spacing: Spacing | None) -> None:
        self.index = index
        self.spacing = spacing  # None: tickers
        self.sessions: list[Session] = []
        self.arg = f'{{"instType":"{INST_TYPE}","channel":"{channel}","instId":"{symbol}"}}'
        self._head = f'{{"action":"update","arg":{self.arg},"data":['

    def update(self, bar: Bar, now_ms: int) -> bytes:
        return encode_frame(f'{self._head}{row_text(bar)}],"ts":{now_ms}}}')

    def snapshot(self, bars: list[Bar], now_ms: int) -> bytes:
        rows = ",".join(map(row_text, bars))
        text = f'{{"action":"snapshot","arg":{self.arg},"data":[{rows}],"ts":{now_ms}}}'
        return encode_frame(text)


class Session:
    """One connection."""

    def __init__(self, hub: "Sockets", transport: asyncio.Transport, number: int) -> None:
        self.started = self.last_ping = time.monotonic()
        self.feeds: dict[tuple[str, str], Feed] = {}
        self.messages: deque[float] = deque()
        self.subscribes: deque[float] = deque()
        self.asked: asyncio.Queue[str] = asyncio.Queue()  # what is not carried out yet
        self.closed = False
        self.number = number
        self._hub = hub
        self._transport = transport
        self._out: list[bytes] = []
        self.take_faults(hub.faults)

    def take_faults(self, faults: Faults) -> None:
        """From now on these."""
        self._silence = faults.silence
        self._faulty = FrameFaults(faults, self._hub.seed, self.number) if faults.frames else None
        spread = 1 + CUT_SPREAD * ((self.number * 0.618) % 1 * 2 - 1)
        self.cut_at = time.monotonic() + faults.cut_s * spread if faults.cut_s else float("inf")

    def push(self, frame: bytes, last: bool = False) -> None:
        """Sends a pushed frame, or what the faults make of it; `last`: a candle's last update."""
        faulty = self._faulty
        if faulty is None:
            self.reply(frame)
        elif last and faulty.is_late():
            asyncio.get_running_loop().call_later(LATE_S, self._push_late, frame)
        else:
            for each in faulty.pass_on(frame):
                self.reply(each)

    def reply(self, frame: bytes) -> None:
        """Sends a frame that no fault but silence touches."""
        if not self._out:
            self._hub.dirty.append(self)
        self._out.append(frame)

    def flush(self) -> None:
        """Writes what is waiting."""
        out, self._out = self._out, []
        if self.closed or self.silent or self._transport.is_closing():
            return
        self._hub.counts["frames"] += len(out)
        self._transport.write(b"".join(out))
        # The other side may be gone since just now: then the transport has closed itself.
        is_open = not self._transport.is_closing()
        if is_open and self._transport.get_write_buffer_size() > OUTGOING_BYTES_MAX:
            self.cut("slow")

    @property
    def silent(self) -> bool:
        spell = self._silence
        return spell is not None and spell.covers(time.monotonic() - self.started)

    def cut(self, why: str) -> None:
        """Ends the connection without a word."""
        self.closed = True
        self._hub.counts[f"closed_{why}"] += 1
        self._transport.abort()

    def close(self, why: str, code: int = 1000) -> None:
        """Ends the connection with a close frame."""
        if self.closed:
            return
        self.flush()
        self.closed = True
        self._hub.counts[f"closed_{why}"] += 1
        if not self._transport.is_closing():
            self._transport.write(b"\x88\x02" + code.to_bytes(2, "big"))
        self._transport.close()

    def _push_late(self, frame: bytes) -> None:
        if not self.closed:
            self.reply(frame)
            self._hub.flush()


class Sockets:
    """All connections and what they listen to."""

    def __init__(self, market: Market, quotes: Quotes, shown_ms: Callable[[], int]) -> None:
        self.market = market
        self.quotes = quotes
        self.limits = Limits()
        self.faults = Faults()
        self.seed = 0  # of the faults
        self.sessions: set[Session] = set()
        self.feeds: list[dict[str, Feed]] = [{} for _ in market.symbols]  # by symbol and channel
        self.dirty: list[Session] = []
        self.counts: Counter[str] = Counter()
        self._shown_ms = shown_ms
        self._number = 0
        self._turn = asyncio.Lock()  # snapshots are long: one of all in a turn of the loop
        self._connects: dict[str, deque[float]] = {}  # by address

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection's whole life."""
        connects = self._connects.setdefault(request.remote or "", deque())
        if count_in(connects, time.monotonic(), CONNECTS_S) > self.limits.connects_per_5_minutes:
            return web.Response(status=429, text="too many connects")
        socket = web.WebSocketResponse(max_msg_size=RECEIVED_BYTES_MAX, compress=False)
        await socket.prepare(request)
        transport = request.transport  # uvloop's is no asyncio.Transport: not asserted
        if transport is None:
            return socket
        self._number += 1
        session = Session(self, transport, self._number)
        self.sessions.add(session)
        self.counts["connections"] += 1
        working = asyncio.create_task(self._work(session))
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT or session.closed:
                    continue
                self._take(session, message.data)
                self.flush()
        finally:
            session.closed = True
            working.cancel()
            (ended,) = await asyncio.gather(working, return_exceptions=True)
            if isinstance(ended, Exception):
                raise ended
            self.sessions.discard(session)
            for feed in session.feeds.values():
                feed.sessions.remove(session)
        return socket

    def set_faults(self, faults: Faults, seed: int) -> None:
        """All connections, open and new ones, have these from now on."""
        self.faults, self.seed = faults, seed
        for session in self.sessions:
            session.take_faults(faults)

    def flush(self) -> None:
        """Writes what is waiting on all connections."""
        dirty, self.dirty = self.dirty, []
        for session in dirty:
            session.flush()

    async def keep_house(self) -> None:
        """Ends the connections whose time has come, for ever."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            now = time.monotonic()
            for session in list(self.sessions):
                if now >= session.cut_at:
                    session.cut("cut")
                elif now - session.last_ping > self.limits.ping_timeout_s:
                    session.close("no_ping")
                elif now - session.started > self.limits.recycle_s:
                    session.close("recycled", 1001)

    def close_all(self) -> None:
        """Ends all connections: the venue goes down."""
        for session in list(self.sessions):
            session.close("down", 1001)

    def drop_symbol(self, index: int) -> None:
        """Nobody hears of this symbol any more."""
        for feed in self.feeds[index].values():
            for session in feed.sessions:
                session.feeds = {key: f for key, f in session.feeds.items() if f is not feed}
            feed.sessions.clear()

    def _take(self, session: Session, text: str) -> None:
        now = time.monotonic()
        if count_in(session.messages, now, 1.0) > self.limits.messages_per_second:
            session.reply(error(TOO_MANY, "request too many"))
            session.close("too_many_messages")
            return
        if text == "ping":
            session.last_ping = now
            session.reply(PONG)
            return
        if len(text.encode()) > MESSAGE_BYTES_MAX:
            session.reply(error(ILLEGAL, f"Illegal request: more than {MESSAGE_BYTES_MAX} bytes"))
            return
        session.asked.put_nowait(text)

    async def _work(self, session: Session) -> None:
        """Carries out what was asked, in its order; pings are answered meanwhile."""
        while True:
            op, args = self._request(session, await session.asked.get())
            for arg in args:
                async with self._turn:
                    if session.closed:
                        return
                    if op == "subscribe":
                        self._subscribe(session, arg)
                    else:
                        self._unsubscribe(session, arg)
                    self.flush()
                    await asyncio.sleep(0)  # ticks and whatever else waits come between them
            self.flush()

    def _request(self, session: Session, text: str) -> tuple[str, list[Any]]:
        """What is asked for; nothing, and the session is told why, if it can't be."""
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError:
            request = None
        if not isinstance(request, dict) or "op" not in request:
            session.reply(error(ILLEGAL, "Illegal request"))
            return "", []
        op, args = request["op"], request.get("args")
        if op not in ("subscribe", "unsubscribe"):
            session.reply(error(INVALID_OP, "Invalid op", op=op))
        elif not isinstance(args, list) or not args:
            session.reply(error(ILLEGAL, "Illegal request", op=op))
        elif op == "subscribe" and (
            count_in(session.subscribes, time.monotonic(), HOUR_S) > self.limits.subscribes_per_hour
        ):
            session.reply(error(TOO_MANY, "request too many", op=op))
        else:
            return op, args
        return "", []

    def _subscribe(self, session: Session, arg: Any) -> None:
        feed = self._feed(arg)
        if isinstance(feed, bytes):
            session.reply(feed)
            return
        key = (arg["channel"], arg["instId"])
        if key not in session.feeds:
            if len(session.feeds) >= self.limits.channels:
                session.reply(error(OVER_LIMIT, "over limit, connection closed", arg, "subscribe"))
                session.close("too_many_channels")
                return
            session.feeds[key] = feed
            feed.sessions.append(session)
        session.reply(encode_frame(f'{{"event":"subscribe","arg":{feed.arg}}}'))
        session.push(self._snapshot(feed))

    def _unsubscribe(self, session: Session, arg: Any) -> None:
        feed = self._feed(arg)
        if isinstance(feed, bytes):
            session.reply(feed)
            return
        if session.feeds.pop((arg["channel"], arg["instId"]), None) is not None:
            feed.sessions.remove(session)
        session.reply(encode_frame(f'{{"event":"unsubscribe","arg":{feed.arg}}}'))

    def _feed(self, arg: Any) -> Feed | bytes:
        """The feed that an arg names, or the error frame."""
        if not isinstance(arg, dict) or not all(
            isinstance(arg.get(name), str) for name in ("instType", "channel", "instId")
        ):
            return error(WRONG_PARAM, "Param error", arg, "subscribe")
        channel, symbol = arg["channel"], arg["instId"]
        if channel in WRONG_SPELLINGS:
            return error(WRONG_PARAM, "Param error", arg, "subscribe")
        spacing = SPACINGS.get(channel.removeprefix("candle"))
        known = channel == "ticker" or (channel.startswith("candle") and spacing is not None)
        index = self.market.index.get(symbol)
        if arg["instType"] != INST_TYPE or not known or index is None or self._gone(symbol):
            what = f"instType:{arg['instType']},channel:{channel},instId:{symbol} doesn't exist"
            return error(CHANNEL_UNKNOWN, what, arg, "subscribe")
        feeds = self.feeds[index]
        if channel not in feeds:
            feeds[channel] = Feed(index, symbol, channel, spacing)
        return feeds[channel]

    def _gone(self, symbol: str) -> bool:
        return symbol in self.market.delisted

    def _snapshot(self, feed: Feed) -> bytes:
        now, market = self._shown_ms(), self.market
        if feed.spacing is None:
            price = market.last_price(feed.index, now)
            return encode_frame(self.quotes.frame(feed.index, price, now // SLOT_MS, now))
        bars = market.bars(feed.index, feed.spacing, now + 1, SNAPSHOT_ROWS_MAX, now)
        forming = market.forming(feed.index, feed.spacing, now)
        if forming is not None:
            bars = [*bars[1 - SNAPSHOT_ROWS_MAX :], forming]
        return feed.snapshot(bars, now)


def encode_frame(text: str) -> bytes:
    """A server's text frame, RFC 6455 §5.2: final, opcode 1, unmasked."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def error(code: int, message: str, arg: Any = None, op: str = "") -> bytes:
    """An error event: `code` is a number on the wire."""
    event: dict[str, Any] = {"event": "error"}
    if arg is not None:
        event["arg"] = arg
    event |= {"code": code, "msg": message}
    if op:
        event["op"] = op
    return encode_frame(orjson.dumps(event).decode())


PONG = encode_frame("pong")


def count_in(times: "deque[float]", now: float, window_s: float) -> int:
    """How many there were in the window, this one included."""
    times.append(now)
    while times[0] <= now - window_s:
        times.popleft()
    return len(times)
