"""Reads stretches of partitions from place to place, for whoever keeps places of its own.

A lane is a partition by the catalogue's name: "orders:3". Committed records only; joins no group.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from chandler.streams.clients import catalogue_name, topic_name
from chandler.streams.lifetime import close
from chandler.streams.reader import (
    BATCH_MAX,
    POLL_MS,
    SILENT_POLLS_MAX,
    ReadError,
    Record,
    connected,
    partitions,
    record_of,
)
from chandler.streams.settings import Installation


class Span(NamedTuple):
    """Where lanes begin and end, by lane; an end is the offset after the last record."""

    begins: dict[str, int]
    ends: dict[str, int]


async def span(installation: Installation, names: Iterable[str], since_ms: int) -> Span:
    """Of these topics from a CreateTime on, as they are now. ReadError."""
    found = await partitions(installation, names)
    assigned = [tp for parts in found.values() for tp in parts]
    reader = await connected(installation)
    try:
        reader.assign(assigned)
        ends = await reader.end_offsets(assigned)
        since = await reader.offsets_for_times(dict.fromkeys(assigned, since_ms))
    except KafkaError as error:
        raise ReadError(f"{', '.join(found)} can't be read: {error!r}") from error
    finally:
        await close(reader)
    begins = {tp: since[tp].offset if since[tp] else ends[tp] for tp in assigned}
    return Span(_by_lane(installation, begins), _by_lane(installation, ends))


async def between(
    installation: Installation, begins: Mapping[str, int], ends: Mapping[str, int]
) -> AsyncIterator[Record]:
    """Every record of these lanes from its begin on and before its end, in order within a lane.

    What a topic no longer has is left out. ReadError.
    """
    wanted = {_partition(installation, lane): ends[lane] for lane in begins}
    behind = {tp for tp, end in wanted.items() if begins[_lane(installation, tp)] < end}
    if not behind:
        return
    reader = await connected(installation)
    try:
        reader.assign(list(behind))
        first = await reader.beginning_offsets(list(behind))
        for tp in behind:
            reader.seek(tp, max(begins[_lane(installation, tp)], first[tp]))
        silent = 0
        while behind:
            batches = await reader.getmany(*behind, timeout_ms=POLL_MS, max_records=BATCH_MAX)
            for tp, records in batches.items():
                for raw in records:
                    if raw.offset < wanted[tp]:
                        yield record_of(installation, raw)
            done = {tp for tp in behind if await reader.position(tp) >= wanted[tp]}
            reader.pause(*done)
            behind -= done
            silent = 0 if batches or done else silent + 1
            if silent > SILENT_POLLS_MAX:
                stuck = min(behind)
                raise ReadError(
                    f"{stuck.topic}/{stuck.partition} can't be read up to {wanted[stuck]}: a "
                    "transaction hangs open, or the places are another Kafka's"
                )
    except KafkaError as error:
        raise ReadError(f"lanes can't be read to their ends: {error!r}") from error
    finally:
        await close(reader)


def _by_lane(installation: Installation, offsets: Mapping[TopicPartition, int]) -> dict[str, int]:
    return {_lane(installation, tp): offset for tp, offset in offsets.items()}


def _lane(installation: Installation, tp: TopicPartition) -> str:
    return f"{catalogue_name(installation, tp.topic)}:{tp.partition}"


def _partition(installation: Installation, lane: str) -> TopicPartition:
    name, _, partition = lane.rpartition(":")
    return TopicPartition(topic_name(installation, name), int(partition))
