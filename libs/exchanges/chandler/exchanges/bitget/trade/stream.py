"""The private socket: orders and fills as they happen, across reconnects, each once.

The venue says that private pushes can be lost: StreamBroken tells when REST has to be asked.
Knows nothing of accounts' generations but the names of channels.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from random import Random
from typing import Any

import msgspec
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from chandler.core.trading.broker import Push, StreamBroken, VenueFill, VenueOrder
from chandler.exchanges.bitget.config import is_local
from chandler.exchanges.bitget.errors import MalformedFrame
from chandler.exchanges.bitget.pacing import Backoff
from chandler.exchanges.bitget.trade import rows as parse

SOCKET_PATH = "/v2/ws/private"
CHANNELS = ("orders", "fill")
PING_S = 27.0  # the venue asks for 30 and drops us after 120
PONG_S = 15.0
ACK_S = 10.0  # for login and for the subscriptions
CONNECT_S = 10.0
CLOSE_S = 1.0
FRAME_BYTES_MAX = 4 << 20
SEEN_MAX = 20_000  # pushes remembered, so that none comes twice
RETRY = Backoff(first_s=0.5, most_s=30.0, floor_s=0.1)
# websockets writes frames into its debug log, and the login is one of them.
_QUIET = logging.getLogger("chandler.bitget.private")
_QUIET.setLevel(logging.WARNING)


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How long the socket waits for what, wall seconds."""

    ping_s: float = PING_S
    pong_s: float = PONG_S
    ack_s: float = ACK_S
    retry: Backoff = RETRY


class _BrokenError(Exception):
    """This connection has to go; one line."""


