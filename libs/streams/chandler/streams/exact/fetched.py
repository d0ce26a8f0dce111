"""Fetched records on their way into a fold, and which of them were taken, by partition."""

import heapq
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from chandler.core.events import DeadLetter, Event, event_at
from chandler.core.watermarks import CloseMarks, Merged, ShardMarks
from chandler.streams.codec import UndecodableError, decode

RAW_BYTES_MAX = 4_096  # of a dead letter
BEGAN = "began"  # a header: when the first record that led to this one was written, ms

Offset = dict[str, dict[int, int]]  # topic → partition → offset


class OrderKept(msgspec.Struct, frozen=True, kw_only=True):
    """What a successor needs of an order."""

    read: Offset = {}  # next offset that was not fetched
    low: Offset = {}  # the first that was not taken; equal to `read` where all was
    merged: Merged = Merged()
    shards: dict[str, dict[int, ShardMarks]] = {}
    closes: dict[int, CloseMarks] = {}  # partition of matrix →
    clock: int = -1  # of an order by arrival
    gone: dict[str, dict[int, list[int]]] = {}  # taken ahead of what is read again


class Taken(NamedTuple):
    """A fetched record, decoded; `event` is None where it couldn't be."""

    topic: str  # catalogue name
    partition: int
    offset: int
    timestamp_ms: int
    event: Event | None
    at: int  # event time; -1 for an undecodable record
    fault: str
    raw: bytes
    began_ms: int = -1  # when the record was written, or the first one that led to it


def decoded(topic: str, record: Any) -> Taken:
    """A Kafka record of a topic (its catalogue name). NewerSchemaError goes through."""
    event: Event | None = None
    at, fault = -1, ""
    try:
        event = decode(topic, record.value)
        at = event_at(event)
    except UndecodableError as error:
        fault = str(error)
    began = next((value for name, value in record.headers if name == BEGAN), b"")
    return Taken(
        topic,
        record.partition,
        record.offset,
        record.timestamp,
        event,
        at,
        fault,
        record.value or b"",
        int(began) if began.isdigit() else record.timestamp,
    )


def letter(taken: Taken, source: str) -> DeadLetter:
    """What is said of a record that couldn't be decoded. `source`: a service or stage."""
    return DeadLetter(
        source=source,
        cause="undecodable",
        detail=taken.fault,
        topic=taken.topic,
        partition=taken.partition,
        offset=taken.offset,
        raw=taken.raw[:RAW_BYTES_MAX].decode("utf-8", "backslashreplace"),
    )


class Next(NamedTuple):
    """A record whose turn it is."""

    taken: Taken
    at: int  # place in the order of things
    late: bool


class Ahead:
    """Where records were read whose time may lie ahead of the clock, by partition."""

    def __init__(self) -> None:
        self._places: dict[int, list[tuple[int, int]]] = {}  # partition → (offset, at)

    def note(self, taken: Taken) -> None:
        """It was fetched."""
        self._places.setdefault(taken.partition, []).append((taken.offset, taken.at))

    def first(self, partition: int, clock: int, low: int) -> int:
        """The first offset of those after `clock`; `low` where there are none."""
        left = [each for each in self._places.get(partition, ()) if each[1] > clock]
        self._places[partition] = left
        return min((offset for offset, _ in left), default=low)


class Positions:
    """What was fetched and what was taken, by partition."""

    def __init__(
        self,
        parts: Mapping[str, Collection[int]],
        kept: OrderKept,
        start: Offset | None = None,
    ) -> None:
        """`start`: where reading begins, for topics that are read again from before `kept.low`."""
        every = [(topic, p) for topic, partitions in parts.items() for p in partitions]
        # Up to where the predecessor had read, and from where it is read again.
        self._known = {(topic, p): kept.read.get(topic, {}).get(p, -1) for topic, p in every}
        self._again = {(topic, p): kept.low.get(topic, {}).get(p, -1) for topic, p in every}
        # Taken ahead of what is read again.
        self._done = {(topic, p): set(kept.gone.get(topic, {}).get(p, ())) for topic, p in every}
        start = start or {}
        self._next = {  # to fetch
            (topic, p): start.get(topic, {}).get(p, self._again[topic, p]) for topic, p in every
        }
        self._waiting: dict[tuple[str, int], list[int]] = {part: [] for part in every}
        self._gone: dict[tuple[str, int], set[int]] = {part: set() for part in every}
        self._until = dict(self._known)
        self._behind = {part for part in every if self._next[part] < self._until[part]}

    @property
    def is_behind(self) -> bool:
        """Whether records are not yet fetched whose turn was before all others, or is expected."""
        return bool(self._behind)

    def is_new(self, taken: Taken) -> bool:
        """Whether the record was never fetched before the state was written."""
        return taken.offset >= self._known[taken.topic, taken.partition]

    def is_past(self, taken: Taken) -> bool:
        """Whether the record was surely taken before the state was written."""
        part = (taken.topic, taken.partition)
        return taken.offset < self._again[part] or taken.offset in self._done[part]

    def fetched(self, topic: str, partition: int, following: int) -> None:
        """All before the offset `following` was fetched."""
        part = (topic, partition)
        self._next[part] = max(self._next[part], following)
        if self._next[part] >= self._until[part]:
            self._behind.discard(part)

    def expects(self, topic: str, partition: int, end: int) -> None:
        """What lies before `end` is read before anything is taken."""
        part = (topic, partition)
        self._until[part] = max(self._until[part], end)
        if self._next[part] < self._until[part]:
            self._behind.add(part)

    def waits(self, taken: Taken) -> None:
        heapq.heappush(self._waiting[taken.topic, taken.partition], taken.offset)

    def passed(self, taken: Taken) -> None:
        part = (taken.topic, taken.partition)
        waiting, gone = self._waiting[part], self._gone[part]
        gone.add(taken.offset)
        while waiting and waiting[0] in gone:
            gone.discard(heapq.heappop(waiting))

    def count(self, topic: str, partition: int) -> int:
        part = (topic, partition)
        return len(self._waiting[part]) - len(self._gone[part])

    def low(self, topic: str, partition: int) -> int:
        """The first offset that was not taken; -1 if nothing was ever fetched."""
        waiting = self._waiting[topic, partition]
        return (
            min(waiting[0], self._next[topic, partition])
            if waiting
            else (self._next[topic, partition])
        )

    def read(self, topic: str, partition: int) -> int:
        """The first offset that was never fetched."""
        return max(self._known[topic, partition], self._next[topic, partition])

    def gone(self) -> dict[str, dict[int, list[int]]]:
        """What was taken ahead of an earlier record that still waits."""
        found: dict[str, dict[int, list[int]]] = {}
        for (topic, partition), done in self._done.items():
            low = self.low(topic, partition)
            ahead = sorted(each for each in done | self._gone[topic, partition] if each >= low)
            if ahead:
                found.setdefault(topic, {})[partition] = ahead
        return found

    def kept(self) -> tuple[Offset, Offset]:
        """(read, low) of what was ever fetched."""
        read: Offset = {}
        low: Offset = {}
        for topic, partition in self._next:
            if self.read(topic, partition) >= 0:
                read.setdefault(topic, {})[partition] = self.read(topic, partition)
                low.setdefault(topic, {})[partition] = self.low(topic, partition)
        return read, low
