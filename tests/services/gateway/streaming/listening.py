"""A gateway's WebSocket without Kafka: records are handed to it, people and tokens are made up."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect

from chandler.core.events import Event, Symbol, Ticker
from chandler.core.notices.routing import User
from chandler.core.trading import events as tr
from chandler.core.trading.agents import AgentConfig
from chandler.streams.reader import Record
from chandler.streams.settings import installation
from services.following.folds import Lately
from services.following.sources import Sources
from services.gateway.caller import Caller
from services.gateway.parts import Parts
from services.gateway.problems import Problem
from services.gateway.streaming.frames import Protocol
from services.gateway.streaming.sockets import router
from services.gateway.streaming.stream import Limits, Stream
from services.profile import Profile
from services.showing.standing import Standing

DEADLINE_S = 30.0
T0 = 1_704_067_200_000
USERS = {
    "olga": User(role="owner", telegram_id=1),
    "otto": User(role="operator", telegram_id=2, agents=["bert"]),
    "vera": User(role="viewer", telegram_id=3, agents=["anna"]),
}
POSITION: dict[str, Any] = {
    "account": "anna",
    "symbol": Symbol("BTCUSDT"),
    "side": "long",
    "size": Decimal("0.2"),
    "cost": Decimal("20"),
    "leverage": 5,
    "stop": Decimal("95"),
    "targets": [Decimal("120")],
    "adds": 0,
    "opened_ms": T0,
    "source": "trend",
    "mark": Decimal("110"),
    "peak": Decimal("112"),
    "unrealised": Decimal("2"),
    "realised": Decimal("0"),
    "fees": Decimal("0.5"),
    "funding": Decimal("0E-8"),
}


class People:
    """Whose token is "NAME", as long as `gone` doesn't hold it."""

    def __init__(self) -> None:
        self.gone: set[str] = set()

    async def caller(self, request: Any) -> Any:
        raise AssertionError("a WebSocket's headers tell nobody who it is")

    def by_token(self, token: str) -> Caller:
        name = token.partition("-")[0]
        if name not in USERS or token in self.gone:
            raise Problem(401, "expired_token", "the token is too old: log in")
        return Caller(name, USERS[name])

    def by_key(self, text: str) -> Caller:
        id_, _, secret = text.partition(".")
        if secret != "good":
            raise Problem(401, "bad_key", "the key is none of ours")
        return Caller("olga", USERS["olga"], key=id_, scopes=frozenset(id_.split("+")))

    def limit(self, caller: Any) -> None:
        return None


class Desk:
    """Views that are read, of a desk on which nothing is open."""

    def __init__(self) -> None:
        self.desk = Standing()
        self.lately = Lately()

    def known(self, *_: str) -> bool:
        return True

    def trouble(self, *_: str) -> str:
        return ""

    def clock_ms(self) -> int:
        return T0


class House:
    """One gateway's life, and what happens in it."""

    def __init__(self, data: Path, limits: Limits | None = None) -> None:
        place = installation({"CHANDLER_DATA": str(data), "CHANDLER_BROKERS": "127.0.0.1:1"})
        profile = Profile(agents={"anna": AgentConfig(), "bert": AgentConfig()}, users=USERS)
        self.people = People()
        parts = Parts(
            installation=place,
            profile=profile,
            views=Desk(),  # type: ignore[arg-type]
            sources=Sources(place, profile, logging.getLogger("test")),
            access=self.people,
            now_ms=lambda: T0,
        )
        self.stream = parts.streaming = Stream(parts, limits)
        self.hub = self.stream.hub
        self.hub.ring.begin({f"{topic}:0": 0 for topic in ("orders", "positions", "signals")})
        self.hub.ready.set()
        self.app = FastAPI()
        self.app.state.parts = parts
        self.app.include_router(router, prefix="/v1")
        self.port = 0
        self.offsets: dict[str, int] = {}

    def happens(self, event: Event, topic: str = "orders") -> None:
        """The next record of the topic."""
        offset = self.offsets.get(topic, 0)
        self.offsets[topic] = offset + 1
        self.hub.take(record(event, topic, offset))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["House"]:
        config = uvicorn.Config(
            self.app,
            port=0,
            ws=Protocol,
            ws_max_size=64 * 1024,
            ws_per_message_deflate=False,
            ws_ping_interval=None,
            lifespan="off",
            log_config=None,
        )
        server = uvicorn.Server(config)
        server.config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        self.port = server.servers[0].sockets[0].getsockname()[1]
        telling = asyncio.create_task(self.hub.run())
        self.stream.look(time.monotonic())
        try:
            yield self
        finally:
            telling.cancel()
            await asyncio.wait([telling])
            await server.shutdown()

    @asynccontextmanager
    async def client(self, token: str = "olga", **hello: Any) -> AsyncIterator["Listener"]:
        """A client that has said who it is."""
        async with self.socket() as socket:
            await socket.send(json.dumps({"type": "hello", "token": token, **hello}))
            yield Listener(socket)

    def socket(self, **more: Any) -> connect:
        """A connection that has said nothing."""
        return connect(
            f"ws://127.0.0.1:{self.port}/v1/stream", compression=None, ping_interval=None, **more
        )


class Listener:
    """Remembers its place by the rule that clients follow."""

    def __init__(self, socket: ClientConnection, last: dict[str, Any] | None = None) -> None:
        self.socket = socket
        self.last: dict[str, Any] = last or {"stream": "", "seq": 0, "places": {}}
        self.heard: list[dict[str, Any]] = []

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        remember(self.last, message)
        self.heard.append(message)
        return message

    async def until(self, type_: str) -> dict[str, Any]:
        """The next message of this type."""
        while True:
            message = await self.next()
            if message["type"] == type_:
                return message

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))


def remember(last: dict[str, Any], message: dict[str, Any]) -> None:
    """What every client does with every message."""
    if "stream" in message:
        last["stream"], last["seq"] = message["stream"], message["seq"]
    last["seq"] = message.get("seq", last["seq"])  # it never falls
    if place := message.get("place"):
        lane, _, offset = place.rpartition(":")
        last["places"][lane] = int(offset)
    last["places"].update(message.get("places", {}))


def record(event: Event, topic: str = "orders", offset: int = 0, partition: int = 0) -> Record:
    return Record(topic, partition, offset, T0, "", event, b"{}", {})


def sent(agent: str = "anna", number: int = 0) -> tr.OrderSent:
    symbol = Symbol("BTCUSDT")
    return tr.OrderSent(id=f"o{number}", account=agent, agent=agent, symbol=symbol, at=T0)


def ticker(symbol: str = "BTCUSDT", last: str = "100", at: int = T0) -> Ticker:
    return Ticker(
        symbol=Symbol(symbol),
        at=at,
        last=last,
        bid=last,
        ask=last,
        mark=last,
        minute_open_ms=0,
        minute_volume=0.0,
    )


def opened(id_: str = "p1", agent: str = "anna", **changed: Any) -> tr.PositionOpened:
    marked = tr.PositionMarked(**{**POSITION, "id": id_, "agent": agent, **changed})
    return tr.PositionOpened(position=marked, symbol=marked.symbol, at=T0)
