"""Reads topics whole, up to where they end now, and follows them. Committed records only.

Never joins a group. Ends by position, not by count: transaction markers take offsets too.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chandler.core.events import Event
from chandler.streams.catalogue import topic
from chandler.streams.clients import admin, catalogue_name, consumer, topic_name
from chandler.streams.codec import UndecodableError, decode
from chandler.streams.lifetime import close, start
from chandler.streams.settings import Installation

POLL_MS = 500
BATCH_MAX = 5_000
SILENT_POLLS_MAX = 40  # without a record and without progress: a transaction hangs


class ReadError(Exception):
    """A topic can't be read: one line for people."""


class Record(NamedTuple):
    """One record as a reader sees it."""

    topic: str  # the catalogue's name
    partition: int
    offset: int
    timestamp_ms: int  # Kafka's CreateTime
    key: str
    event: Event | None  # None: a stage's state, a tombstone, or undecodable
    raw: bytes | None
    headers: dict[str, bytes]


async def connected(installation: Installation, wait_ms: int = 100) -> AIOKafkaConsumer:
    """A started consumer; ReadError if Kafka can't be reached.

    `wait_ms`: how long Kafka keeps a fetch that finds nothing; a seek away from it waits for it.
    """
    reader = consumer(installation, fetch_max_wait_ms=wait_ms, max_poll_records=BATCH_MAX)
    try:
        await start(reader)
    except (KafkaError, OSError) as error:
        await close(reader)
        raise ReadError(
            f"Kafka can't be reached at {installation.bootstrap}: start it with "
            "./chandler kafka start, or set CHANDLER_BROKERS"
        ) from error
    except BaseException:  # cancelled
        await close(reader)
        raise
    return reader


async def partitions(
    installation: Installation, names: Iterable[str]
) -> dict[str, list[TopicPartition]]:
    """The partitions of each catalogue topic; an empty list for one that isn't on the cluster."""
    wanted = {topic_name(installation, topic(name).name): name for name in names}
    client = admin(installation)
    try:
        await start(client)
        described = await client.describe_topics(list(wanted))
    except (KafkaError, OSError) as error:
        raise ReadError(
            f"Kafka can't be reached at {installation.bootstrap}: start it with "
            "./chandler kafka start, or set CHANDLER_BROKERS"
        ) from error
    finally:
        await close(client)
    return {
        wanted[entry["topic"]]: [
            TopicPartition(entry["topic"], part["partition"])
            for part in sorted(entry["partitions"], key=lambda part: part["partition"])
        ]
        for entry in described
    }


def record_of(installation: Installation, raw: Any) -> Record:
    """A fetched record as readers see it."""
    name = catalogue_name(installation, raw.topic)
    event = None
    if raw.value is not None and topic(name).events:
        try:
            event = decode(name, raw.value)
        except UndecodableError:
            event = None
    return Record(
        topic=name,
        partition=raw.partition,
        offset=raw.offset,
        timestamp_ms=raw.timestamp,
        key=(raw.key or b"").decode(errors="replace"),
        event=event,
        raw=raw.value,
        headers=dict(raw.headers),
    )


async def _seek(
    reader: AIOKafkaConsumer, assigned: list[TopicPartition], start: str | int, newest: int = 0
) -> dict[TopicPartition, int]:
    """Seeks explicitly (a seek to "the beginning" can lose against the reset); returns the ends."""
    ends: dict[TopicPartition, int] = await reader.end_offsets(assigned)
    begins: Mapping[TopicPartition, Any]
    if start == "end":
        begins = ends
    elif start == "beginning":
        begins = await reader.beginning_offsets(assigned)
    else:
        found = await reader.offsets_for_times(dict.fromkeys(assigned, int(start)))
        begins = {tp: found[tp].offset if found[tp] else ends[tp] for tp in assigned}
    for tp in assigned:
        reader.seek(tp, max(begins[tp], ends[tp] - newest if newest else 0))
    return ends


