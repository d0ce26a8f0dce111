"""Events sent in passing: in order, without a transaction, bounded, never in anyone's way."""

import asyncio
from collections import Counter, deque
from functools import partial

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from chandler.streams.clients import producer
from chandler.streams.lifetime import close, start
from chandler.streams.settings import Installation
from chandler.streams.writing.outbox import Record, send

QUEUE_MAX = 20_000  # records that wait while Kafka is away; then the oldest ones go
LINGER_MS = 5
RETRY_S = 1.0


class Sender:
    """An idempotent producer behind a queue; `run` sends. `sent` and `dropped` count by topic."""

    def __init__(self, installation: Installation) -> None:
        self.sent: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._installation = installation
        self._queue: deque[Record] = deque()
        self._filled = asyncio.Event()
        self._closing = False

    def send(self, record: Record) -> None:
        """Queues a record; the oldest one is dropped when the queue is full."""
        if len(self._queue) >= QUEUE_MAX:
            self.dropped[self._queue.popleft().topic] += 1
        self._queue.append(record)
        self._filled.set()

    def close(self) -> None:
        """Lets `run` end when the queue is empty."""
        self._closing = True
        self._filled.set()

    async def run(self) -> None:
        """Sends until `close` was called and the queue is empty, or it is cancelled."""
        client: AIOKafkaProducer | None = None
        try:
            while not self._closing or self._queue:
                await self._filled.wait()
                self._filled.clear()
                try:
                    if client is None:
                        client = producer(self._installation, linger_ms=LINGER_MS)
                        await start(client)
                    await self._drain(client)
                except (KafkaError, OSError):
                    if client is not None:
                        await close(client)
                    client = None
                    if self._closing:
                        break
                    await asyncio.sleep(RETRY_S)
                    self._filled.set()
        finally:
            if client is not None:
                await close(client)

    async def _drain(self, client: AIOKafkaProducer) -> None:
        while self._queue:
            record = self._queue[0]
            futures = await send(client, self._installation, record)
            if self._queue and self._queue[0] is record:
                self._queue.popleft()
            for future in futures:
                future.add_done_callback(partial(self._count, record.topic))

    def _count(self, topic: str, done: "asyncio.Future[object]") -> None:
        failed = done.cancelled() or done.exception() is not None
        (self.dropped if failed else self.sent)[topic] += 1
