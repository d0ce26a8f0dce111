"""Tells the topic `infra` what happens to a service: best effort, bounded, never in the way."""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from typing import Literal

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from chandler.core.events import InfraEvent
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.settings import Installation

QUEUE_MAX = 100
SEND_WAIT_S_MAX = 5.0
CLOSE_WAIT_S_MAX = 1.0

Kind = Literal[
    "started",
    "ready",
    "stopping",
    "crashed",
    "restarted",
    "recovered",
    "connection_lost",
    "connection_back",
]


class Infra:
    """Takes events without waiting; a background task sends them while Kafka is there."""

    def __init__(self, installation: Installation, service: str, shard: int | None = None) -> None:
        self._installation = installation
        self._service = service
        self._instance = f"{socket.gethostname()}:{os.getpid()}:{shard or 0}"
        self._queue: asyncio.Queue[InfraEvent | None] = asyncio.Queue(QUEUE_MAX)

    def tell(self, kind: Kind, detail: str = "", service: str = "") -> None:
        """Queues an event; drops it when the queue is full."""
        event = InfraEvent(
            service=service or self._service,
            instance=self._instance,
            kind=kind,
            at=time.time_ns() // 1_000_000,
            detail=detail,
        )
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(event)

    async def run(self) -> None:
        """Sends until close() was called or it is cancelled."""
        sender: AIOKafkaProducer | None = None
        try:
            while (event := await self._queue.get()) is not None:
                try:
                    async with asyncio.timeout(SEND_WAIT_S_MAX):
                        if sender is None:
                            sender = producer(self._installation)
                            await sender.start()
                        await sender.send_and_wait(
                            topic_name(self._installation, "infra"),
                            encode(event),
                            key=event.service.encode(),
                        )
                except (KafkaError, OSError, TimeoutError) as error:
                    logging.getLogger(__name__).debug("infra event dropped: %r", error)
                    await _close(sender)
                    sender = None
        finally:
            await _close(sender)

    def close(self) -> None:
        """Ends run() after what is queued."""
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(None)


async def _close(sender: AIOKafkaProducer | None) -> None:
    if sender is None:
        return
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_WAIT_S_MAX):
            await sender.stop()


@contextlib.asynccontextmanager
async def infra(
    installation: Installation, service: str, shard: int | None = None
) -> AsyncIterator[Infra]:
    """An Infra that sends while the block runs, and for CLOSE_WAIT_S_MAX after it."""
    teller = Infra(installation, service, shard)
    sending = asyncio.create_task(teller.run(), name="infra")
    try:
        yield teller
    finally:
        teller.close()
        await asyncio.wait([sending], timeout=CLOSE_WAIT_S_MAX)
        sending.cancel()
        await asyncio.wait([sending], timeout=CLOSE_WAIT_S_MAX)
