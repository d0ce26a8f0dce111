"""Reads topics from places that somebody else keeps, and hands over batches with the next places.

Who takes a batch stores its events and the places in one transaction of its own: so each event is
there once, whatever dies. Joins no group. Knows nothing of where the places are kept.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chandler.core.events import DeadLetter, Event
from chandler.streams.clients import admin, catalogue_name, producer, topic_name
from chandler.streams.codec import UndecodableError, decode, encode
from chandler.streams.edge import letter
from chandler.streams.lifetime import close, start
from chandler.streams.reader import ReadError, connected, partitions
from chandler.streams.settings import Installation
from chandler.streams.telemetry.health import Health

POLL_MS = 200  # how late a stop may be noticed
GATHER_S = 0.2  # between two batches that aren't full: one transaction for what came meanwhile
RECORDS_MAX = 2_000  # in one batch
SILENT_POLLS_MAX = 150  # of a reading up to given places

Place = tuple[str, int]  # topic by its catalogue name, partition


class Placed(NamedTuple):
    """An event with its bytes and its place."""

    topic: str
    partition: int
    offset: int
    written_ms: int  # Kafka's CreateTime
    event: Event
    raw: bytes


class Batch(NamedTuple):
    """Records in the order of each partition, and where reading goes on after them."""

    records: list[Placed]
    undecodable: list[DeadLetter]
    following: dict[Place, int]


Tell = Callable[[Sequence[DeadLetter]], Awaitable[None]]
Take = Callable[[Batch, Tell], Awaitable[bool]]


async def cluster_id(installation: Installation) -> str:
    """What the cluster calls itself; ReadError if it can't be reached."""
    client = admin(installation)
    try:
        await start(client)
        described = await client.describe_cluster()
    except (KafkaError, OSError) as error:
        raise ReadError(f"Kafka can't be reached at {installation.bootstrap}: {error!r}") from error
    finally:
        await close(client)
    return str(described.get("cluster_id") or installation.bootstrap)


async def consume_placed(
    installation: Installation,
    *,
    topics: Sequence[str],
    places: Mapping[Place, int],
    take: Take,
    stop: asyncio.Event,
    health: Health,
    on_letter: Callable[[DeadLetter], None],
    on_lost: Callable[[Place, int], None] = lambda place, records: None,
) -> None:
    """Hands batches to `take` until `stop`, or until it returns False: it was stopped meanwhile.

    What can't be decoded is in `dead-letters` before `take` is called, and so is what it tells
    before that call returns. `on_lost` tells of records that the topic no longer has. ReadError:
    a place lies behind the topic's end.
    """
    reader = await connected(installation)
    try:
        assigned = await _assign(reader, installation, topics, places, on_lost)
        async with producer(installation) as writer:

            async def tell(letters: Sequence[DeadLetter]) -> None:
                await _send(installation, writer, letters, on_letter)

            health.ready, health.state = True, "ready"
            while not stop.is_set():
                batch, newest_ms = await _next(reader, installation, assigned)
                await tell(batch.undecodable)
                found = batch.records or batch.undecodable
                if found and not await take(batch, tell):
                    return
                _say(reader, installation, batch.following, newest_ms, health)
                if len(batch.records) < RECORDS_MAX // 2:
                    await _pause(stop)
    finally:
        await close(reader)


