"""A gateway in a process of its own, over a house's topics."""

import asyncio
import os
import sys

from chandler.streams.telemetry.health import ask_ready
from services.gateway.access.secrets import new_id, new_secret, sealed
from services.gateway.access.store import Key, Store
from services.topology import Worker, http_port
from tests.project.tree import ROOT
from tests.services.gateway.house import House

START_S_MAX = 240.0  # of a process on a busy machine
PUSH_S_MAX = 1_200.0
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


class OwnProcess:
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