async def read_topics(
    installation: Installation,
    names: Iterable[str],
    start: str | int = "beginning",
    newest: int = 0,
) -> AsyncIterator[Record]:
    """Every committed record of `names` up to the ends at the time of the call.

    `start`: "beginning", or a CreateTime in ms; `newest`: only the last so many offsets of each
    partition, 0 for all. Order holds within a partition only. A topic that isn't on the cluster
    gives nothing. ReadError; NewerSchemaError of the codec.
    """
    found = await partitions(installation, names)
    assigned = [tp for parts in found.values() for tp in parts]
    if not assigned:
        return
    reader = await connected(installation)
    try:
        reader.assign(assigned)
        ends = await _seek(reader, assigned, start, newest)
        silent = 0
        behind = {tp for tp in assigned if await reader.position(tp) < ends[tp]}
        reader.pause(*(tp for tp in assigned if tp not in behind))
        while behind:
            batches = await reader.getmany(*behind, timeout_ms=POLL_MS, max_records=BATCH_MAX)
            for tp, records in batches.items():
                for raw in records:
                    if raw.offset < ends[tp]:
                        yield record_of(installation, raw)
            before = len(behind)
            behind = {tp for tp in behind if await reader.position(tp) < ends[tp]}
            silent = 0 if batches or len(behind) < before else silent + 1
            if silent > SILENT_POLLS_MAX:
                stuck = min(behind)
                raise ReadError(
                    f"{stuck.topic}/{stuck.partition} can't be read up to its end: a transaction "
                    "hangs open, wait for its timeout and try again"
                )
    except KafkaError as error:
        raise ReadError(f"{', '.join(found)} can't be read to the end: {error!r}") from error
    finally:
        await close(reader)


async def follow(
    installation: Installation,
    names: Iterable[str],
    start: str | int = "end",
    stop: asyncio.Event | None = None,
) -> AsyncGenerator[Record, None]:
    """Records of `names` as they are committed, until `stop` is set or the caller leaves."""
    async for batch in follow_batches(installation, names, start, stop):
        for record in batch:
            yield record


async def follow_batches(
    installation: Installation,
    names: Iterable[str],
    start: str | int = "end",
    stop: asyncio.Event | None = None,
) -> AsyncGenerator[list[Record], None]:
    """Like follow, a batch at a time; an empty one at least every POLL_MS."""
    names = list(names)
    found = await partitions(installation, names)
    absent = [name for name in names if not found.get(name)]
    if absent:
        raise ReadError(f"topic {absent[0]} is not on this cluster: run ./chandler up first")
    assigned = [tp for parts in found.values() for tp in parts]
    reader = await connected(installation)
    try:
        reader.assign(assigned)
        await _seek(reader, assigned, start)
        while stop is None or not stop.is_set():
            batches = await reader.getmany(timeout_ms=POLL_MS, max_records=BATCH_MAX)
            yield [record_of(installation, raw) for records in batches.values() for raw in records]
    except KafkaError as error:
        raise ReadError(f"{names[0]} can't be followed any more: {error!r}") from error
    finally:
        await close(reader)


async def follow_lanes(
    installation: Installation,
    names: Iterable[str],
    offsets: Mapping[str, int],
    since_ms: int,
    stop: asyncio.Event,
    begun: Callable[[dict[str, int]], Awaitable[None]] | None = None,
) -> AsyncGenerator[list[Record], None]:
    """Batches of `names` from `offsets` on, until `stop`: for whoever keeps its own offsets.

    `offsets`: of the next record, by "topic:partition" of the catalogue's names. A partition that
    isn't among them is read from the CreateTime `since_ms` on; one whose records are gone, from
    the first that is left. `begun` is told first where those that weren't among them begin: who
    keeps that misses nothing of a partition whose first record comes while nobody reads. Empty
    batches come at least every POLL_MS. ReadError.
    """
    found = await partitions(installation, names)
    places = {f"{name}:{tp.partition}": tp for name, parts in found.items() for tp in parts}
    reader = await connected(installation)
    try:
        reader.assign(list(places.values()))
        fresh = [tp for lane, tp in places.items() if lane not in offsets]
        await _seek(reader, fresh, since_ms)
        begins = await reader.beginning_offsets(list(places.values()))
        for lane, tp in places.items():
            if lane in offsets:
                reader.seek(tp, max(offsets[lane], begins[tp]))
        if begun is not None and fresh:
            positions = {lane: tp for lane, tp in places.items() if lane not in offsets}
            await begun({lane: await reader.position(tp) for lane, tp in positions.items()})
        while not stop.is_set():
            batches = await reader.getmany(timeout_ms=POLL_MS, max_records=BATCH_MAX)
            yield [record_of(installation, raw) for records in batches.values() for raw in records]
    except KafkaError as error:
        raise ReadError(f"{', '.join(found)} can't be followed: {error!r}") from error
    finally:
        await close(reader)