class Stream:
    """Iterate `pushes()`, once; `close()` ends it. `login` gives the argument of a login."""

    def __init__(
        self,
        url: str,
        login: Callable[[], dict[str, str]],
        *,
        product_type: str,
        margin_coin: str,
        waits: Waits | None = None,
    ) -> None:
        self.connects = 0
        self.counts: Counter[str] = Counter()  # what was dropped, by cause
        self._url = url
        self._login = login
        self._product_type = product_type
        self._coin = margin_coin
        self._waits = waits or Waits()
        self._random = Random()
        self._seen: dict[tuple[str, ...], None] = {}
        self._closed = asyncio.Event()
        self._socket: ClientConnection | None = None

    async def close(self) -> None:
        self._closed.set()
        if self._socket is not None:
            await self._socket.close()

    async def pushes(self) -> AsyncGenerator[Push, None]:
        """Fills, orders, and StreamBroken: `back` once subscribed, at first and ever again."""
        failures, told = 0, False
        while not self._closed.is_set():
            up = False
            try:
                self._socket = await self._open()
                async with aclosing(self._session(self._socket)) as session:
                    async for push in session:
                        up = up or isinstance(push, StreamBroken)
                        yield push
                reason = "ended"
            except (ConnectionClosed, _BrokenError) as error:
                reason = _one_line(error)
            except (OSError, TimeoutError, WebSocketException) as error:
                reason = f"cannot connect to {self._url}: {_one_line(error)}"
            finally:
                if self._socket is not None:
                    await self._socket.close()
            if self._closed.is_set():
                return
            if up or not told:
                told = True
                yield StreamBroken(back=False, reason=reason)
            failures = 1 if up else failures + 1
            await self._rest(self._waits.retry.wait_s(failures, self._random))

    async def _session(self, socket: ClientConnection) -> AsyncGenerator[Push, None]:
        """One connection: login, subscribe, then pushes; raises when it is over."""
        self.connects += 1
        await self._send(socket, {"op": "login", "args": [self._login()]})
        await self._acknowledged(socket, {"login"})
        args = [
            {"instType": self._product_type, "channel": channel, "instId": "default"}
            for channel in CHANNELS
        ]
        await self._send(socket, {"op": "subscribe", "args": args})
        early = await self._acknowledged(socket, set(CHANNELS))
        yield StreamBroken(back=True, reason="subscribed")
        for frame in early:
            for push in self._pushed(frame):
                yield push
        ping_at, pong_due = time.monotonic() + self._waits.ping_s, None
        while True:
            due = ping_at if pong_due is None else min(ping_at, pong_due)
            try:
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    raw = await socket.recv(decode=False)
            except TimeoutError:
                now = time.monotonic()
                if pong_due is not None and now >= pong_due:
                    raise _BrokenError(f"no pong within {self._waits.pong_s:g} s") from None
                await socket.send("ping")
                ping_at, pong_due = now + self._waits.ping_s, now + self._waits.pong_s
                continue
            if raw == b"pong":
                pong_due = None
                continue
            frame = _frame(raw)
            self._check(frame)
            for push in self._pushed(frame):
                yield push

    # {"event":"login","code":0,"connId":"0621ccff.."}                       (live 2026-10)
    # {"event":"subscribe","arg":{"instType":"USDT-FUTURES","channel":"orders","instId":"default"}}
    # {"event":"error","code":30005,"msg":"error"}
    async def _acknowledged(self, socket: ClientConnection, awaited: set[str]) -> list[Any]:
        """Waits until all of `awaited` are acknowledged; pushes that came meanwhile."""
        early = []
        try:
            async with asyncio.timeout(self._waits.ack_s):
                while awaited:
                    raw = await socket.recv(decode=False)
                    frame = None if raw == b"pong" else _frame(raw)
                    self._check(frame)
                    if not isinstance(frame, dict):
                        continue
                    event = frame.get("event")
                    if event == "login" and str(frame.get("code")) in ("0", "00000"):
                        awaited.discard("login")
                    elif event == "subscribe":
                        awaited.discard(parse.text(frame.get("arg"), "channel"))
                    elif event is None:
                        early.append(frame)
        except TimeoutError:
            raise _BrokenError(
                f"{', '.join(sorted(awaited))} not acknowledged within {self._waits.ack_s:g} s"
            ) from None
        return early

    def _check(self, frame: Any) -> None:
        """Ends the connection on an error event: a channel less would be a silent hole."""
        if isinstance(frame, dict) and (
            frame.get("event") == "error"
            or (frame.get("event") == "login" and str(frame.get("code")) not in ("0", "00000"))
        ):
            code, said = parse.text(frame, "code"), parse.text(frame, "msg")
            raise _BrokenError(f"the venue says: {said[:200]} (code {code})")

    def _pushed(self, frame: Any) -> list[Push]:
        """The news in a frame. An unreadable row ends the connection: REST is asked then."""
        arg = frame.get("arg") if isinstance(frame, dict) else None
        data = frame.get("data") if isinstance(frame, dict) else None
        channel = parse.text(arg, "channel")
        if channel not in CHANNELS or not isinstance(data, list):
            self.counts["unknown frame"] += 1
            return []
        try:
            if channel == "fill":
                found: list[Push] = [parse.fill(row, self._coin) for row in data]
            else:
                found = [parse.order(row) for row in data]
        except MalformedFrame as error:
            self.counts["malformed row"] += 1
            raise _BrokenError(f"unreadable row in {channel}: {error}") from None
        return [push for push in found if self._is_new(push)]

    def _is_new(self, push: Push) -> bool:
        match push:
            case VenueFill():
                key: tuple[str, ...] = ("fill", push.venue_id, push.trade)
            case VenueOrder():
                key = ("order", push.venue_id, push.state, str(push.filled))
            case _:
                return True
        if key in self._seen:
            self.counts["repeated"] += 1
            return False
        if len(self._seen) >= SEEN_MAX:
            self._seen.pop(next(iter(self._seen)))
        self._seen[key] = None
        return True

    async def _open(self) -> ClientConnection:
        return await connect(
            self._url,
            compression=None,
            open_timeout=CONNECT_S,
            close_timeout=CLOSE_S,
            ping_interval=None,  # the venue counts text pings only
            logger=_QUIET,
            max_size=FRAME_BYTES_MAX,
            proxy=None if is_local(self._url) else True,
        )

    async def _send(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        await socket.send(orjson.dumps(message).decode())

    async def _rest(self, seconds: float) -> None:
        """Waits, or less if the stream is closed."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            return


def _frame(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _BrokenError(f"a frame that is not JSON: {raw[:60]!r}") from None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
