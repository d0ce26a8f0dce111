"""Fetched records in the order in which they arrived, and what came by no topic at all.

The venue's inputs go first: what lies in the topics may have waited for long, after a restart. What
nobody heeds goes last: at a close hundreds of signals come at once, and few are for this shard.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import cast

import msgspec

from chandler.core.events import Event, Ticker
from chandler.core.trading.events import PumpState
from chandler.core.watermarks import Held
from chandler.streams.exact.fetched import Next, Offset, OrderKept, Positions, Taken
from chandler.streams.exact.order import SAID

UNTIMED = ("commands", "signals.external", "")  # other people's clocks move no clock of ours


class Arrived:
    """As records arrive. Nothing is waited for, nothing is late."""

    def __init__(
        self,
        parts: Mapping[str, Collection[int]],
        kept: OrderKept | None = None,
        *,
        past: Callable[[Event], None] = lambda _: None,
        start: Offset | None = None,
        heeds: Callable[[Event], bool] = lambda _: True,
    ) -> None:
        self._heeds = heeds
        self._parts = parts
        self._past = past
        self._queue: deque[Taken] = deque()
        self._unheeded: deque[Taken] = deque()  # taken when nothing else waits
        self._local: deque[Taken] = deque()
        self._newest: dict[str, int] = {}
        self.dropped = 0
        kept = kept or OrderKept()
        self.clock = kept.clock
        self._positions = Positions(parts, kept, start)

    def feed(self, taken: Taken) -> None:
        old = self._positions.is_past(taken)
        self._positions.fetched(taken.topic, taken.partition, taken.offset + 1)
        event = taken.event
        if isinstance(event, SAID):
            return
        if isinstance(event, PumpState):
            self._past(event)
            self.clock = max(self.clock, event.at)
            return
        if isinstance(event, Ticker):
            if event.at <= self._newest.get(event.symbol, -1):
                self.dropped += 1
                return
            self._newest[event.symbol] = event.at
        if old:
            if event is not None:
                self._past(event)
            return
        self._positions.waits(taken)
        heeded = event is None or self._heeds(event)
        (self._queue if heeded else self._unheeded).append(taken)

    def local(self, event: msgspec.Struct) -> None:
        """An input that comes by no topic: the venue's."""
        self._local.append(Taken("", -1, -1, 0, cast(Event, event), -1, "", b""))

    def take(self) -> Next | None:
        return self._take(self._local or self._queue or self._unheeded)

    def take_local(self) -> Next | None:
        """The next input that came by no topic."""
        return self._take(self._local)

    def _take(self, waiting: deque[Taken]) -> Next | None:
        if not waiting:
            return None
        taken = waiting.popleft()
        if taken.topic not in UNTIMED:
            self.clock = max(self.clock, taken.at)
        return Next(taken, self.clock, False)

    def passed(self, taken: Taken) -> None:
        if taken.topic:
            self._positions.passed(taken)

    def step_back(self) -> None:
        pass  # what was not passed is read again

    def held(self) -> list[Held]:
        return []

    def next_at(self) -> int:
        return -1

    def is_holding(self, topic: str, partition: int) -> bool:
        return False

    def is_new(self, taken: Taken) -> bool:
        return self._positions.is_new(taken)

    def reached(self, topic: str, partition: int, following: int) -> None:
        """The reader stands at `following`: what is missing before it is no more in the topic."""
        self._positions.fetched(topic, partition, following)

    def expects(self, topic: str, partition: int, end: int) -> None:
        """Nothing is taken before all of a partition up to `end` is fetched."""
        self._positions.expects(topic, partition, end)

    @property
    def is_behind(self) -> bool:
        """Whether a predecessor had read further than was fetched again, or more is expected."""
        return self._positions.is_behind

    def buffered(self, topic: str, partition: int) -> int:
        return self._positions.count(topic, partition)

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(self._parts)

    def low(self, topic: str, partition: int) -> int:
        return self._positions.low(topic, partition)

    def read(self, topic: str, partition: int) -> int:
        return self._positions.read(topic, partition)

    def advance(self) -> int:
        return self.clock

    def clear(self) -> None:
        self._queue.clear()
        self._unheeded.clear()
        self._local.clear()
        self._newest.clear()
        self._positions = Positions(self._parts, self.kept())

    def kept(self) -> OrderKept:
        read, low = self._positions.kept()
        return OrderKept(read=read, low=low, clock=self.clock, gone=self._positions.gone())
