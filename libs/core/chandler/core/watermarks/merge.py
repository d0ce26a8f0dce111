"""The merge: events of many inputs, one after the other in the order of things.

The smallest place goes first (those of one place as they stand in their topic), as soon as every
other input has said that nothing smaller is to come. Who is waited for, and for how long, is the
caller's affair: this knows no clock but events'.
Nothing is dropped: what comes after its place has passed gets the next place, marked late.
"""

import heapq
from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from chandler.core.watermarks.marks import NOBODY, UNKNOWN
from chandler.core.watermarks.places import START, Place

T = TypeVar("T")

Key = tuple[str, int, int]  # topic, partition, offset

LAST_KEY: Key = ("\uffff", 2**62, 2**62)  # behind any other
AHEAD_MS_MAX = 3_600_000  # an event further ahead of the clock is not waited for: clocks go wrong


class Item(NamedTuple):
    """An event in the merge, by where it stands in its topic."""

    place: Place
    topic: str
    partition: int
    offset: int
    late: bool = False  # its own place had passed


class Held(NamedTuple):
    """Who keeps the next event waiting."""

    topic: str
    partition: int  # -1: a gate
    gate: str  # the symbol whose guard is waited for; "" for an input
    mark: int  # what it has come to


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be kept of a merge; events that were not taken are put again."""

    marks: dict[str, dict[int, int]] = {}  # topic → partition → watermark
    excused: list[tuple[str, int]] = []  # no longer waited for until they say something new
    clock: int = UNKNOWN  # everything up to it was taken, and that was said
    last: tuple[int, int, float, str, str] = START  # place of the last event that was taken
    # Where that one stands: others of its place may come after it. None: not known, none does.
    last_key: tuple[str, int, int] | None = None
    moved: dict[str, dict[int, dict[int, int]]] = {}  # late, not taken: offset → at


class Merge(Generic[T]):
    """Events by place, watermarks by input and partition.

    `waited`: topic → partitions that are waited for. Others' events take their place on arrival.
    `ranks`: of the events of each topic that is waited for.
    """

    def __init__(
        self,
        waited: Mapping[str, Iterable[int]],
        ranks: Mapping[str, int],
        kept: Merged | None = None,
        ahead_ms_max: int = AHEAD_MS_MAX,
    ) -> None:
        kept = kept or Merged()
        self._ranks = {topic: ranks[topic] for topic in waited}
        self._marks = {
            topic: {p: kept.marks.get(topic, {}).get(p, UNKNOWN) for p in partitions}
            for topic, partitions in waited.items()
        }
        self._excused = {
            (topic, partition)
            for topic, partition in kept.excused
            if partition in self._marks.get(topic, {})
        }
        self._floors: dict[str, int] = {}
        self._gates: dict[str, int] = {}
        self._silent: set[str] = set()  # gates that are not waited for until they have caught up
        self._unheard = False  # whether those that never opened are not waited for either
        self._clock = kept.clock
        self._last = Place(*kept.last)
        self._last_key = kept.last_key or (LAST_KEY if kept.last != START else ("", -1, -1))
        self._kept_moved = kept.moved
        self._moved: dict[tuple[str, int, int], int] = {}  # late and waiting: its new at
        self._heap: list[tuple[Place, str, int, int, T, str]] = []
        self._ahead_ms_max = ahead_ms_max
        self._undo: tuple[Place, Key, Key, int | None] = (
            self._last,
            self._last_key,
            ("", -1, -1),
            None,
        )

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def last(self) -> Place:
        """Place of the last event that was taken."""
        return self._last

    def was_taken(self, topic: str, partition: int, offset: int, place: Place) -> bool:
        """Whether a record that was read before the merge was kept had been taken by then."""
        if offset in self._kept_moved.get(topic, {}).get(partition, {}):
            return False
        return (place, (topic, partition, offset)) <= (self._last, self._last_key)

    def put(
        self, topic: str, partition: int, offset: int, place: Place, event: T, gate: str = ""
    ) -> None:
        """Adds an event. `gate`: it is taken when that gate, too, has come to its time."""
        moved = self._kept_moved.get(topic, {}).get(partition, {}).get(offset)
        if moved is None and topic not in self._marks and self._astray(place):
            moved = max(self._clock, self._last.at) + 1
        if moved is not None:
            self._moved[topic, partition, offset] = moved
            place = place._replace(at=moved)
        heapq.heappush(self._heap, (place, topic, partition, offset, event, gate))

    def _astray(self, place: Place) -> bool:
        return self._clock != UNKNOWN and place.at > self._clock + self._ahead_ms_max

    def note(self, topic: str, partition: int, at: int) -> None:
        """All events of an input's partition up to `at` are out."""
        marks = self._marks[topic]
        if at <= marks[partition]:
            return
        marks[partition] = at
        self._excused.discard((topic, partition))
        self._floors.pop(topic, None)

    def renote(self, topic: str, partition: int, at: int) -> None:
        """Like note, where a watermark may go back: somebody new is waited for."""
        if at != self._marks[topic][partition]:
            self._marks[topic][partition] = at
            self._excused.discard((topic, partition))
            self._floors.pop(topic, None)

    def open(self, gate: str, at: int) -> None:
        """A gate has come to `at`."""
        if at >= self._clock:
            self._silent.discard(gate)
        self._gates[gate] = max(at, self._gates.get(gate, UNKNOWN))

    def close(self, held: Held) -> None:
        """Goes on without an input until it says something new; without all gates that lag."""
        if held.gate:
            at = self.next_at
            self._silent.update(gate for gate, mark in self._gates.items() if mark < at)
            self._unheard = self._unheard or held.gate not in self._gates
            return
        self._excused.add((held.topic, held.partition))
        self._floors.pop(held.topic, None)

    def begin(self, at: int) -> None:
        """A fresh merge starts here: what lies before is late."""
        self._clock = max(self._clock, at)
        waiting, self._heap = self._heap, []
        for place, topic, partition, offset, event, gate in waiting:
            self.put(topic, partition, offset, place, event, gate)

    def take(self) -> tuple[Item, T] | None:
        """The next event in the order of things; None while somebody has to be waited for."""
        while self._heap:
            place, topic, partition, offset, event, gate = self._heap[0]
            key = (topic, partition, offset)
            if (place, key) <= (self._last, self._last_key) or place.at <= self._clock:
                at = max(self._clock, self._last.at) + 1
                self._moved[key] = at
                new = (place._replace(at=at), topic, partition, offset, event, gate)
                heapq.heapreplace(self._heap, new)
                continue
            if not self._free(place, gate):
                return None
            heapq.heappop(self._heap)
            moved = self._moved.pop(key, None)
            self._undo = (self._last, self._last_key, key, moved)
            self._last, self._last_key = place, key
            return Item(place, topic, partition, offset, moved is not None), event
        return None

    def step_back(self) -> None:
        """As if the last event had not been taken, for what is kept; a merge that ends here."""
        self._last, self._last_key, key, moved = self._undo
        if moved is not None:
            self._moved[key] = moved

    def _free(self, place: Place, gate: str) -> bool:
        if not self._is_open(gate, place.at):
            return False
        return all(
            self._floor(topic) >= _needed(place, rank) for topic, rank in self._ranks.items()
        )

    def _is_open(self, gate: str, at: int) -> bool:
        if not gate or gate in self._silent:
            return True
        return self._unheard if gate not in self._gates else self._gates[gate] >= at

    def _floor(self, topic: str) -> int:
        floor = self._floors.get(topic)
        if floor is None:
            floor = min(
                (
                    mark
                    for partition, mark in self._marks[topic].items()
                    if (topic, partition) not in self._excused
                ),
                default=NOBODY,
            )
            self._floors[topic] = floor
        return floor

    def held(self) -> list[Held]:
        """Who keeps the next event waiting; nobody if there is none."""
        if not self._heap:
            return []
        place, *_, gate = self._heap[0]
        found = [
            Held(topic, partition, "", mark)
            for topic, rank in self._ranks.items()
            for partition, mark in self._marks[topic].items()
            if mark < _needed(place, rank) and (topic, partition) not in self._excused
        ]
        if not self._is_open(gate, place.at):
            found.append(Held("pumps", -1, gate, self._gates.get(gate, UNKNOWN)))
        return found

    def is_holding(self, topic: str, partition: int) -> bool:
        """Whether the next event waits for this partition: it has to be read on."""
        if not self._heap or topic not in self._ranks:
            return False
        return self._marks[topic][partition] < _needed(self._heap[0][0], self._ranks[topic])

    @property
    def next_at(self) -> int:
        """Place of the event that waits; UNKNOWN if there is none."""
        return self._heap[0][0].at if self._heap else UNKNOWN

    @property
    def clock(self) -> int:
        """Everything up to it was taken; what comes later is late. It never goes back."""
        return self._clock

    def advance(self) -> int:
        """Brings the clock to where everything was taken, after take() gave None."""
        floor = min((self._floor(topic) for topic in self._ranks), default=NOBODY)
        if floor >= NOBODY:
            floor = self._last.at
        if self._heap:
            floor = min(floor, self._heap[0][0].at - 1)
        self._clock = max(self._clock, floor)
        return self._clock

    def watermark(self, topic: str) -> int:
        """Up to where all of a topic is out; NOBODY where nobody is waited for."""
        return self._floor(topic)

    def kept(self) -> Merged:
        """What a successor needs; events that were not taken have to be put again."""
        moved: dict[str, dict[int, dict[int, int]]] = {}
        for (topic, partition, offset), at in self._moved.items():
            moved.setdefault(topic, {}).setdefault(partition, {})[offset] = at
        return Merged(
            marks={topic: dict(marks) for topic, marks in self._marks.items()},
            excused=sorted(self._excused),
            clock=self._clock,
            last=(*self._last,),
            last_key=self._last_key,
            moved=moved,
        )


def _needed(place: Place, rank: int) -> int:
    """What an input of `rank` must have come to before `place` is taken."""
    return place.at if rank <= place.rank else place.at - 1
