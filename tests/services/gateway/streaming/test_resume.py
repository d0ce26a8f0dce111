"""A gateway that is killed, and clients that come back: nothing is lost, nothing is told twice."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from chandler.core.events import CandleSealed, Symbol
from chandler.core.granularity import Granularity
from chandler.core.trading import events as tr
from chandler.streams.embedded.probe import free
from chandler.streams.settings import Installation
from services.gateway.streaming.feeding import EVENTS, STATES
from tests.conftest import Topics as Create
from tests.services.gateway.streaming.listening import T0, opened, remember, sent
from tests.story import Topics

pytestmark = pytest.mark.kafka

DEADLINE_S = 90.0
PARTITIONS = 3
NOW_MS = time.time_ns() // 1_000_000
ALSO = ("desk.state", "market", "logs", "candles.last", "instruments")  # what the views follow


@pytest.fixture
async def cluster(installation: Installation, topics: Create) -> Installation:
    await topics([*EVENTS, *STATES, *ALSO], partitions=PARTITIONS)
    return installation


@pytest.fixture
async def world(cluster: Installation) -> AsyncIterator[Topics]:
    async with Topics(cluster) as made:
        yield made


def of_symbol(event: Any) -> str:
    return str(getattr(event, "symbol", "@"))


async def happen(world: Topics, topic: str, *events: Any, at_ms: int = 0) -> None:
    for event in events:
        await world.put(topic, event, of_symbol(event), written_ms=at_ms or None)


class Gateways:
    """One after the other at the same port."""

    def __init__(self, cluster: Installation) -> None:
        self._cluster = cluster
        self.port = next(port for port in range(27_000, 29_000) if free(port))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, past_ms: int = 120_000) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.services.gateway.streaming.one",
            str(self.port),
            str(past_ms),
            env={
                **os.environ,
                "CHANDLER_BROKERS": self._cluster.bootstrap,
                "CHANDLER_TOPIC_PREFIX": self._cluster.topic_prefix,
                "CHANDLER_DATA": str(self._cluster.data),
            },
        )

    async def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        self._process = None

    async def close(self) -> None:
        if self._process is not None:
            await self.kill()


@pytest.fixture
async def gateways(cluster: Installation) -> AsyncIterator[Gateways]:
    made = Gateways(cluster)
    try:
        yield made
    finally:
        await made.close()


class Client:
    """Comes back whenever it loses the connection, as a page does."""

    def __init__(self, port: int, name: str, **hello: Any) -> None:
        self._url = f"ws://127.0.0.1:{port}/v1/stream"
        self._hello = {"type": "hello", "token": name, **hello}
        self.last: dict[str, Any] | None = None
        self.orders: list[str] = []
        self.connected: list[dict[str, Any]] = []
        self.initial: list[dict[str, Any]] = []
        self.others: list[dict[str, Any]] = []

    @asynccontextmanager
    async def there(self) -> AsyncIterator["Client"]:
        task = asyncio.create_task(self._stay())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _stay(self) -> None:
        while True:
            try:
                async with connect(self._url, compression=None) as socket:
                    last = {"last": self.last} if self.last is not None else {}
                    await socket.send(json.dumps({**self._hello, **last}))
                    async for text in socket:
                        self._take(json.loads(text))
            except (OSError, ConnectionClosed):
                await asyncio.sleep(0.05)

    def _take(self, message: dict[str, Any]) -> None:
        if self.last is None:
            self.last = {"stream": "", "seq": 0, "places": {}}
        remember(self.last, message)
        match message["type"]:
            case "connected":
                self.connected.append(message)
            case "initial_data":
                self.initial.append(message)
            case "order_update":
                self.orders.append(message["order"]["id"])
            case _:
                self.others.append(message)

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not what():
                await asyncio.sleep(0.02)


def orders(first: int, last: int) -> list[tr.OrderSent]:
    """Of three symbols, so that they lie in several partitions."""
    return [
        tr.OrderSent(
            id=f"o{number}",
            account="anna",
            agent="anna",
            symbol=Symbol(f"S{number % 7}"),
            at=T0 + number,
        )
        for number in range(first, last)
    ]


def ids(first: int, last: int) -> set[str]:
    return {f"o{number}" for number in range(first, last)}


async def test_what_happens_while_the_gateway_is_dead_is_told_once_by_the_next(world, gateways):
    await gateways.start()
    mine, hers = Client(gateways.port, "olga"), Client(gateways.port, "otto")
    async with mine.there(), hers.there():
        await mine.until(lambda: mine.initial and hers.initial)
        await happen(world, "orders", *orders(0, 40))
        await mine.until(lambda: len(mine.orders) == 40)
        for life in range(1, 4):
            await gateways.kill()
            await happen(world, "orders", *orders(40 * life, 40 * life + 30))
            await gateways.start()
            await happen(world, "orders", *orders(40 * life + 30, 40 * life + 40))
            await mine.until(lambda: set(mine.orders) >= ids(0, 40 * (life + 1)))  # noqa: B023
            await mine.until(lambda: len(mine.connected) == life + 1)  # noqa: B023

    assert sorted(mine.orders) == sorted(ids(0, 160))
    assert hers.orders == []
    assert [each["resumed"] for each in mine.connected] == ["", "ring", "ring", "ring"]
    assert len({each["stream"] for each in mine.connected}) == 4
    assert not any(each["lost"] for each in mine.connected)


async def test_what_the_ring_does_not_hold_is_read_from_the_topics_in_order(world, gateways):
    await gateways.start(past_ms=0)
    mine = Client(gateways.port, "olga", topics=["orders", "signals"])
    async with mine.there():
        await mine.until(lambda: mine.initial)
        await happen(world, "orders", *orders(0, 20))
        await mine.until(lambda: len(mine.orders) == 20)
        await gateways.kill()
        await happen(world, "orders", *orders(20, 400))
        await gateways.start(past_ms=0)
        await mine.until(lambda: len(mine.connected) == 2)
        await happen(world, "orders", *orders(400, 410))
        await mine.until(lambda: set(mine.orders) >= ids(400, 410))

    assert sorted(mine.orders) == sorted(ids(0, 410))
    assert mine.connected[1]["resumed"] == "topics"
    assert mine.connected[1]["missed"] == 380
    for symbol in range(7):
        of_one = [int(each[1:]) for each in mine.orders if int(each[1:]) % 7 == symbol]
        assert of_one == sorted(of_one)


async def test_what_is_older_than_a_day_is_said_to_be_lost(world, gateways):
    day_ms = 24 * 60 * 60_000
    await happen(world, "orders", *orders(0, 20), at_ms=NOW_MS - day_ms - 60_000)
    await happen(world, "orders", *orders(20, 30))
    await gateways.start(past_ms=0)
    mine = Client(gateways.port, "olga")
    mine.last = {
        "stream": "another",
        "seq": 7,
        "places": {f"orders:{partition}": -1 for partition in range(PARTITIONS)},
    }
    async with mine.there():
        await mine.until(lambda: mine.initial)

    assert set(mine.orders) == ids(20, 30)
    assert "24 hours" in mine.connected[0]["lost"]


async def test_places_of_another_kafka_are_told_so(world, gateways, monkeypatch):
    await happen(world, "orders", *orders(0, 3))
    await gateways.start()
    mine = Client(gateways.port, "olga")
    mine.last = {
        "stream": "another",
        "seq": 7,
        "places": {f"orders:{partition}": 10**9 for partition in range(PARTITIONS)},
    }
    async with mine.there():
        await mine.until(lambda: mine.initial)

    assert mine.orders == []
    assert "not of these topics" in mine.connected[0]["lost"]


@pytest.mark.parametrize(
    "last", [{"stream": "another", "seq": 10**12, "places": {}}, {"seq": 7}, {}]
)
async def test_a_client_that_does_not_say_where_it_was_is_told_so(world, gateways, last):
    """It was told that nothing was lost."""
    await happen(world, "orders", *orders(0, 3))
    await gateways.start()
    mine = Client(gateways.port, "olga")
    mine.last = {"stream": "", "seq": 0, "places": {}, **last}
    async with mine.there():
        await mine.until(lambda: mine.initial)

    assert mine.orders == []
    assert "places" in mine.connected[0]["lost"]
    assert mine.connected[0]["resumed"] == ""


async def test_a_position_that_was_opened_and_ended_meanwhile_is_told_and_not_shown(
    world, gateways
):
    await gateways.start()
    mine = Client(gateways.port, "olga")
    async with mine.there():
        await mine.until(lambda: mine.initial)
        await happen(world, "positions", opened("p1"))
        await mine.until(lambda: mine.others)
        await gateways.kill()
        position = opened("p1").position
        closed = tr.PositionClosed(
            position=position,
            symbol=position.symbol,
            reason="stop",
            exit_notional=Decimal(19),
            at=T0,
        )
        await happen(world, "positions", closed, opened("p2"))
        await gateways.start()
        await mine.until(lambda: len(mine.initial) == 2)

    changes = [
        (each["change"], each["position"]["id"])
        for each in mine.others
        if each["type"] == "position_update"
    ]
    assert changes == [("opened", "p1"), ("closed", "p1"), ("opened", "p2")]
    assert [each["id"] for each in mine.initial[1]["positions"]] == ["p2"]


async def test_candles_are_told_to_who_wants_them_across_a_death(world, gateways):
    def candle(number: int, symbol: str = "AUSDT") -> CandleSealed:
        return CandleSealed(
            symbol=Symbol(symbol),
            granularity=Granularity("5m"),
            open_ms=T0 + 300_000 * number,
            open=1.0,
            high=2.0,
            low=1.0,
            close=2.0,
            volume=3.0,
            quote_volume=4.0,
        )

    await gateways.start()
    mine = Client(gateways.port, "vera", topics=["candles"], symbols=["AUSDT"])
    async with mine.there():
        await mine.until(lambda: mine.initial)
        await happen(world, "candles.5m", candle(0), candle(0, "BUSDT"))
        await mine.until(lambda: mine.others)
        await gateways.kill()
        await happen(world, "candles.5m", candle(1), candle(1, "BUSDT"), candle(2))
        await gateways.start()
        await mine.until(lambda: len(mine.others) == 3)

    assert [each["open_ms"] for each in mine.others] == [T0, T0 + 300_000, T0 + 600_000]


async def test_one_without_places_begins_anew(world, gateways):
    await happen(world, "orders", sent())
    await gateways.start()
    mine = Client(gateways.port, "olga")
    mine.last = {"stream": "another", "seq": 10**6, "places": {}}
    async with mine.there():
        await mine.until(lambda: mine.initial)

    assert mine.orders == []
    assert mine.connected[0]["missed"] == 0
