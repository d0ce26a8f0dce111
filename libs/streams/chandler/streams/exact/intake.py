"""In which order a lane takes its records: by event time, by watermarks, or as they arrive.

A strategy is named in `run_stage(..., intake=...)`; it makes one intake for each partition.
"""

from collections import deque
from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

import msgspec

from chandler.core.granularity import utc
from chandler.streams.exact.arrived import Arrived
from chandler.streams.exact.fetched import Taken
from chandler.streams.exact.order import Ordered
from chandler.streams.exact.restore import Offsets

BUFFER_MAX = 4_000  # records of one input partition that wait in memory


class Intake(Protocol):
    """The records of one partition between fetch and fold."""

    def feed(self, taken: Taken) -> None: ...

    def take(self) -> Taken | None:
        """The next record; None while there is none that may be taken."""

    def passed(self, taken: Taken) -> None:
        """The record was folded: the offsets may say so."""

    def step_back(self) -> None:
        """The record that was taken last stays untaken; nothing is taken here any more."""

    def next_offset(self, topic: str) -> int:
        """From where a successor has to read; -1 where nothing was ever taken."""

    def buffered(self, topic: str) -> int: ...

    def full(self, topic: str) -> bool:
        """Whether an input is to be paused: it runs ahead, or fills the memory."""

    def waits(self) -> dict[str, str]:
        """What is held back, by topic, and why, for people."""

    def clear(self) -> None:
        """Forgets what was fetched and not taken."""

    def clock(self) -> int:
        """Everything up to it was taken, ms."""

    def offsets(self, kept: Offsets) -> Offsets:
        """What a successor needs, beside what `kept` says."""


class Strategy(Protocol):
    """What `run_stage` is told: the inputs, and an intake for each partition."""

    @property
    def topics(self) -> tuple[str, ...]: ...

    @property
    def idle_s_max(self) -> float:
        """Wall time for which offsets alone may wait: what was taken then changed nothing.

        It is read again after a restart, and must change nothing then either.
        """

    def lane(self, partition: int, offsets: Offsets) -> Intake: ...


class EventTime(NamedTuple):
    """By event time; no input runs further ahead of the others than `ahead_max_ms`."""

    reach_ms: Mapping[str, int]
    ahead_max_ms: int
    idle_s_max: float = 0.0

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self.reach_ms)

    def lane(self, partition: int, offsets: Offsets) -> Intake:
        return _EventTime(self.reach_ms, self.ahead_max_ms, offsets)


class Watermarks:
    """In the order of things (DESIGN.md §5.10): at, rank, symbol, id, up to the watermarks.

    Each of `inputs` (catalogue names) says in its own partitions how far it is out: tickers by
    TickersOut, orders by OrdersOut, exits by ExitsOut. These are not folded. Waits as long as it
    takes. A ticker that is not newer than its symbol's newest can still come, after a restart.
    """

    idle_s_max = 0.0

    def __init__(self, inputs: Collection[str]) -> None:
        self.topics = tuple(sorted(inputs))

    def lane(self, partition: int, offsets: Offsets) -> Intake:
        ordered = Ordered(dict.fromkeys(self.topics, (partition,)), self.topics, offsets.order)
        return _ByOrder(ordered, partition)


class Arrival:
    """As records arrive. Between two topics no order holds."""

    idle_s_max = 0.0

    def __init__(self, inputs: Collection[str]) -> None:
        self.topics = tuple(sorted(inputs))

    def lane(self, partition: int, offsets: Offsets) -> Intake:
        arrived = Arrived(dict.fromkeys(self.topics, (partition,)), offsets.order)
        return _ByOrder(arrived, partition)


