"""A small venue for the tests: a day of made-up candles, and a client's few words."""

import contextlib
import csv
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import websockets

from chandler.core.granularity import DAY_MS
from chandler.exchanges.simulator.config import SimulatorConfig
from chandler.exchanges.simulator.recording import SLOT_MS
from chandler.exchanges.simulator.server import Simulator

ORIGIN_MS = 1_704_067_200_000
MARKET = "/api/v2/mix/market"
Rows = list[dict[str, Any]]


def candles(*symbols: str, slots: int = DAY_MS // SLOT_MS) -> Rows:
    """Plausible candles with two decimals; every tenth is flat and without volume."""
    rows = []
    for symbol in symbols:
        rng = random.Random(symbol)
        price = round(rng.uniform(10, 500), 2)
        for slot in range(slots):
            close = price if slot % 10 == 9 else round(price * rng.uniform(0.99, 1.01), 2)
            quiet = slot % 10 == 9
            high = close if quiet else round(max(price, close) + rng.uniform(0, 1), 2)
            low = close if quiet else round(min(price, close) - rng.uniform(0, 1), 2)
            volume = 0.0 if quiet else round(rng.uniform(1, 1000), 3)
            rows.append(
                {
                    "symbol": symbol,
                    "open_time": ORIGIN_MS + slot * SLOT_MS,
                    "open": price,
                    "high": high,
                    "low": low,
                    "close": close,
                    "volume": volume,
                }
            )
            price = close
    return rows


def write_csv(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def simulator(tmp_path: Path, data: Path | None = None, **settings: Any) -> Simulator:
    """Two coins, a day, as fast as it goes, on a free port; `settings` as in the profile."""
    file = tmp_path / "candles.csv"
    if not file.exists():
        write_csv(file, candles("AAAUSDT", "BBBUSDT"))
    config: dict[str, Any] = {"candles": str(file), "symbols": 2, "speed": 3600.0} | settings
    return Simulator(SimulatorConfig(**config), data, 0)


class Client:
    """A connection that subscribes and reads."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket

    async def send(self, op: str, *args: tuple[str, str]) -> None:
        listed = [
            {"instType": "USDT-FUTURES", "channel": channel, "instId": symbol}
            for channel, symbol in args
        ]
        await self.socket.send(orjson.dumps({"op": op, "args": listed}).decode())

    async def read(self) -> dict[str, Any]:
        message: dict[str, Any] = orjson.loads(await self.socket.recv())
        return message

    async def read_until(self, enough: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """The messages up to the first that is enough."""
        messages = [await self.read()]
        while not enough(messages[-1]):
            messages.append(await self.read())
        return messages


@contextlib.asynccontextmanager
async def client(venue: Simulator) -> AsyncIterator[Client]:
    async with websockets.connect(venue.ws_url, max_size=None, close_timeout=1) as socket:
        yield Client(socket)


async def get(venue: Simulator, path: str, **query: Any) -> tuple[int, Any]:
    """(status, JSON)"""
    async with (
        aiohttp.ClientSession() as http,
        http.get(venue.rest_url + path, params=query) as response,
    ):
        return response.status, await response.json()


async def market(venue: Simulator, path: str, **query: Any) -> Any:
    """The data of a market endpoint that succeeds."""
    status, body = await get(venue, f"{MARKET}/{path}", **{"productType": "USDT-FUTURES"} | query)
    assert (status, body["code"]) == (200, "00000"), body
    return body["data"]


async def admin(venue: Simulator, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{venue.rest_url}/admin/{path}", json=body) as response,
    ):
        return response.status, await response.json()
