"""What a service says of itself, sent in passing: best effort, bounded, never in the way.

One producer for all of it. Order holds within what is sent again, and within what is not.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from chandler.core.events import Event
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.lifetime import close, start
from chandler.streams.settings import Installation

AGAIN_MAX = 100  # events that wait for Kafka to be back; then the oldest go
ONCE_MAX = 1_000  # of the others, until they are sent
SEND_S_MAX = 5.0
AGAIN_S = 1.0
CLOSE_S_MAX = 1.0


class _Said(NamedTuple):
    topic: str  # catalogue name
    key: str
    event: Event
    again: bool


class Background:
    """Takes events without waiting; `run` sends them while Kafka is there."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._again: deque[_Said] = deque(maxlen=AGAIN_MAX)
        self._once: deque[_Said] = deque(maxlen=ONCE_MAX)
        self._filled = asyncio.Event()
        self._closing = False

    def send(self, topic: str, key: str, event: Event, *, again: bool) -> None:
        """Queues an event. `again`: it waits for Kafka to be back; else an error drops it."""
        said = _Said(topic, key, event, again)
        (self._again if again else self._once).append(said)
        self._filled.set()

    def close(self) -> None:
        """Ends run() after what is queued, or at the first error."""
        self._closing = True
        self._filled.set()

    async def run(self) -> None:
        """Sends until close() was called or it is cancelled."""
        client: AIOKafkaProducer | None = None
        try:
            while not self._closing or self._again or self._once:
                await self._filled.wait()
                self._filled.clear()
                said = [*self._again, *self._once]
                self._again.clear()
                self._once.clear()
                try:
                    async with asyncio.timeout(SEND_S_MAX):
                        if client is None:
                            client = producer(self._installation)
                            await start(client)
                        failed = await self._sent(client, said)
                except (KafkaError, OSError, TimeoutError):
                    failed = said
                if failed:
                    if client is not None:
                        await close(client, CLOSE_S_MAX)
                    client = None
                    if self._closing:
                        return
                    self._put_back(failed)
                    await asyncio.sleep(AGAIN_S)
                    self._filled.set()
        finally:
            if client is not None:
                await close(client, CLOSE_S_MAX)

    async def _sent(self, client: AIOKafkaProducer, said: Iterable[_Said]) -> list[_Said]:
        """Those that Kafka did not take."""
        sent = [
            await client.send(
                topic_name(self._installation, each.topic),
                encode(each.event),
                key=each.key.encode(),
            )
            for each in said
        ]
        results = await asyncio.gather(*sent, return_exceptions=True)
        return [
            each
            for each, result in zip(said, results, strict=True)
            if isinstance(result, BaseException)
        ]

    def _put_back(self, failed: Iterable[_Said]) -> None:
        kept = [each for each in failed if each.again]
        self._again = deque([*kept, *self._again], maxlen=AGAIN_MAX)


async def publish(installation: Installation, topic: str, key: str, event: Event) -> None:
    """Publishes one event, however long Kafka is away. It may be out twice: give it an id."""
    while True:
        client = producer(installation)
        try:
            await start(client)
            await client.send_and_wait(
                topic_name(installation, topic), encode(event), key=key.encode()
            )
        except (KafkaError, OSError):
            await asyncio.sleep(AGAIN_S)
        else:
            return
        finally:
            await close(client, CLOSE_S_MAX)
