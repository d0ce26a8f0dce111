"""Partitions as they are replayed: each in its own order, all together in event time.

Knows nothing of Kafka's clients. A lane holds what was fetched and is not out yet.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from chandler.streams.catalogue import topic as catalogued
from chandler.streams.replaying.plan import OPEN, Plan, event_time, order_of


class Ready(NamedTuple):
    """A record on its way: bytes, key and headers as they were."""

    due_ms: int  # event time at which it goes out
    topic: str  # catalogue name
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    at: int  # its event time; what can't be told has that of the record before it


class Lane:
    """One partition of one topic.

    A record that is older than one before it goes out with that one: the order within a partition
    stays. What can't be decoded goes where it stood. `words`: with the records that tell how far
    an input is out; their keys have an @ in front.
    """

    def __init__(
        self, plan: Plan, topic: str, partition: int, start: int = 0, *, words: bool = True
    ) -> None:
        self.topic, self.partition = topic, partition
        self._words = words
        self.rank = order_of(topic)
        self.next_offset = start  # behind what is out
        self.finished = False  # nothing more is to be fetched
        self._low_ms, self._to_ms = plan.low_ms(topic), plan.to_ms
        keyed = catalogued(topic).key == "symbol"
        self._symbols = {each.encode() for each in plan.symbols} if keyed else set()
        self._waiting: deque[Ready] = deque()
        self._known_ms = -1  # event time of the newest record that told its own
        self._due_ms = -1

    def __len__(self) -> int:
        return len(self._waiting)

    def feed(self, records: Iterable[Any]) -> None:
        """Takes fetched records in the order of their offsets; those of the period stay."""
        for record in records:
            said = event_time(record.value)
            at = said if said >= 0 else self._known_ms
            self._known_ms = max(self._known_ms, said)
            if at < 0:
                at = self._low_ms  # nothing before it told a time
            if self._low_ms <= at < self._to_ms and self._is_wanted(record.key):
                self._due_ms = max(self._due_ms, at)
                self._waiting.append(
                    Ready(
                        self._due_ms,
                        self.topic,
                        self.partition,
                        record.offset,
                        record.key,
                        record.value,
                        record.headers,
                        at,
                    )
                )

    def _is_wanted(self, key: bytes | None) -> bool:
        if key is not None and key[:1] == b"@":
            return self._words
        return not self._symbols or key is None or key in self._symbols

    @property
    def due_ms(self) -> int:
        """When its next record is due; OPEN where it has none."""
        return self._waiting[0].due_ms if self._waiting else OPEN

    def pop(self) -> Ready:
        """The next record: it is out now."""
        ready = self._waiting.popleft()
        self.next_offset = ready.offset + 1
        return ready


class Merged:
    """All lanes together: what is due first, goes first."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self.lanes = lanes

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left."""
        return all(lane.finished and not len(lane) for lane in self.lanes)

    def lacking(self) -> list[Lane]:
        """Lanes without a record, of which one may still come: until then nothing may go."""
        return [lane for lane in self.lanes if not lane.finished and not len(lane)]

    @property
    def next_ms(self) -> int:
        """When the next record is due; OPEN where there is none."""
        return min((lane.due_ms for lane in self.lanes), default=OPEN)

    def take(self, until_ms: int, most: int) -> list[Ready]:
        """What is due up to `until_ms`, in order; ends early where a lane has to be fed first."""
        heap = [(lane.due_ms, lane.rank, n) for n, lane in enumerate(self.lanes) if len(lane)]
        heapq.heapify(heap)
        taken: list[Ready] = []
        if self.lacking():
            return taken
        while heap and heap[0][0] <= until_ms and len(taken) < most:
            lane = self.lanes[heap[0][2]]
            taken.append(lane.pop())
            if len(lane):
                heapq.heapreplace(heap, (lane.due_ms, lane.rank, heap[0][2]))
            elif lane.finished:
                heapq.heappop(heap)
            else:
                break
        return taken


Progress = Callable[[int], None]  # event time that reading or publishing has come to, ms
