"""A small local venue that does what a test tells it to: WebSocket and REST."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from chandler.exchanges.bitget.feed import Feed, FeedEvent

FRAMES = Path(__file__).parent / "frames"
MINUTE = 60_000
MESSAGES_PER_SECOND_MAX = 10


def frame(name: str) -> bytes:
    """A stored frame, as it came over the wire."""
    return (FRAMES / f"{name}.json").read_bytes().strip()


def candle_push(symbol: str, channel: str = "candle1m", open_ms: int = MINUTE) -> str:
    """An update with one flat row."""
    row = [str(open_ms), "10", "11", "9", "10.5", "3", "30", "30"]
    arg = {"instType": "USDT-FUTURES", "channel": channel, "instId": symbol}
    push = {"action": "update", "arg": arg, "data": [row], "ts": open_ms + 1}
    return orjson.dumps(push).decode()


class Venue:
    """Speaks the public WebSocket protocol and keeps its limits; a test bends it."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.messages: list[str] = []
        self.subscribed: list[tuple[str, str]] = []
        self.unsubscribed: list[tuple[str, str]] = []
        self.pings = 0
        self.pinged = asyncio.Event()
        self.broken_rules: list[str] = []
        self.answers_pings = True
        self.unknown: set[str] = set()  # symbols
        self.loses_acks = 0  # so many arguments get no answer
        self.too_many = 0  # so many messages are answered with 30006
        self.on_subscribe: Callable[[ServerConnection, str, str], Awaitable[None]] | None = None

    async def handle(self, socket: ServerConnection) -> None:
        self.connections += 1
        arrived: list[float] = []
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                assert isinstance(text, str)
                self.messages.append(text)
                arrived = [at for at in arrived if time.monotonic() - at < 1.0]
                arrived.append(time.monotonic())
                if len(arrived) > MESSAGES_PER_SECOND_MAX:
                    self.broken_rules.append("too many messages")
                if len(text.encode()) > 4096:
                    self.broken_rules.append("message too long")
                if text == "ping":
                    self.pings += 1
                    self.pinged.set()
                    if self.answers_pings:
                        await socket.send("pong")
                else:
                    await self._request(socket, orjson.loads(text))

    async def _request(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        if self.too_many:
            self.too_many -= 1
            await socket.send(frame("refused_too_many").decode())
            return
        for arg in request["args"]:
            symbol, channel = arg["instId"], arg["channel"]
            if request["op"] == "unsubscribe":
                self.unsubscribed.append((symbol, channel))
            elif symbol in self.unknown:
                await socket.send(frame("refused_unknown").decode().replace("NOPEUSDT", symbol))
                continue
            else:
                self.subscribed.append((symbol, channel))
            if self.loses_acks:
                self.loses_acks -= 1
                continue
            await socket.send(orjson.dumps({"event": request["op"], "arg": arg}).decode())
            if self.on_subscribe is not None:
                await self.on_subscribe(socket, symbol, channel)


@contextlib.asynccontextmanager
async def listening(venue: Venue) -> AsyncIterator[Venue]:
    """The venue, reachable at `venue.url`."""
    async with serve(venue.handle, "127.0.0.1", 0, close_timeout=0.1) as server:
        port = server.sockets[0].getsockname()[1]
        venue.url = f"ws://127.0.0.1:{port}"
        yield venue


async def until(feed: Feed, enough: Callable[[list[FeedEvent]], bool]) -> list[FeedEvent]:
    """The feed's events until they are enough. A feed that hangs fails the test."""
    seen: list[FeedEvent] = []
    events = feed.events()
    async with asyncio.timeout(20), contextlib.aclosing(events):  # type: ignore[type-var]
        async for event in events:
            seen.append(event)
            if enough(seen):
                break
    return seen


Answer = tuple[int, bytes]


@contextlib.asynccontextmanager
async def answering(
    reply: Callable[[web.Request], Awaitable[Answer]],
    left: Iterable[str] = (),
) -> AsyncIterator[str]:
    """The URL of a REST venue whose every answer is `reply`'s.

    `left`: what the first answers say of the requests that the venue still takes.
    """
    says = iter(left)

    async def handle(request: web.Request) -> web.Response:
        status, body = await reply(request)
        said = next(says, None)
        headers = {} if said is None else {"x-mbx-used-remain-limit": said}
        kind = "application/json"
        return web.Response(status=status, body=body, content_type=kind, headers=headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def in_turn(answers: Iterable[Answer]) -> Callable[[web.Request], Awaitable[Answer]]:
    """Gives the answers one after the other."""
    left = iter(list(answers))

    async def reply(request: web.Request) -> Answer:
        return next(left)

    return reply


def good(data: Any) -> Answer:
    """Success, in the venue's envelope."""
    envelope = {"code": "00000", "msg": "success", "requestTime": 1695806875837, "data": data}
    return 200, orjson.dumps(envelope)


def bad(code: str, message: str, status: int = 400) -> Answer:
    """A refusal, in the venue's envelope."""
    envelope = {"code": code, "msg": message, "requestTime": 1695806875837, "data": None}
    return status, orjson.dumps(envelope)
