"""A private venue that does what a test tells it to: REST that notes every request, and a socket.

Says nothing about the real venue: it gives recorded bodies back.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from chandler.core.events import Symbol
from chandler.core.trading.events import OrderRequested
from chandler.exchanges.bitget.trade.broker import BitgetBroker
from chandler.exchanges.bitget.trade.config import TradeConfig
from chandler.exchanges.bitget.trade.keys import Keys

Answer = tuple[int, bytes]
AT = 1_695_806_875_837
KEYS = Keys("the-key", "secret", "the-passphrase")


class Seen(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str  # with the query, percent-encoded as sent
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def good(data: Any) -> Answer:
    envelope = {"code": "00000", "msg": "success", "requestTime": AT, "data": data}
    return 200, orjson.dumps(envelope)


def bad(code: str, message: str = "no", status: int = 400) -> Answer:
    envelope = {"code": code, "msg": message, "requestTime": AT, "data": None}
    return status, orjson.dumps(envelope)


class Venue:
    """Answers by the last part of the path; a list gives its answers one after the other."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.url = ""
        self.answers: dict[str, Answer | list[Answer] | Callable[[Seen], Answer]] = {
            "time": good({"serverTime": str(AT)}),
            "accounts": good([ACCOUNT]),
            "account": good({"posMode": "one_way_mode", "marginMode": "crossed"}),
            "info": good({"authorities": ["coow", "cpow"]}),
        }
        self.hangs: set[str] = set()  # endpoints that read the request and never answer
        self.cuts: set[str] = set()  # endpoints that read the request and cut the connection

    def asked(self, endpoint: str) -> list[Seen]:
        return [one for one in self.seen if one.path.split("?")[0].endswith("/" + endpoint)]

    async def answer(self, request: web.Request) -> web.Response:
        seen = Seen(request.method, request.raw_path, dict(request.headers), await request.read())
        self.seen.append(seen)
        endpoint = request.path.rpartition("/")[2]
        if endpoint in self.hangs:
            await asyncio.Event().wait()
        if endpoint in self.cuts:
            assert request.transport is not None
            request.transport.abort()
        found = self.answers.get(endpoint, bad("40404", "Request URL NOT FOUND", 404))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        status, body = found if isinstance(found, tuple) else found(seen)
        headers = {"Location": "/elsewhere"} if status in (301, 307) else {}
        return web.Response(
            status=status, body=body, headers=headers, content_type="application/json"
        )


@contextlib.asynccontextmanager
async def answering() -> AsyncIterator[Venue]:
    """The venue, reachable at `venue.url`."""
    venue = Venue()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", venue.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    venue.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield venue
    finally:
        await runner.cleanup()


class Socket:
    """The private socket: acknowledges login and subscriptions, then says what a test wants."""

    def __init__(self) -> None:
        self.url = ""
        self.counts: Counter[str] = Counter()
        self.login: dict[str, Any] = {"event": "login", "code": 0}
        self.answers_pings = True
        self.frames: list[list[bytes]] = []  # of each connection; then it is cut, or stays
        self.stays = False
        self.messages: list[Any] = []

    async def handle(self, socket: ServerConnection) -> None:
        self.counts["connections"] += 1
        frames = self.frames.pop(0) if self.frames else []
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                if text == "ping":
                    self.counts["pings"] += 1
                    if self.answers_pings:
                        await socket.send("pong")
                    continue
                message = orjson.loads(text)
                self.messages.append(message)
                if message["op"] == "login":
                    await socket.send(orjson.dumps(self.login).decode())
                    continue
                for arg in message["args"]:
                    acked = {"event": "subscribe", "arg": arg}
                    await socket.send(orjson.dumps(acked).decode())
                for frame in frames:
                    await socket.send(frame.decode())
                if not self.stays and not self.frames:
                    continue
                if not self.stays:
                    await socket.close(1001)


@contextlib.asynccontextmanager
async def listening(socket: Socket) -> AsyncIterator[Socket]:
    async with serve(socket.handle, "127.0.0.1", 0, close_timeout=0.1) as server:
        socket.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield socket


@contextlib.asynccontextmanager
async def opened(venue: Venue, timeout_s: float = 5.0) -> AsyncIterator[BitgetBroker]:
    broker = BitgetBroker(config(venue.url), KEYS, timeout_s=timeout_s)
    await broker.open()
    try:
        yield broker
    finally:
        await broker.close()


def config(rest_url: str, ws_url: str = "ws://127.0.0.1:1") -> TradeConfig:
    return TradeConfig(rest_url=rest_url, ws_url=ws_url, simulated=True)


def requested(**changes: Any) -> OrderRequested:
    """An intent for a small BTC entry."""
    values: dict[str, Any] = {
        "id": "a1b2c3d4e5f6",
        "shard": 1,
        "seq": 7,
        "account": "main",
        "agent": "one",
        "symbol": Symbol("BTCUSDT"),
        "position": "p1",
        "leg": "entry",
        "action": "open",
        "side": "long",
        "size": Decimal("0.0010"),
        "leverage": 3,
        "price": Decimal("60000"),
        "cause": "s1",
        "source": "trend",
        "reason": "a test",
        "at": AT,
        "ready_ms": AT,
        "sent_ms": 1_700_000_000_000,
    }
    return OrderRequested(**(values | changes))


ACCOUNT = {
    "marginCoin": "USDT",
    "locked": "0",
    "available": "990.5",
    "crossedMaxAvailable": "980.25",
    "isolatedMaxAvailable": "970.125",
    "accountEquity": "1001.75",
    "unrealizedPL": "-1.25",
    "assetMode": "single",
}
# Live (bitget-api §8.5), our names put in; the second is what detail makes of it.
PENDING = {
    "symbol": "BLURUSDT",
    "size": "40",
    "orderId": "1190384645049036801",
    "clientOid": "mine",
    "baseVolume": "0",
    "fee": "0",
    "price": "0.15",
    "priceAvg": "",
    "status": "live",
    "side": "buy",
    "force": "gtc",
    "posSide": "net",
    "marginCoin": "USDT",
    "leverage": "10",
    "tradeSide": "buy_single",
    "posMode": "one_way_mode",
    "orderType": "limit",
    "reduceOnly": "NO",
    "cTime": "1719535736339",
    "uTime": "1719535736393",
}
DETAIL = {name: value for name, value in PENDING.items() if name != "status"} | {
    "state": "filled",
    "baseVolume": "40",
    "priceAvg": "0.15",
}
FILL = {
    "orderId": "1190384645049036801",
    "tradeId": "1169142761312637004",
    "symbol": "blurusdt",
    "side": "buy",
    "price": "0.15",
    "baseVolume": "40",
    "quoteVolume": "6",
    "profit": "0",
    "tradeSide": "buy_single",
    "posMode": "one_way_mode",
    "tradeScope": "taker",
    "feeDetail": [
        {"feeCoin": "USDT", "deduction": "no", "totalDeductionFee": "0", "totalFee": "-0.0036"}
    ],
    "cTime": "1719535736393",
}
NO_ORDER = bad("40109", "The data of the order cannot be found")