class _EventTime:
    """The earliest event time first, the longest granularity first among equals."""

    def __init__(self, reach_ms: Mapping[str, int], ahead_max_ms: int, offsets: Offsets) -> None:
        self._reach_ms = reach_ms
        self._ahead_max_ms = ahead_max_ms
        self._next = {topic: offsets.next.get(topic, -1) for topic in reach_ms}
        self._first_at = offsets.first_at
        self._last_at = dict(offsets.last_at)
        self._buffers: dict[str, deque[Taken]] = {topic: deque() for topic in reach_ms}

    def feed(self, taken: Taken) -> None:
        buffer = self._buffers[taken.topic]
        if taken.event is None:
            before = buffer[-1].at if buffer else self._last_at.get(taken.topic, 0)
            taken = taken._replace(at=before)
        buffer.append(taken)

    def take(self) -> Taken | None:
        heads = [
            (buffer[0].at, -self._reach_ms[topic], topic)
            for topic, buffer in self._buffers.items()
            if buffer
        ]
        for _, _, topic in sorted(heads):
            buffer = self._buffers[topic]
            if self._may(buffer[0]):
                return buffer.popleft()
        return None

    def passed(self, taken: Taken) -> None:
        self._next[taken.topic] = taken.offset + 1
        # A late symbol's old record takes nothing back from the others of its partition.
        self._last_at[taken.topic] = max(taken.at, self._last_at.get(taken.topic, taken.at))
        if self._first_at < 0:
            self._first_at = taken.at

    def step_back(self) -> None:
        pass  # what was not passed is in no offset

    def next_offset(self, topic: str) -> int:
        return self._next[topic]

    def buffered(self, topic: str) -> int:
        return len(self._buffers[topic])

    def full(self, topic: str) -> bool:
        buffer = self._buffers[topic]
        return len(buffer) > BUFFER_MAX or bool(buffer and not self._may(buffer[0]))

    def waits(self) -> dict[str, str]:
        said = {}
        for topic, buffer in self._buffers.items():
            if not buffer or self._may(buffer[0]):
                continue
            head = buffer[0]
            others = ", ".join(
                f"{other} at {utc(self._seen(other))}" for other in self._buffers if other != topic
            )
            said[topic] = (
                f"offset {head.offset} is of {utc(head.at)} and waits for {others}: see what keeps "
                "them, or who wrote a record of that time"
            )
        return said

    def clear(self) -> None:
        for buffer in self._buffers.values():
            buffer.clear()

    def clock(self) -> int:
        return max(self._last_at.values(), default=-1)

    def offsets(self, kept: Offsets) -> Offsets:
        return msgspec.structs.replace(
            kept,
            next={topic: offset for topic, offset in self._next.items() if offset >= 0},
            first_at=self._first_at,
            last_at=self._last_at,
        )

    def _seen(self, topic: str) -> int:
        """Event time that an input has come to."""
        heads = self._buffers[topic]
        taken = self._last_at.get(topic, self._first_at)
        return max(taken, heads[0].at) if heads else taken

    def _may(self, taken: Taken) -> bool:
        if self._first_at < 0:
            return True
        for topic, reach in self._reach_ms.items():
            if topic == taken.topic:
                continue
            if taken.at > self._seen(topic) + reach + self._ahead_max_ms:
                return False
        return True


class _ByOrder:
    """One partition of an order that could hold many."""

    def __init__(self, order: Ordered | Arrived, partition: int) -> None:
        self._order = order
        self._partition = partition

    def feed(self, taken: Taken) -> None:
        self._order.feed(taken)

    def take(self) -> Taken | None:
        found = self._order.take()
        return None if found is None else found.taken

    def passed(self, taken: Taken) -> None:
        self._order.passed(taken)

    def step_back(self) -> None:
        self._order.step_back()

    def next_offset(self, topic: str) -> int:
        return self._order.low(topic, self._partition)

    def buffered(self, topic: str) -> int:
        return self._order.buffered(topic, self._partition)

    def full(self, topic: str) -> bool:
        needed = self._order.is_behind or self._order.is_holding(topic, self._partition)
        return self.buffered(topic) > BUFFER_MAX and not needed

    def waits(self) -> dict[str, str]:
        if self._order.is_behind:
            said = "reads again what was read before the restart"
            return dict.fromkeys(self._order.topics, said)
        at = utc(self._order.next_at())
        return {
            held.topic: f"has come to {utc(held.mark) if held.mark > 0 else 'nothing'} and what "
            f"is of {at} waits for it: see what keeps it"
            for held in self._order.held()
        }

    def clear(self) -> None:
        self._order.clear()

    def clock(self) -> int:
        return self._order.advance()

    def offsets(self, kept: Offsets) -> Offsets:
        order = self._order.kept()
        return msgspec.structs.replace(
            kept,
            next={
                topic: parts[self._partition]
                for topic, parts in order.low.items()
                if parts.get(self._partition, -1) >= 0
            },
            order=order,
        )
