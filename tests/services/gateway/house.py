"""A house for the gateway: real topics, a desk, a market that is made up, and people who ask."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec

from chandler.core.notices.routing import User
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import TickersOut
from chandler.streams.settings import PORT_GATEWAY, Installation
from chandler.streams.telemetry.metrics import Metrics, standard
from services.declaration import Context, Health, Service
from services.executor.service import SERVICE as EXECUTOR
from services.gateway.access.links import make_link
from services.gateway.access.store import Store
from services.gateway.service import SERVICE as GATEWAY
from services.positions.service import SERVICE as POSITIONS
from services.profile import GatewayConfig, Profile
from services.showing.standing import standing
from tests.conftest import free_port_base
from tests.services.notifier import house as trading
from tests.services.notifier.house import BTC, ETH, START_MS, instrument, ticker
from tests.story import Topics

PARTITIONS = 2
DEADLINE_S = 60.0
TICK_S, TICK_MS = 0.1, 500
PASSWORD = "correct horse battery"
TOPICS = sorted(
    {
        each
        for service in (EXECUTOR, POSITIONS, GATEWAY)
        for each in (*service.reads, *service.writes)
    }
)


def profile(**changed: Any) -> Profile:
    """Two agents on paper; an owner, an operator of one of them, a viewer of the other."""
    fields: dict[str, Any] = {
        "agents": {"anna": AgentConfig(), "bert": AgentConfig()},
        "users": {
            "olga": User(role="owner", telegram_id=1),
            "otto": User(role="operator", telegram_id=2, agents=["bert"]),
            "vera": User(role="viewer", telegram_id=3, agents=["anna"]),
        },
        "gateway": GatewayConfig(requests_per_second=1e4, address_requests_per_second=1e4),
    }
    return trading.profile(**{**fields, **changed})


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return msgspec.json.decode(self.raw)

    @property
    def kind(self) -> str:
        """Of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self.raw
        return str(self.body["kind"])


class Asking:
    """Asks a gateway."""

    data: Path
    url: str
    session: aiohttp.ClientSession

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """A request to the gateway. `raw`: instead of a body that is JSON."""
        said = {"Authorization": f"Bearer {token}"} if token else {}
        data = raw if body is None else msgspec.json.encode(body)
        if data is not None:
            said["Content-Type"] = "application/json"
        async with self.session.request(
            method, self.url + path, data=data, headers={**said, **(headers or {})}
        ) as answer:
            names = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, names, await answer.read())

    async def token(self, name: str) -> str:
        """A session of somebody of the profile, who sets a password by a link."""
        link = link_for(self.data, name)
        made = await self.ask("POST", f"/v1/setup/{link}", {"name": name, "password": PASSWORD})
        assert made.status == 200, made.raw
        return str(made.body["token"])


class House(Asking):
    """`serving()` runs the gateway, `trading()` a desk and a market."""

    def __init__(self, cluster: Installation, topics: Topics, of: Profile) -> None:
        self.cluster = cluster
        self.data = cluster.data
        self.topics = topics
        self.profile = of
        self.now = START_MS
        self.url = f"http://127.0.0.1:{cluster.port(PORT_GATEWAY)}"
        self.session = aiohttp.ClientSession()

    def context(self, service: Service) -> Context:
        return Context(
            installation=self.cluster,
            profile=self.profile,
            shard=None,
            stop=asyncio.Event(),
            health=Health(),
            log=logging.getLogger(f"test.{service.name}"),
            code="code",
            metrics=Metrics(service.name, (*standard(service.name), *service.metrics)),
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Context]:
        """One life of the gateway."""
        context = self.context(GATEWAY)
        task = asyncio.ensure_future(GATEWAY.run(context))
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not context.health.ready:
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.02)
            yield context
        finally:
            context.stop.set()
            async with asyncio.timeout(DEADLINE_S):
                await task

    @asynccontextmanager
    async def market(self) -> AsyncIterator[None]:
        """Instruments, and prices that go on by themselves."""
        for symbol in (BTC, ETH):
            await self.topics.put("instruments", instrument(symbol), symbol)
        moving = asyncio.create_task(self._move())
        try:
            yield
        finally:
            moving.cancel()
            await asyncio.wait([moving])

    @asynccontextmanager
    async def trading(self) -> AsyncIterator[None]:
        """Executor and positions on that market."""
        async with self.market():
            contexts = [self.context(each) for each in (EXECUTOR, POSITIONS)]
            tasks = [
                asyncio.ensure_future(EXECUTOR.run(contexts[0])),
                asyncio.ensure_future(POSITIONS.run(contexts[1])),
            ]
            try:
                async with asyncio.timeout(DEADLINE_S):
                    while not (await standing(self.cluster)).states():
                        for task in tasks:
                            assert not task.done(), task.exception()
                        await asyncio.sleep(0.1)
                yield
            finally:
                for context in contexts:
                    context.stop.set()
                async with asyncio.timeout(DEADLINE_S):
                    await asyncio.gather(*tasks)

    async def _move(self) -> None:
        while True:
            self.now += TICK_MS
            for symbol in (BTC, ETH):
                await self.topics.put("tickers", ticker(symbol, self.now, "100"), symbol)
            out = TickersOut(shard=0, shards=1, at=self.now)
            for partition in range(PARTITIONS):
                await self.topics.put("tickers", out, "@", partition=partition)
            await asyncio.sleep(TICK_S)

    async def known(self, token: str) -> None:
        """Returns when a signal can be sent: the gateway knows symbols and the time."""
        async with asyncio.timeout(DEADLINE_S):
            while (
                await self.ask("POST", "/v1/signals?dry_run=true", SIGNAL, token=token)
            ).status == 503:
                await asyncio.sleep(0.1)


SIGNAL = {"symbol": "BTCUSDT", "side": "long", "source": "test"}


def link_for(data: Path, name: str) -> str:
    """A one-time link's token, as a command makes it."""
    store = Store(data)
    try:
        return make_link(store, name, round(time.time() * 1_000))[0]
    finally:
        store.close()


@asynccontextmanager
async def house(
    cluster: Installation, create: Callable[..., Awaitable[list[str]]], of: Profile | None = None
) -> AsyncIterator[House]:
    """A house with its topics, in which nothing runs yet."""
    await create(TOPICS, partitions=PARTITIONS)
    bootstrap = cluster.bootstrap
    own = msgspec.structs.replace(cluster, brokers=bootstrap, port_base=free_port_base())
    async with Topics(own) as topics:
        made = House(own, topics, of or profile())
        try:
            yield made
        finally:
            await made.session.close()
