"""Fetched records in the order of things (DESIGN.md §5.10), up to the watermarks of all inputs.

Knows which records of each partition were taken, so that a successor reads again exactly what
was not. What says how far an input is out (TickersOut, matrix rows …) is read here and ends.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping

from chandler.core.events import Event, MatrixRow, Signal, Ticker
from chandler.core.trading.events import (
    Command,
    ExitRequested,
    ExitsOut,
    OrdersOut,
    PumpState,
    TickersOut,
)
from chandler.core.watermarks import (
    AHEAD_MS_MAX,
    CloseMarks,
    Held,
    Merge,
    ShardMarks,
    place_of,
    rank_of,
)
from chandler.streams.exact.fetched import Next, Offset, OrderKept, Positions, Taken

SAID = (TickersOut, OrdersOut, ExitsOut, MatrixRow)  # they say how far an input is out

PATIENCE_TIMES_MAX = 4  # of a shard's patience, in all


class Patience:
    """How long something is waited for: as long as it moves, but not for ever."""

    def __init__(self, silent_s: float) -> None:
        self._silent_s = silent_s
        self._begun = self._moved = -1.0
        self._seen = -1

    def waits(self, seen: int, now: float) -> bool:
        """Whether to wait on. `seen`: grows while it moves; `now`: seconds."""
        if self._begun < 0.0:
            self._begun = now
        if seen != self._seen:
            self._seen, self._moved = seen, now
        silent, whole = now - self._moved, now - self._begun
        return silent < self._silent_s and whole < PATIENCE_TIMES_MAX * self._silent_s


class Ordered:
    """In the order of things, up to the watermarks of the inputs that are waited for.

    `parts`: topic → partitions. `waited`: the topics among them that say how far they are out;
    signals do by the rows of matrix, which has to be among `parts`, too. `gated`: the symbol
    whose guard an event waits for, or "". `past`: gets what was taken before, and pumps' states.
    `start`: where reading begins, where that is before what was not taken. `ahead_ms_max`: what
    nobody waits for is taken at once where it is further ahead of the clock.
    """

    def __init__(
        self,
        parts: Mapping[str, Collection[int]],
        waited: Collection[str],
        kept: OrderKept | None = None,
        *,
        gated: Callable[[Event], str] = lambda _: "",
        past: Callable[[Event], None] = lambda _: None,
        start: Offset | None = None,
        ahead_ms_max: int = AHEAD_MS_MAX,
    ) -> None:
        self._ahead_ms_max = ahead_ms_max
        self._parts = {topic: tuple(partitions) for topic, partitions in parts.items()}
        self._waited = {topic: self._parts[topic] for topic in waited}
        self._gated = gated
        self._past = past
        self._newest: dict[str, int] = {}  # symbol → at of its newest ticker
        self.dropped = 0  # tickers that were not newer than their symbol's newest
        self.rows = 0  # of matrix that were read
        self._restore(kept or OrderKept(), start)

    def _restore(self, kept: OrderKept, start: Offset | None = None) -> None:
        ranks = {topic: rank_of(topic) for topic in self._waited}
        self._merge: Merge[Taken] = Merge(self._waited, ranks, kept.merged, self._ahead_ms_max)
        self._positions = Positions(self._parts, kept, start)
        self._faulty: deque[Taken] = deque()
        self._shards = {
            topic: {p: _copy(kept.shards.get(topic, {}).get(p)) for p in partitions}
            for topic, partitions in self._waited.items()
        }
        self._closes = {p: kept.closes.get(p, CloseMarks()) for p in self._parts.get("matrix", ())}
        for partition, closes in self._closes.items():
            self._merge.renote("signals", partition, closes.at)

    def feed(self, taken: Taken) -> None:
        """Takes in a fetched record. Undecodable ones have no place: they go first."""
        is_new = self._positions.is_new(taken)
        self._positions.fetched(taken.topic, taken.partition, taken.offset + 1)
        event = taken.event
        if event is None:
            if not self._positions.is_past(taken):
                self._positions.waits(taken)
                self._faulty.append(taken)
            return
        if isinstance(event, SAID):
            self._said(taken, event)
        elif isinstance(event, PumpState):
            self._past(event)
            self._merge.open(event.symbol, event.at)
        elif not (isinstance(event, Ticker) and self._is_known(event)):
            self._put(taken, event, is_new=is_new)

    def _is_known(self, ticker: Ticker) -> bool:
        if ticker.at <= self._newest.get(ticker.symbol, -1):
            self.dropped += 1
            return True
        self._newest[ticker.symbol] = ticker.at
        return False

    def _put(self, taken: Taken, event: Event, *, is_new: bool) -> None:
        place = place_of(taken.topic, event)
        key = (taken.topic, taken.partition, taken.offset)
        if is_new and isinstance(event, Signal) and taken.partition in self._closes:
            self._closes[taken.partition].signal(event, self._merge.clock)
            self._merge.renote("signals", taken.partition, self._closes[taken.partition].at)
        if not is_new and self._merge.was_taken(*key, place):
            self._past(event)
            return
        self._positions.waits(taken)
        self._merge.put(*key, place, taken, self._gated(event))

    def _said(self, taken: Taken, event: Event) -> None:
        topic, partition = taken.topic, taken.partition
        if isinstance(event, MatrixRow):
            self.rows += 1
            self._closes[partition].row(event, self._merge.clock)
            self._merge.renote("signals", partition, self._closes[partition].at)
        elif topic in self._waited and isinstance(event, TickersOut | OrdersOut):
            at = self._shards[topic][partition].note(event.shard, event.shards, event.at)
            self._merge.note(topic, partition, at)
        elif topic in self._waited and isinstance(event, ExitsOut):
            self._merge.note(topic, partition, event.at)

    def open(self, symbol: str, at: int) -> None:
        """A symbol's guard is known up to `at`."""
        self._merge.open(symbol, at)

    def take(self) -> Next | None:
        if self._faulty:
            return Next(self._faulty.popleft(), self._merge.clock, False)
        found = None if self._positions.is_behind else self._merge.take()
        if found is None:
            return None
        item, taken = found
        return Next(taken, item.place.at, item.late)

    def passed(self, taken: Taken) -> None:
        self._positions.passed(taken)

    def step_back(self) -> None:
        """The event that was taken last stays untaken; nothing can be taken any more."""
        self._merge.step_back()

    def close(self, held: Held) -> None:
        """Goes on without what is waited for, until it says something new."""
        closes = self._closes.get(held.partition) if held.topic == "signals" else None
        if closes is not None:
            closes.forget(self.next_at())
            self._merge.renote("signals", held.partition, closes.at)
        else:
            self._merge.close(held)

    def may_begin(self) -> bool:
        """Whether a fresh order has a place to begin at: tickers of all partitions are out."""
        return 0 <= self._merge.watermark("tickers") < 2**62

    def is_current(self) -> bool:
        """Whether every symbol that has tickers is evaluated, up to where the tickers are."""
        watermark = self._merge.watermark("tickers")
        closes = [each for each in self._closes.values() if each.closes]
        evaluated = {slot.partition("|")[0] for each in closes for slot in each.closes}
        return self._newest.keys() <= evaluated and all(each.at >= watermark for each in closes)

    def begin(self) -> int:
        """A fresh order starts where tickers have come to; its clock then."""
        self._merge.begin(self._merge.watermark("tickers"))
        for partition, closes in self._closes.items():
            closes.forget(self._merge.clock)
            self._merge.renote("signals", partition, closes.at)
        return self._merge.clock

    def held(self) -> list[Held]:
        return self._merge.held()

    def next_at(self) -> int:
        """Place of the event that waits; -1 if there is none."""
        return self._merge.next_at

    def is_holding(self, topic: str, partition: int) -> bool:
        """Whether the next event waits for what this partition says."""
        said = "signals" if topic == "matrix" else topic
        return self._merge.is_holding(said, partition)

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

    @property
    def clock(self) -> int:
        return self._merge.clock

    def advance(self) -> int:
        """Brings the clock to where everything was taken."""
        return self._merge.advance()

    def clear(self) -> None:
        """Forgets what was fetched and not taken: it is read again."""
        self._newest.clear()
        self._restore(self.kept())

    def kept(self) -> OrderKept:
        read, low = self._positions.kept()
        return OrderKept(
            read=read,
            low=low,
            merged=self._merge.kept(),
            shards=self._shards,
            closes=self._closes,
        )


def _copy(marks: ShardMarks | None) -> ShardMarks:
    return ShardMarks(dict(marks.said), marks.shards) if marks is not None else ShardMarks()


def needs_guard(event: Event) -> str:
    """The symbol whose guard decides about an event, "" if none does."""
    if isinstance(event, Signal):
        return event.symbol if event.side != "flat" else ""
    if isinstance(event, ExitRequested):
        return event.symbol if event.action == "add" else ""
    if isinstance(event, Command):
        return event.symbol if event.what == "force" else ""
    return ""
