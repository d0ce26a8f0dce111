"""Batches of events in transactions, by the one holder of a name. Starting it fences older ones.

After any error it isn't known whether the batch is out: open again, read back what is, go on.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced

from chandler.core.events import Event
from chandler.streams.clients import TRANSACTION_TIMEOUT_MS, topic_name, transactional_producer
from chandler.streams.codec import encode
from chandler.streams.lifetime import close, start
from chandler.streams.settings import Installation

OPEN_S_MAX = 30.0
WRITE_S_MAX = 15.0  # the broker ends a transaction after TRANSACTION_TIMEOUT_MS
EVERY = -1  # a record's partition: it is for all who read any of them


class LostError(Exception):
    """A batch may or may not be out: open anew and read what is there."""


class ReplacedError(Exception):
    """Another instance of the same name took over: this one has to end."""


class Record(NamedTuple):
    """An event on its way."""

    topic: str  # catalogue name
    key: str
    event: Event
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None  # None: the key's; EVERY: to each one


class Kept(NamedTuple):
    """A value of a compacted topic without events, on its way."""

    topic: str  # catalogue name
    key: str
    value: bytes | None  # None: the key is gone
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Placed(NamedTuple):
    """Where a record stands, once its transaction is committed."""

    partition: int
    offset: int


After = Callable[[Sequence[Placed]], Sequence[Record | Kept]]


async def send(
    producer: AIOKafkaProducer, installation: Installation, record: Record | Kept
) -> list["asyncio.Future[Any]"]:
    """Hands a record to the producer: one future for each partition that it goes to."""
    name, key = topic_name(installation, record.topic), record.key
    value = record.value if isinstance(record, Kept) else encode(record.event)
    partitions: list[int | None] = [record.partition]
    if record.partition == EVERY:
        partitions = sorted(await producer.partitions_for(name))
    return [
        await producer.send(
            name, value, key=key.encode(), partition=partition, headers=list(record.headers)
        )
        for partition in partitions
    ]


class Outbox:
    """One transactional producer. `name`: ingest-0."""

    def __init__(self, installation: Installation, name: str) -> None:
        self.name = name
        self._installation = installation
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> None:
        """Starts the producer anew; what an older holder had under way is aborted. LostError."""
        await self.close()
        producer = transactional_producer(self._installation, self.name)
        try:
            async with asyncio.timeout(OPEN_S_MAX):
                await start(producer)
        except (KafkaError, OSError, TimeoutError) as error:
            await close(producer)
            raise LostError(f"Kafka can't be reached for {self.name}: {error!r}") from error
        except BaseException:
            await close(producer)
            raise
        self._producer = producer

    async def write(
        self, records: Sequence[Record | Kept], after: After | None = None
    ) -> list[Placed]:
        """All of them, or none; where they stand. LostError: not known which; ReplacedError: never
        again.

        `after`: what is written last, in the same transaction, of where the others stand.
        """
        assert self._producer is not None, "open the outbox first"
        sent: list[asyncio.Future[Any]] = []
        places: list[Placed] = []
        began = time.monotonic()
        try:
            async with asyncio.timeout(WRITE_S_MAX):
                await self._producer.begin_transaction()
                for record in records:
                    sent += await send(self._producer, self._installation, record)
                if after is not None:
                    written = await asyncio.gather(*sent)
                    places = [Placed(each.partition, each.offset) for each in written]
                    for record in after(places):
                        sent += await send(self._producer, self._installation, record)
                await self._producer.commit_transaction()
        except ProducerFenced:
            await self._give_up(sent)
            took_s = time.monotonic() - began
            if took_s * 1_000 >= TRANSACTION_TIMEOUT_MS:
                # The broker itself ends such a transaction; its answer is the same.
                raise LostError(f"{self.name}: a transaction took {took_s:.1f} s") from None
            raise ReplacedError(
                f"{self.name}: another instance took over its transactions: this one ends"
            ) from None
        except (KafkaError, OSError, TimeoutError) as error:
            await self._give_up(sent)
            raise LostError(f"{self.name}: a transaction failed: {error!r}") from error
        return places

    async def close(self) -> None:
        """Stops the producer; a transaction that is open is aborted by the broker."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await close(producer)

    async def _give_up(self, sent: Sequence["asyncio.Future[Any]"]) -> None:
        await self.close()
        for future in sent:
            if future.done() and not future.cancelled():
                future.exception()  # seen: the transaction's own error tells it
            else:
                future.cancel()