async def read_placed(
    installation: Installation, until: Mapping[Place, int]
) -> AsyncIterator[Batch]:
    """Every record of these partitions that lies before its place in `until`, from the beginning.

    `following` ends at `until` exactly. ReadError where it can't be read so far.
    """
    wanted = {
        TopicPartition(topic_name(installation, topic), partition): offset
        for (topic, partition), offset in until.items()
    }
    if not wanted:
        return
    reader = await connected(installation)
    try:
        reader.assign(list(wanted))
        begins = await reader.beginning_offsets(list(wanted))
        for tp in wanted:
            reader.seek(tp, begins[tp])
        behind = {tp for tp, end in wanted.items() if begins[tp] < end}
        reader.pause(*(tp for tp in wanted if tp not in behind))
        silent = 0
        while behind:
            found = await reader.getmany(*behind, timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            inside = [r for part in found.values() for r in part if r.offset < wanted[_tp(r)]]
            at = {tp: min(await reader.position(tp), wanted[tp]) for tp in behind}
            done = {tp for tp, offset in at.items() if offset >= wanted[tp]}
            reader.pause(*done)
            behind -= done
            if found or done:
                yield _batch(installation, inside, at)
            silent = 0 if found or done else silent + 1
            if silent > SILENT_POLLS_MAX:
                stuck = min(behind)
                raise ReadError(
                    f"{stuck.topic}/{stuck.partition} can't be read up to {wanted[stuck]}: "
                    "is it the Kafka that the places belong to?"
                )
    except KafkaError as error:
        raise ReadError(f"topics can't be read to the end: {error!r}") from error
    finally:
        await close(reader)


async def begins_whole(installation: Installation, topics: Iterable[str]) -> dict[str, bool]:
    """Whether each topic still has all its records: none has expired."""
    found = await partitions(installation, topics)
    everything = [tp for parts in found.values() for tp in parts]
    if not everything:
        return dict.fromkeys(found, True)
    reader = await connected(installation)
    try:
        reader.assign(everything)
        begins = await reader.beginning_offsets(everything)
    finally:
        await close(reader)
    return {name: all(begins[tp] == 0 for tp in parts) for name, parts in found.items()}


async def _assign(
    reader: AIOKafkaConsumer,
    installation: Installation,
    topics: Sequence[str],
    places: Mapping[Place, int],
    on_lost: Callable[[Place, int], None],
) -> list[TopicPartition]:
    found = await partitions(installation, topics)
    absent = [name for name in topics if not found.get(name)]
    if absent:
        raise ReadError(f"topic {absent[0]} is not on this cluster: run ./chandler up first")
    assigned = [tp for parts in found.values() for tp in parts]
    reader.assign(assigned)
    begins = await reader.beginning_offsets(assigned)
    ends = await reader.end_offsets(assigned)
    for tp in assigned:
        place = _place(installation, tp)
        wanted = places.get(place, 0)
        if wanted > ends[tp]:
            raise ReadError(
                f"{tp.topic}/{tp.partition} ends at {ends[tp]}, but what was taken of it goes up "
                f"to {wanted}: this is another Kafka than the one that was read, or it lost records"
            )
        if wanted < begins[tp] and place in places:
            on_lost(place, begins[tp] - wanted)
        reader.seek(tp, max(wanted, begins[tp]))
    return assigned


async def _next(
    reader: AIOKafkaConsumer, installation: Installation, assigned: list[TopicPartition]
) -> tuple[Batch, int]:
    """What came, with where each partition stands after it; the newest CreateTime, 0: nothing."""
    found = await reader.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
    records = [record for part in found.values() for record in part]
    at = {tp: await reader.position(tp) for tp in assigned}
    return _batch(installation, records, at), max((r.timestamp for r in records), default=0)


def _batch(
    installation: Installation, found: Iterable[Any], at: Mapping[TopicPartition, int]
) -> Batch:
    records: list[Placed] = []
    undecodable: list[DeadLetter] = []
    for one in found:
        topic = catalogue_name(installation, one.topic)
        place = (topic, one.partition, one.offset)
        try:
            event = decode(topic, one.value)
            records.append(Placed(*place, one.timestamp, event, one.value))
        except UndecodableError as error:
            raw = one.value or b""
            undecodable.append(letter("recorder", "undecodable", str(error), *place, raw))
    following = {_place(installation, tp): offset for tp, offset in at.items()}
    return Batch(records, undecodable, following)


async def _send(
    installation: Installation,
    writer: Any,
    letters: Sequence[DeadLetter],
    on_letter: Callable[[DeadLetter], None],
) -> None:
    for one in letters:
        on_letter(one)
        name = topic_name(installation, "dead-letters")
        await writer.send(name, encode(one), key=one.source.encode())
    if letters:
        await writer.flush()


def _say(
    reader: AIOKafkaConsumer,
    installation: Installation,
    following: Mapping[Place, int],
    newest_ms: int,
    health: Health,
) -> None:
    health.lag = sum(
        max(0, (reader.last_stable_offset(tp) or 0) - following[_place(installation, tp)])
        for tp in reader.assignment()
    )
    if newest_ms:
        health.age_s = max(0.0, time.time() - newest_ms / 1_000)


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(GATHER_S):
            await stop.wait()
    except TimeoutError:
        return


def _tp(record: Any) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def _place(installation: Installation, tp: TopicPartition) -> Place:
    return (catalogue_name(installation, tp.topic), tp.partition)
