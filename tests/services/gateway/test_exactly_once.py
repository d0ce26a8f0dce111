"""Each idempotency key stands once in `signals.external`, whatever is lost, killed or repeated."""

import asyncio
import logging
import os
import signal as signals
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from chandler.core.events import Signal
from chandler.streams.settings import Installation
from chandler.streams.telemetry.health import ask_ready
from chandler.streams.writing import Kept, LostError, Outbox, Placed
from chandler.streams.writing import Record as Sent
from chandler.streams.writing.outbox import After
from services.gateway.access.secrets import new_id, new_secret, sealed
from services.gateway.access.store import Key, Store
from services.gateway.sending.remembered import KEPT_MAX, KEPT_MS, Remembered, Taken
from services.gateway.sending.signals import signal_id
from services.gateway.sending.writer import Asked, AwayError, ReusedError, Writer
from services.topology import Worker, http_port
from tests.conftest import Topics as Create
from tests.project.tree import ROOT
from tests.services.gateway.house import DEADLINE_S, House
from tests.streams.desk.cluster import signal
from tests.streams.exact_cluster import read

START_S_MAX = 240.0  # of a process on a busy machine
PUSH_S_MAX = 1_200.0
LOG = logging.getLogger("test.writer")
PROFILE = """
name = "pushed"
[simulator]
[kafka]
symbol_partitions = 2
[agents.anna]
[users.olga]
role = "owner"
telegram_id = 1
[gateway]
requests_per_second = 100000
address_requests_per_second = 100000
"""


def taken(number: int, taken_ms: int) -> Taken:
    return Taken(
        body=f"b{number}", taken_ms=taken_ms, at_ms=1, topic="signals.external", partition=0,
        offset=number,
    )  # fmt: skip


def test_keys_are_forgotten_after_a_day_and_beyond_their_number_the_oldest_first():
    kept = Remembered({f"k{each}": taken(each, each) for each in range(10)})

    assert kept.get("k3", KEPT_MS + 2) is not None
    assert kept.get("k3", KEPT_MS + 3) is None
    assert kept.forgettable(KEPT_MS + 2, 1) == ["k0", "k1", "k2"]
    assert kept.forgettable(5, 1) == []
    assert kept.forgettable(5, KEPT_MAX - 8) == ["k0", "k1"]
    kept.add({"k0": taken(0, 20)})
    assert kept.forgettable(KEPT_MS + 1, 1) == ["k1"]


class Losing(Outbox):
    """An outbox that loses the answer to what it wrote, or what it was to write."""

    def __init__(self, installation: Installation, losses: list[str]) -> None:
        super().__init__(installation, "gateway")
        self.losses = losses

    async def write(
        self, records: Sequence[Sent | Kept], after: After | None = None
    ) -> list[Placed]:
        loss = self.losses.pop(0) if self.losses else ""
        if loss == "before":
            await self.close()
            raise LostError("nothing went out")
        places = await super().write(records, after)
        if loss == "after":
            await self.close()
            raise LostError("the answer is lost")
        return places


@asynccontextmanager
async def writing(
    installation: Installation, losses: list[str] | None = None
) -> AsyncIterator[Writer]:
    writer = Writer(installation, LOG, lambda: round(time.time() * 1_000))
    writer._outbox = Losing(installation, losses or [])
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.wait([task])


def asked(name: str, body: str = "same") -> Asked:
    event = msgspec.structs.replace(signal("BTCUSDT", 1_000), id=name)
    return Asked("signals.external", "BTCUSDT", name, event, 1_000, body)


async def ids(installation: Installation) -> list[str]:
    found = await read(installation, "signals.external")
    return sorted(each.id for each in found if isinstance(each, Signal))


@pytest.mark.kafka
async def test_what_is_lost_on_its_way_goes_out_once(
    installation: Installation, topics: Create
) -> None:
    await topics(["signals.external", "gateway.state"])
    async with writing(installation, ["before", "after", "before"]) as writer:
        for name in ("a", "b", "c"):
            out = await writer.send(asked(name), DEADLINE_S)
            assert not out.repeated
        again = await writer.send(asked("b"), DEADLINE_S)
        with pytest.raises(ReusedError):
            await writer.send(asked("b", "other"), DEADLINE_S)
        unnamed = [await writer.send(asked("d", ""), DEADLINE_S) for _ in range(2)]

    assert again.repeated
    assert [each.repeated for each in unnamed] == [False, False]
    assert await ids(installation) == ["a", "b", "c", "d", "d"]


@pytest.mark.kafka
async def test_an_older_writer_that_wakes_up_writes_nothing_more(
    installation: Installation, topics: Create
) -> None:
    await topics(["signals.external", "gateway.state"])
    async with writing(installation) as older:
        await older.send(asked("a"), DEADLINE_S)
        async with writing(installation) as newer:
            assert (await newer.send(asked("a"), DEADLINE_S)).repeated
            await newer.send(asked("b"), DEADLINE_S)

            with pytest.raises(AwayError):
                await older.send(asked("c"), 5.0)

    assert await ids(installation) == ["a", "b"]


