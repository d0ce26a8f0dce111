"""The way from topics to the outside world: read, decode, hand over, commit; at least once.

Whoever takes the records makes them durable before it returns, and knows a repeated one by its
id. Knows nothing of what the outside is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import ConsumerRecord

from chandler.core.events import DeadLetter, Event
from chandler.streams.clients import catalogue_name, consumer, group_name, producer, topic_name
from chandler.streams.codec import UndecodableError, decode, encode
from chandler.streams.settings import Installation
from chandler.streams.telemetry.health import Health

POLL_MS = 200  # how late a stop may be noticed
RECORDS_MAX = 1_000  # in one batch
COMMIT_WAIT_S_MAX = 5.0
RAW_BYTES_MAX = 4 * 1024


class Record(NamedTuple):
    """An event with its bytes and its place."""

    topic: str  # by its catalogue name
    partition: int
    offset: int
    event: Event
    raw: bytes


Handler = Callable[[Sequence[Record]], Awaitable[Sequence[DeadLetter]]]


async def consume(
    installation: Installation,
    *,
    service: str,
    topics: Sequence[str],
    handler: Handler,
    stop: asyncio.Event,
    health: Health,
    on_letter: Callable[[DeadLetter], None],
) -> None:
    """Hands batches of committed records to `handler` until `stop`; commits after it returned.

    A record that can't be decoded, and each letter that the handler returns, is in
    `dead-letters` before the commit. NewerSchemaError, and what the handler raises, ends it.
    """
    reader = consumer(installation, group_name(installation, service))
    reader.subscribe([topic_name(installation, topic) for topic in topics])
    async with reader, producer(installation) as writer:
        committed: dict[TopicPartition, int] = {}
        while not stop.is_set():
            batches = await reader.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            found = [record for batch in batches.values() for record in batch]
            if found:
                await _hand_over(installation, service, found, handler, writer, on_letter)
            positions = await _commit(reader, committed)
            _tell(reader, positions, found, health)


async def _hand_over(
    installation: Installation,
    service: str,
    found: Sequence[ConsumerRecord],
    handler: Handler,
    writer: AIOKafkaProducer,
    on_letter: Callable[[DeadLetter], None],
) -> None:
    records: list[Record] = []
    letters: list[DeadLetter] = []
    for one in found:
        topic = catalogue_name(installation, one.topic)
        raw = one.value or b""
        try:
            event = decode(topic, one.value)
            records.append(Record(topic, one.partition, one.offset, event, raw))
        except UndecodableError as error:
            letters.append(
                letter(service, "undecodable", str(error), topic, one.partition, one.offset, raw)
            )
    if records:
        letters += await handler(records)
    for one_letter in letters:
        on_letter(one_letter)
        await writer.send(
            topic_name(installation, "dead-letters"),
            encode(one_letter),
            key=one_letter.source.encode(),
        )
    if letters:
        await writer.flush()


def letter(
    service: str, cause: str, detail: str, topic: str, partition: int, offset: int, raw: bytes
) -> DeadLetter:
    """The dead letter for a message, cut at 4 KiB."""
    return DeadLetter(
        source=service,
        cause=cause,
        detail=detail,
        topic=topic,
        partition=partition,
        offset=offset,
        raw=raw[:RAW_BYTES_MAX].decode("utf-8", "backslashreplace"),
    )


async def _commit(
    reader: AIOKafkaConsumer, committed: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Commits where reading has got to, behind the markers of transactions too; says where."""
    positions: dict[TopicPartition, int] = {}
    try:
        async with asyncio.timeout(COMMIT_WAIT_S_MAX):
            for tp in reader.assignment():
                positions[tp] = await reader.position(tp)
            moved = {tp: at for tp, at in positions.items() if committed.get(tp) != at}
            if moved:
                await reader.commit(moved)
                committed.update(moved)
    except (CommitFailedError, IllegalStateError, TimeoutError):
        committed.clear()  # the partitions went to another, or Kafka is away: these come again
    return positions


def _tell(
    reader: AIOKafkaConsumer,
    positions: dict[TopicPartition, int],
    found: Sequence[ConsumerRecord],
    health: Health,
) -> None:
    assigned = reader.assignment()
    health.ready = bool(assigned)
    health.state = "ready" if assigned else "waiting for partitions"
    health.lag = sum(
        max(0, (reader.last_stable_offset(tp) or 0) - position)
        for tp, position in positions.items()
        if tp in assigned
    )
    if found:
        newest_ms = max(record.timestamp for record in found)
        health.age_s = max(0.0, time.time() - newest_ms / 1_000)
