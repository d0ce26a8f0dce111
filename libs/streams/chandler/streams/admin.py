"""Creates the topics of the catalogue and checks those that are there, before anything runs."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.offset import OffsetRequest

from chandler.core.granularity import DAY_MS, HOUR_MS
from chandler.streams.catalogue import BY_NAME, FOR_EVER, TOPICS, Topic
from chandler.streams.clients import MESSAGE_BYTES_MAX, admin, consumer, topic_name
from chandler.streams.embedded.topic_bytes import topic_bytes
from chandler.streams.lifetime import close, start
from chandler.streams.settings import Installation

VISIBLE_S_MAX = 20.0  # from the request until every partition has a leader
POLL_S = 0.05
COMPACTED_SEGMENT_BYTES = 8 * 1024 * 1024
COMPACTED_SEGMENT_MS = HOUR_MS // 6  # the segment that is written to is never compacted
DIRTY_RATIO = 0.2
UNKNOWN_TOPIC = 3  # error code
NEWEST, REPLICA_NONE = -1, -1  # of a request for offsets


class TopicError(Exception):
    """A topic isn't as the catalogue says: one line for people."""


class TopicState(msgspec.Struct, frozen=True, kw_only=True):
    """What a topic holds."""

    name: str  # without the prefix
    partitions: int
    begin: list[int]  # first offset, by partition
    end: list[int]  # next offset to be written, by partition
    records: int  # offsets from begin to end; transactions' markers count too
    bytes: int | None  # on disk; None where the cluster isn't ours to look into