@pytest.mark.kafka
async def test_what_waits_for_nobody_any_more_is_not_written(installation: Installation) -> None:
    away = msgspec.structs.replace(installation, brokers="127.0.0.1:1")
    async with writing(away) as writer:
        with pytest.raises(AwayError) as caught:
            await writer.send(asked("a"), 0.2)

        assert not caught.value.begun
        assert writer.waiting == 0


class Pushed:
    """A gateway in a process of its own, and clients in theirs."""

    def __init__(self, home: House) -> None:
        self.home = home
        self.data = home.cluster.data
        secret = new_secret()
        key = Key(new_id(), "olga", "push", sealed(secret), ("signals",), (), 1, 0)
        store = Store(self.data)
        store.put_key(key)
        store.close()
        self.key = f"{key.id}.{secret}"
        (self.data / "pushed.toml").write_text(PROFILE)
        self.acknowledged: list[tuple[str, str]] = []
        self.processes: list[asyncio.subprocess.Process] = []

    def environment(self) -> dict[str, str]:
        here = self.home.cluster
        kept = {k: v for k, v in os.environ.items() if not k.startswith("CHANDLER_")}
        return {
            **kept,
            "CHANDLER_DATA": str(self.data),
            "CHANDLER_BROKERS": here.bootstrap,
            "CHANDLER_TOPIC_PREFIX": here.topic_prefix,
            "CHANDLER_PORT_BASE": str(here.port_base),
            "CHANDLER_PROFILE": str(self.data / "pushed.toml"),
            "CHANDLER_TEST_KEY": self.key,
        }

    async def gateway(self) -> asyncio.subprocess.Process:
        """A gateway that is ready."""
        words = (sys.executable, "-m", "services", "run", "gateway")
        made = await asyncio.create_subprocess_exec(*words, cwd=ROOT, env=self.environment())
        self.processes.append(made)
        port = http_port(self.home.cluster, Worker("gateway", 0))
        async with asyncio.timeout(START_S_MAX):
            while not ((said := await ask_ready("127.0.0.1", port)) and said.ready):
                assert made.returncode is None
                await asyncio.sleep(0.1)
        return made

    async def client(self, first: int, count: int) -> None:
        """A client, until everything is acknowledged."""
        words = (sys.executable, "-m", "tests.services.gateway.pushing")
        process = await asyncio.create_subprocess_exec(
            *(*words, self.home.url, str(first), str(count)),
            cwd=ROOT,
            env=self.environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        self.processes.append(process)
        assert process.stdout is not None
        async for line in process.stdout:
            name, id_ = line.decode().split()
            self.acknowledged.append((name, id_))
        assert await process.wait() == 0

    async def end(self) -> None:
        """Nothing of it runs any more, however the test went."""
        for each in self.processes:
            if each.returncode is None:
                each.kill()
                await each.wait()

    async def until(self, acknowledged: int) -> None:
        async with asyncio.timeout(PUSH_S_MAX):
            while len(self.acknowledged) < acknowledged:
                await asyncio.sleep(0.01)


async def pushed_through_kills(home: House, clients: int, each: int, kills: int) -> None:
    """Clients send and ask again while the gateway is killed: each key is there once."""
    pushed = Pushed(home)
    try:
        await _through_kills(home, pushed, clients, each, kills)
    finally:
        await pushed.end()


async def _through_kills(home: House, pushed: Pushed, clients: int, each: int, kills: int) -> None:
    whole = clients * each
    async with home.market():
        gateway = await pushed.gateway()
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(pushed.client(number * each, each))
            for kill in range(kills):
                await pushed.until(whole * (kill + 1) // (kills + 2))
                gateway.send_signal(signals.SIGKILL)
                await gateway.wait()
                assert len(pushed.acknowledged) < whole, "it was killed too late to matter"
                gateway = await pushed.gateway()
        gateway.send_signal(signals.SIGTERM)
        assert await gateway.wait() == 0

    wanted = {f"key-{number}": signal_id("olga", f"key-{number}") for number in range(whole)}
    found = Counter(await ids(home.cluster))
    assert dict(pushed.acknowledged) == wanted
    assert len(pushed.acknowledged) == whole
    assert {id_: count for id_, count in found.items() if count != 1} == {}
    assert set(found) == set(wanted.values())


@pytest.mark.kafka
@pytest.mark.system
async def test_each_key_stands_once_though_the_gateway_is_killed(home: House) -> None:
    await pushed_through_kills(home, clients=2, each=150, kills=2)


@pytest.mark.long
@pytest.mark.kafka
@pytest.mark.system
async def test_ten_thousand_keys_of_ten_processes_stand_once_through_kills(home: House) -> None:
    await pushed_through_kills(home, clients=10, each=1_000, kills=5)
