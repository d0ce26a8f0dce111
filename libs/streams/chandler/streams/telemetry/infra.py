"""Tells the topic `infra` what happens to a service; what can't be told now is when Kafka is back.

Nobody waits for it: see background.py.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Literal

from chandler.core.events import InfraEvent
from chandler.streams.settings import Installation
from chandler.streams.telemetry.background import CLOSE_S_MAX, Background

Kind = Literal[
    "started",
    "ready",
    "stopping",
    "crashed",
    "restarted",
    "recovered",
    "connection_lost",
    "connection_back",
    "behind",
    "caught_up",
]
Tell = Callable[[Kind, str], None]  # the detail follows


class Infra:
    """What one process says of a service, or of several."""

    def __init__(self, installation: Installation, service: str, shard: int | None = None) -> None:
        self.service = service
        self.instance = f"{socket.gethostname()}:{os.getpid()}:{shard or 0}"
        self.background = Background(installation)

    def tell(self, kind: Kind, detail: str = "", service: str = "") -> None:
        """Queues an event, of `service` or of its own."""
        event = InfraEvent(
            service=service or self.service,
            instance=self.instance,
            kind=kind,
            at=time.time_ns() // 1_000_000,
            detail=detail,
        )
        self.background.send("infra", event.service, event, again=True)


class Connection:
    """Tells that the other side is lost and that it is back, each once; `name` stands in both."""

    def __init__(self, name: str, tell: Tell) -> None:
        self._name = name
        self._tell = tell
        self._down = False

    def lost(self, why: str) -> None:
        if not self._down:
            self._tell("connection_lost", f"{self._name}: {why}")
        self._down = True

    def back(self) -> None:
        if self._down:
            self._tell("connection_back", self._name)
        self._down = False


@contextlib.asynccontextmanager
async def infra(
    installation: Installation, service: str, shard: int | None = None
) -> AsyncIterator[Infra]:
    """An Infra that sends while the block runs, and for CLOSE_S_MAX after it."""
    teller = Infra(installation, service, shard)
    sending = asyncio.create_task(teller.background.run(), name="infra")
    try:
        yield teller
    finally:
        teller.background.close()
        await asyncio.wait([sending], timeout=CLOSE_S_MAX)
        sending.cancel()
        await asyncio.wait([sending], timeout=CLOSE_S_MAX)