def configuration(topic: Topic) -> dict[str, str]:
    """A topic's settings on the cluster."""
    settings = {"max.message.bytes": str(MESSAGE_BYTES_MAX)}
    if topic.compacted:
        return settings | {
            "cleanup.policy": "compact",
            "segment.ms": str(COMPACTED_SEGMENT_MS),
            "segment.bytes": str(COMPACTED_SEGMENT_BYTES),
            "min.cleanable.dirty.ratio": str(DIRTY_RATIO),
        }
    settings |= {"cleanup.policy": "delete", "retention.ms": str(topic.retention_ms)}
    if topic.retention_ms != FOR_EVER:  # only whole segments expire
        settings["segment.ms"] = str(min(DAY_MS, topic.retention_ms // 4))
    return settings


def partitions_of(topic: Topic, symbol_partitions: int) -> int:
    """As many as the catalogue fixes, else those of all topics keyed by symbol."""
    return topic.partitions or symbol_partitions


async def create_topics(
    installation: Installation,
    symbol_partitions: int,
    replication: int,
    names: Iterable[str] | None = None,
) -> list[str]:
    """Creates what is missing of the catalogue (or of `names`), and checks what is there.

    Returns the names that were created, when each of their partitions can be written to.
    TopicError: a topic has another number of partitions, or the cluster refuses one.
    """
    wanted = _wanted(names)
    async with _admin(installation) as client:
        there = await _partition_counts(client, installation, wanted)
        _check(there, wanted, symbol_partitions)
        missing = [topic for topic in wanted if topic.name not in there]
        if missing:
            await _create(client, installation, missing, symbol_partitions, replication)
            await _visible(client, installation, missing, symbol_partitions)
    return [topic.name for topic in missing]


async def check_topics(
    installation: Installation, names: Iterable[str], symbol_partitions: int
) -> None:
    """For a service at its start. TopicError: unknown, missing, or another number of partitions."""
    wanted = _wanted(names)
    async with _admin(installation) as client:
        there = await _partition_counts(client, installation, wanted)
    missing = [topic.name for topic in wanted if topic.name not in there]
    if missing:
        raise TopicError(
            f"{len(missing)} of {len(wanted)} topics are missing on {installation.bootstrap} "
            f"({_some(missing)}): start with `chandler up`, or create them"
        )
    _check(there, wanted, symbol_partitions)


async def describe(installation: Installation) -> list[TopicState]:
    """Every topic of the catalogue that is there, in the catalogue's order."""
    async with _admin(installation) as client:
        there = await _partition_counts(client, installation, list(TOPICS))
    assigned = {
        name: [TopicPartition(topic_name(installation, name), number) for number in range(count)]
        for name, count in there.items()
    }
    everything = [tp for tps in assigned.values() for tp in tps]
    if not everything:
        return []
    async with consumer(installation) as client:
        client.assign(everything)  # asks for all topics at once; else one round for each of them
        begins = await client.beginning_offsets(everything)
        ends = await client.end_offsets(everything)
    sizes = topic_bytes(installation)
    states = []
    for name in (topic.name for topic in TOPICS if topic.name in assigned):
        begin = [begins[tp] for tp in assigned[name]]
        end = [ends[tp] for tp in assigned[name]]
        states.append(
            TopicState(
                name=name,
                partitions=len(begin),
                begin=begin,
                end=end,
                records=sum(end) - sum(begin),
                bytes=None if sizes is None else sizes.get(name, 0),
            )
        )
    return states


def _wanted(names: Iterable[str] | None) -> list[Topic]:
    if names is None:
        return list(TOPICS)
    listed = list(dict.fromkeys(names))
    unknown = [name for name in listed if name not in BY_NAME]
    if unknown:
        raise TopicError(
            f"unknown topic {_some(unknown)}: expected one of the catalogue "
            "(chandler.streams.catalogue), correct the name or update this service"
        )
    return [BY_NAME[name] for name in listed]


@asynccontextmanager
async def _admin(installation: Installation) -> AsyncIterator[AIOKafkaAdminClient]:
    client = admin(installation)
    try:
        await start(client)
        yield client
    except KafkaError as error:
        raise TopicError(
            f"topics can't be looked at on {installation.bootstrap}: {_one_line(error)}; expected "
            "Kafka to answer, look at `chandler kafka status`"
        ) from error
    finally:
        await close(client)


async def _partition_counts(
    client: AIOKafkaAdminClient, installation: Installation, topics: list[Topic]
) -> dict[str, int]:
    """By catalogue name; topics that aren't there are absent."""
    return {
        name: len(found["partitions"])
        for name, found in (await _metadata(client, installation, topics)).items()
        if found["error_code"] != UNKNOWN_TOPIC
    }


async def _metadata(
    client: AIOKafkaAdminClient, installation: Installation, topics: list[Topic]
) -> dict[str, dict[str, Any]]:
    by_full_name = {topic_name(installation, topic.name): topic.name for topic in topics}
    if not by_full_name:
        return {}
    found = await client.describe_topics(list(by_full_name))
    return {by_full_name[one["topic"]]: one for one in found}


def _check(there: dict[str, int], wanted: list[Topic], symbol_partitions: int) -> None:
    for topic in wanted:
        expected = partitions_of(topic, symbol_partitions)
        if topic.name in there and there[topic.name] != expected:
            raise TopicError(
                f"topic {topic.name} has {there[topic.name]} partitions, the configuration says "
                f"{expected}: set the partitions to what is there, or use another CHANDLER_DATA or "
                "CHANDLER_TOPIC_PREFIX"
            )


async def _create(
    client: AIOKafkaAdminClient,
    installation: Installation,
    topics: list[Topic],
    symbol_partitions: int,
    replication: int,
) -> None:
    """All of them in one request; one that somebody else just made is fine."""
    request = [
        NewTopic(
            topic_name(installation, topic.name),
            partitions_of(topic, symbol_partitions),
            replication,
            topic_configs=configuration(topic),
        )
        for topic in topics
    ]
    answer = await client.create_topics(request)
    for name, code, *detail in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            reason = detail[0] if detail and detail[0] else error.__name__
            raise TopicError(f"topic {name} can't be created: {_one_line(reason)}")


async def _visible(
    client: AIOKafkaAdminClient,
    installation: Installation,
    topics: list[Topic],
    symbol_partitions: int,
) -> None:
    late = [topic.name for topic in topics]
    try:
        async with asyncio.timeout(VISIBLE_S_MAX):
            while True:
                found = await _metadata(client, installation, topics)
                late = [name for name, one in found.items() if not _led(one)]
                if not late and await _open(client, found):
                    break
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        some = f" ({_some(late)})" if late else ""
        raise TopicError(
            f"topics{some} can't be written to {VISIBLE_S_MAX:.0f} s after they were created: "
            "look at the brokers"
        ) from None
    _check({name: len(one["partitions"]) for name, one in found.items()}, topics, symbol_partitions)


def _led(found: dict[str, Any]) -> bool:
    return found["error_code"] == 0 and all(
        partition["error_code"] == 0 and partition["leader"] >= 0
        for partition in found["partitions"]
    )


async def _open(client: AIOKafkaAdminClient, found: dict[str, dict[str, Any]]) -> bool:
    """Whether the leaders lead: a broker names itself before its logs are there, for a second."""
    by_node: dict[int, list[tuple[str, list[tuple[int, int]]]]] = {}
    for one in found.values():
        for partition in one["partitions"]:
            newest = [(partition["partition"], NEWEST)]
            by_node.setdefault(partition["leader"], []).append((one["topic"], newest))
    for node, asked in by_node.items():
        # The admin client has no call for offsets, and a consumer's retries fill the log.
        request = OffsetRequest(REPLICA_NONE, 0, asked)
        answer = (await client._send_request(request, node)).to_object()
        if any(part["error_code"] for one in answer["topics"] for part in one["partitions"]):
            return False
    return True


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _one_line(reason: object) -> str:
    return " ".join(str(reason).split())
