"""What the tests of the watchdog share: a supervisor over real processes, and what it said."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chandler.streams.settings import Installation, installation
from services.layers import root
from services.topology import Worker, http_port
from services.watchdog.child import Child
from services.watchdog.supervisor import Supervisor
from tests.conftest import free_port_base

HERE = Path(__file__).parent
DEADLINE_S = 30.0


def place(tmp_path: Path) -> Installation:
    """An installation of a test's own."""
    environ = {"CHANDLER_DATA": str(tmp_path), "CHANDLER_PORT_BASE": str(free_port_base())}
    return installation(environ)


class Watched:
    """A supervisor with what it said."""

    def __init__(self, here: Installation, modes: dict[str, str], **options: Any) -> None:
        self.lines: list[str] = []
        self.changes: list[str] = []
        self.changed = asyncio.Event()
        self.ready = asyncio.Event()

        def command(worker: Worker) -> list[str]:
            port = str(http_port(here, worker))
            mode = modes[worker.service]
            return [sys.executable, "-P", str(HERE / "child.py"), worker.service, port, mode]

        environ = {**os.environ, "PYTHONPATH": str(root())}
        self.supervisor = Supervisor(
            here,
            [Worker(service, 0) for service in modes],
            environ,
            lambda worker, line: self.lines.append(line),
            self._change,
            command=command,
            **{"restart_s": 0.05, **options},
        )

    def _change(self, child: Child, text: str) -> None:
        self.changes.append(text)
        self.changed.set()

    async def polled(self) -> None:
        if self.supervisor.all_ready:
            self.ready.set()
        else:
            self.ready.clear()


@asynccontextmanager
async def running(watched: Watched) -> AsyncIterator[Supervisor]:
    await watched.supervisor.start()
    watching = asyncio.create_task(watched.supervisor.watch(watched.polled))
    try:
        yield watched.supervisor
    finally:
        watching.cancel()
        await watched.supervisor.stop()


async def within(wait: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await wait()
