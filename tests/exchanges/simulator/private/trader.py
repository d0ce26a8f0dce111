"""Somebody who trades at a small venue whose prices stand still until the test moves its clock."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import websockets
from yarl import URL

from chandler.exchanges.simulator.private.keys import Keys
from chandler.exchanges.simulator.recording import SLOT_MS
from chandler.exchanges.simulator.server import Simulator
from tests.exchanges.simulator.venue import ORIGIN_MS, admin, simulator, write_csv

ORDER, ACCOUNT, POSITION = "mix/order", "mix/account", "mix/position"
PRODUCT = {"productType": "USDT-FUTURES"}
START_SLOT = 40
SYMBOL = "AAAUSDT"


def flat(symbol: str, prices: Sequence[float], slots: int = 300) -> list[dict[str, Any]]:
    """Candles without movement: the first price up to slot 60, each further one for 20 slots."""
    rows = []
    for slot in range(slots):
        step = min(max(slot - 40, 0) // 20, len(prices) - 1)
        price = prices[step]
        row = {"symbol": symbol, "open_time": ORIGIN_MS + slot * SLOT_MS, "volume": 1000.0}
        rows.append(row | dict.fromkeys(("open", "high", "low", "close"), price))
    return rows


def still(tmp_path: Path, *prices: float, data: Path | None = None, **settings: Any) -> Simulator:
    """A venue at the first of the prices; `later` shows the next ones."""
    file = tmp_path / "candles.csv"
    if not file.exists():
        rows = flat(SYMBOL, prices or (100.0,)) + flat("BBBUSDT", (50.0,))
        rows[0]["close"] = rows[0]["high"] = (
            rows[0]["open"] + 0.01
        )  # so that prices have two places
        rows[300]["close"] = rows[300]["high"] = 50.01
        write_csv(file, rows)
    start = "2024-01-01T03:20:30"
    return simulator(tmp_path, data, speed=1.0, start=start, **settings)


async def later(venue: Simulator, step: int) -> None:
    """Jumps to the middle of the given price."""
    slot = START_SLOT + 20 * step + 10
    await admin(venue, "POST", "clock", {"now_ms": ORIGIN_MS + slot * SLOT_MS + 30_000})


def sign(secret: str, text: str) -> str:
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


class Trader:
    """Signs and asks; `post` and `get` give the data of what succeeds."""

    def __init__(self, venue: Simulator, http: aiohttp.ClientSession, name: str) -> None:
        self.venue = venue
        self.name = name
        self.keys: Keys = venue.exchange.accounts[name].keys
        self.skew_ms = 0
        self._http = http

    async def ask(
        self, method: str, path: str, params: dict[str, Any], **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """(status, envelope)"""
        url, body = f"/api/v2/{path}", ""
        if method == "POST":
            body = orjson.dumps(params).decode()
        elif params:
            url += "?" + "&".join(f"{key}={value}" for key, value in sorted(params.items()))
        stamp = str(time.time_ns() // 1_000_000 + self.skew_ms)
        signed = {
            "ACCESS-KEY": self.keys.key,
            "ACCESS-SIGN": sign(self.keys.secret, stamp + method + url + body),
            "ACCESS-TIMESTAMP": stamp,
            "ACCESS-PASSPHRASE": self.keys.passphrase,
            "Content-Type": "application/json",
        }
        async with self._http.request(
            method,
            URL(self.venue.rest_url + url, encoded=True),
            data=body or None,
            headers=signed | headers,
        ) as response:
            return response.status, await response.json()

    async def post(self, path: str, **body: Any) -> Any:
        status, answer = await self.ask("POST", path, PRODUCT | body)
        assert (status, answer["code"]) == (200, "00000"), answer
        return answer["data"]

    async def get(self, path: str, **params: Any) -> Any:
        status, answer = await self.ask("GET", path, PRODUCT | params)
        assert (status, answer["code"]) == (200, "00000"), answer
        return answer["data"]

    async def code(self, path: str, **body: Any) -> str:
        """Of a POST that may fail."""
        _, answer = await self.ask("POST", path, PRODUCT | body)
        return str(answer["code"])

    async def place(self, side: str, size: str, **more: Any) -> dict[str, Any]:
        """An order at market, or with a price; its detail."""
        placed = await self.post(f"{ORDER}/place-order", **order(side, size, **more))
        return await self.detail(placed["orderId"])

    async def detail(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.get(f"{ORDER}/detail", symbol=SYMBOL, orderId=order_id)
        return found

    async def wallet(self) -> Decimal:
        return Decimal((await self.truth())["wallet"])

    async def truth(self) -> dict[str, Any]:
        """The account as the admin endpoint tells it."""
        _, accounts = await admin(self.venue, "GET", "accounts")
        found: dict[str, Any] = next(each for each in accounts if each["account"] == self.name)
        return found


def order(side: str, size: str, **more: Any) -> dict[str, Any]:
    """The body of place-order."""
    kind = "limit" if "price" in more else "market"
    fixed = {"symbol": SYMBOL, "marginMode": "crossed", "marginCoin": "USDT", "orderType": kind}
    return fixed | {"side": side, "size": size} | more


@contextlib.asynccontextmanager
async def trader(venue: Simulator, name: str = "demo") -> AsyncIterator[Trader]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        yield Trader(venue, http, name)


class Listener:
    """A private socket."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket

    async def send(self, op: str, *args: dict[str, Any]) -> None:
        await self.socket.send(orjson.dumps({"op": op, "args": list(args)}).decode())

    async def read(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            message: dict[str, Any] = orjson.loads(await self.socket.recv())
        return message

    async def login(self, keys: Keys, stamp: str = "") -> dict[str, Any]:
        stamp = stamp or str(time.time_ns() // 1_000_000_000)
        text = sign(keys.secret, f"{stamp}GET/user/verify")
        arg = {"apiKey": keys.key, "passphrase": keys.passphrase, "timestamp": stamp, "sign": text}
        await self.send("login", arg)
        return await self.read()

    async def subscribe(self, *channels: str) -> None:
        """To all of an account's; reads the acknowledgements and the pushes among them."""
        await self.send("subscribe", *(arg(channel) for channel in channels))

    async def rows(self, channel: str, count: int) -> list[dict[str, Any]]:
        """The next rows of a channel."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            message = await self.read()
            if "action" in message and message["arg"]["channel"] == channel:
                found += message["data"]
        return found


def arg(channel: str) -> dict[str, str]:
    key = "coin" if channel == "account" else "instId"
    return {"instType": "USDT-FUTURES", "channel": channel, key: "default"}


@contextlib.asynccontextmanager
async def listener(venue: Simulator, keys: Keys | None = None) -> AsyncIterator[Listener]:
    """Connected, and logged in where keys are given."""
    url = f"ws://127.0.0.1:{venue.port}/v2/ws/private"
    async with websockets.connect(url, max_size=None, close_timeout=1) as socket:
        one = Listener(socket)
        if keys is not None:
            assert (await one.login(keys))["code"] == 0
        yield one
