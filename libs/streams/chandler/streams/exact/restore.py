"""Reads back a stage's state and input offsets from its compacted topic.

An explicit seek to the beginning and a read up to the end offset: `seek_to_beginning` right
after `assign` can lose against the automatic reset to the end, and the state then reads as empty.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from aiokafka import TopicPartition

from chandler.streams.clients import consumer
from chandler.streams.exact.fetched import OrderKept
from chandler.streams.lifetime import close, start
from chandler.streams.settings import Installation

S = TypeVar("S")

# Called once with the states that a start has found, and the wall time (ms) of the newest
# transaction that left them, 0 where there was none.
OnRestored = Callable[[Mapping[str, S], int], None]

OFFSETS_KEY = "@offsets"
POLL_MS = 200
EMPTY_POLLS_MAX = 150  # 30 s without a record before the end offset is reached


class StateError(Exception):
    """The state can't be what the stage left behind: one line for people."""


class Offsets(msgspec.Struct, frozen=True):
    """The next offset to read of each input partition, by catalogue topic name."""

    next: dict[str, int]
    first_at: int = -1  # event time of the partition's first record, ms
    last_at: dict[str, int] = {}  # newest event time taken in, by input, ms
    fingerprint: str = ""  # of the stage that made the states
    silent_until: dict[str, int] = {}  # below these offsets everything is published already
    order: OrderKept | None = None  # of an intake by watermarks or by arrival


class Newest(NamedTuple):
    """The newest value of each key of a partition."""

    values: dict[str, bytes]
    written_ms: int  # wall time (CreateTime) of the newest offsets among them; 0: none


class Restored(msgspec.Struct):
    """What one partition of a state topic holds: raw states by key, and the offsets."""

    states: dict[str, bytes]
    offsets: Offsets
    written_ms: int = 0  # wall time of the offsets; 0: none, or of states that count no more

    def for_stage(self, fingerprint: str) -> "Restored":
        """Itself; without states and from the first record on, if another stage made them."""
        kept = self.offsets
        if not fingerprint or not kept.next or kept.fingerprint == fingerprint:
            return self
        topics = kept.next.keys() | kept.silent_until.keys()
        silent = {
            topic: max(kept.next.get(topic, 0), kept.silent_until.get(topic, 0)) for topic in topics
        }
        return Restored(states={}, offsets=Offsets(next={}, silent_until=silent))


def tell_restored(found: Iterable[Restored], state_type: type[S], told: OnRestored[S]) -> None:
    """Tells what several partitions hold together."""
    found = list(found)
    states = {
        key: msgspec.json.decode(raw, type=state_type)
        for each in found
        for key, raw in each.states.items()
    }
    told(states, max((each.written_ms for each in found), default=0))


async def read_states(
    installation: Installation, topic_on_cluster: str, partitions: list[int]
) -> dict[int, Restored]:
    """Newest state per key of each partition; StateError if a topic with records reads as empty."""
    found = await read_newest(installation, topic_on_cluster, partitions)
    return {
        partition: _restored(f"{topic_on_cluster}/{partition}", newest)
        for partition, newest in found.items()
    }


async def read_newest(
    installation: Installation, topic_on_cluster: str, partitions: list[int]
) -> dict[int, Newest]:
    """The newest value of each key, by partition."""
    assigned = [TopicPartition(topic_on_cluster, partition) for partition in partitions]
    reader = consumer(installation, fetch_max_wait_ms=50)
    try:
        await start(reader)
        reader.assign(assigned)
        begins = await reader.beginning_offsets(assigned)
        ends = await reader.end_offsets(assigned)
        for tp in assigned:
            reader.seek(tp, begins[tp])
        newest = await _read_to_end(reader, assigned, ends)
    finally:
        await close(reader)
    return {tp.partition: newest[tp] for tp in assigned}


async def _read_to_end(
    reader: Any, assigned: list[TopicPartition], ends: dict[TopicPartition, int]
) -> dict[TopicPartition, Newest]:
    newest: dict[TopicPartition, dict[str, bytes]] = {tp: {} for tp in assigned}
    written = dict.fromkeys(assigned, 0)
    empty_polls = 0
    while True:
        behind = [tp for tp in assigned if await reader.position(tp) < ends[tp]]
        if not behind:
            return {tp: Newest(newest[tp], written[tp]) for tp in assigned}
        batches = await reader.getmany(*behind, timeout_ms=POLL_MS)
        empty_polls = 0 if batches else empty_polls + 1
        if empty_polls > EMPTY_POLLS_MAX:
            raise StateError(
                f"{behind[0].topic}/{behind[0].partition} stops before its end offset: "
                "expected committed state up to there, look for a hanging transaction"
            )
        for tp, records in batches.items():
            for record in records:
                key = record.key.decode()
                if record.value is None:
                    newest[tp].pop(key, None)
                else:
                    newest[tp][key] = record.value
                if key == OFFSETS_KEY:
                    written[tp] = record.timestamp


def _restored(place: str, newest: Newest) -> Restored:
    states = newest.values
    raw = states.pop(OFFSETS_KEY, None)
    if raw is None:
        if states:
            raise StateError(
                f"{place} holds states without offsets: expected both from one "
                "transaction, recreate the topic to compute the states anew"
            )
        return Restored(states={}, offsets=Offsets(next={}))
    offsets = msgspec.json.decode(raw, type=Offsets)
    return Restored(states=states, offsets=offsets, written_ms=newest.written_ms)
