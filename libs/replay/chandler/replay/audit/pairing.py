"""Pairs the records of a topic with what is recomputed, as both come, and compares their bytes.

Within a lane (a symbol, a position) both sides come in the order of time. Only what has no
counterpart yet is kept.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from chandler.core.events import Event
from chandler.replay.audit.verdict import (
    EVER,
    NOT_COMPARED,
    Bounds,
    Checked,
    Difference,
    Read,
    encode,
    fields,
)

RECENT = 8  # keys of a lane that are remembered, so that a repetition is known as one
TOO_OLD = "older than what is kept"


class Made(NamedTuple):
    """A recomputed event."""

    at: int
    event: Event
    made_from: str = ""  # place of the input that made it


class Excuse(NamedTuple):
    """Why a difference is none."""

    kind: str  # explained, not_compared
    cause: str


class Sides(NamedTuple):
    """A pair that differs, or of which one is missing."""

    lane: str
    recorded: Read | None
    made: Made | None


Explain = Callable[[Sides], Excuse | None]
Cause = Callable[[Sides], str]


def _nothing(_: Sides) -> Excuse | None:
    return None


def _unknown(_: Sides) -> str:
    return ""


class _Lane:
    """What is pending of one symbol, or position."""

    def __init__(self) -> None:
        self.recorded: dict[str, tuple[int, Read]] = {}
        self.made: dict[str, Made] = {}
        self.recent: deque[str] = deque(maxlen=RECENT)
        self.last_at = -1  # of the newest record
        self.begun = False  # something of it was recorded


class Pairing:
    """One topic, one partition.

    `owes`: everything that is recomputed has to be there, also what is older than a lane's first
    record. `equal` is told of each record that is right.
    """

    def __init__(
        self,
        topic: str,
        *,
        bounds: Bounds = EVER,
        floor_ms: int = 0,
        owes: bool = False,
        explain: Explain = _nothing,
        cause: Cause = _unknown,
        equal: Callable[[Read, Made], None] = lambda read, made: None,
    ) -> None:
        self.checked = Checked(topic=topic)
        self._bounds = bounds
        self._floor_ms = floor_ms
        self._owes = owes
        self._explain = explain
        self._cause = cause
        self._equal = equal
        self._lanes: dict[str, _Lane] = {}

    def recorded(self, lane: str, key: str, at: int, read: Read) -> None:
        """The lane's next record. `key`: the same on both sides, and once in a lane."""
        if not self._bounds.holds(at):
            return
        if at < self._floor_ms:
            self.checked.excused(NOT_COMPARED, TOO_OLD)
            return
        found = self._lanes.setdefault(lane, _Lane())
        if key in found.recent or key in found.recorded:
            sides = Sides(lane, read, found.made.get(key))
            self.checked.again(self._difference(sides, f"{read.place} is recorded again"))
            return
        found.last_at = max(at, found.last_at)
        found.recorded[key] = (at, read)
        if key in found.made:
            self._meet(lane, found, key)

    def recomputed(self, lane: str, key: str, made: Made) -> None:
        """The next event that is recomputed for the lane."""
        if not self._bounds.holds(made.at) or made.at < self._floor_ms:
            return
        found = self._lanes.setdefault(lane, _Lane())
        found.made[key] = made
        if key in found.recorded:
            self._meet(lane, found, key)

    def finish(self, due: Callable[[Made], bool] | None = None) -> Checked:
        """After both sides' ends. `due`: what must be there; without: what a lane's last covers."""
        for lane, found in self._lanes.items():
            made = [
                each
                for each in found.made.values()
                if (each.at <= found.last_at if due is None else due(each))
            ]
            if not found.begun and not found.recorded and not self._owes:
                made = []
            self._odd(lane, [read for _, read in found.recorded.values()], made)
            found.recorded.clear()
            found.made.clear()
        return self.checked

    def _meet(self, lane: str, found: _Lane, key: str) -> None:
        older = [found.recorded.pop(each)[1] for each in _before(found.recorded, key)]
        early = [found.made.pop(each) for each in _before(found.made, key)]
        (_, read), made = found.recorded.pop(key), found.made.pop(key)
        owed = self._owes or found.begun or bool(older)
        self._odd(lane, older, early if owed else [])
        found.begun = True
        found.recent.append(key)
        self._compare(Sides(lane, read, made), read, made)

    def _compare(self, sides: Sides, read: Read, made: Made) -> None:
        if is_same(read, made.event):
            self.checked.right(made.at, read.raw)
            self._equal(read, made)
            return
        self._fault(sides, fields(read.event, made.event))

    def _odd(self, lane: str, recorded: list[Read], made: list[Made]) -> None:
        """Those without a counterpart: side by side, as far as there are two."""
        for number in range(max(len(recorded), len(made))):
            read = recorded[number] if number < len(recorded) else None
            other = made[number] if number < len(made) else None
            sides = Sides(lane, read, other)
            if read is not None and other is not None:
                self._fault(sides, fields(read.event, other.event))
            elif read is not None:
                self._fault(sides, "recorded, and not recomputed")
            else:
                self._fault(sides, "recomputed, and not recorded")

    def _fault(self, sides: Sides, what: str) -> None:
        excuse = self._explain(sides)
        if excuse is not None:
            self.checked.excused(*excuse)
        elif sides.recorded is None:
            self.checked.absent(self._difference(sides, what))
        else:
            self.checked.wrong(self._difference(sides, what))

    def _difference(self, sides: Sides, what: str) -> Difference:
        event = sides.recorded.event if sides.recorded else sides.made and sides.made.event
        at = getattr(event, "at", -1)
        return Difference(
            topic=self.checked.topic,
            at=min(at, sides.made.at) if sides.made else at,
            symbol=str(getattr(event, "symbol", sides.lane)),
            what=what,
            recorded=sides.recorded.raw.decode(errors="replace") if sides.recorded else "",
            recomputed=encode(sides.made.event).decode() if sides.made else "",
            cause=self._cause(sides),
        )


def is_same(read: Read, made: Event) -> bool:
    """Whether a record is what is recomputed, byte for byte; but for the code where that differs.

    Other code may have written fewer fields: then the decoded record counts.
    """
    if encode(made) == read.raw:
        return True
    code = getattr(read.event, "code", None)
    if code is None or type(read.event) is not type(made) or code == getattr(made, "code", None):
        return False
    return encode(msgspec.structs.replace(made, code=code)) == encode(read.event)


def _before(pending: Iterable[str], key: str) -> list[str]:
    return list(itertools.takewhile(lambda each: each != key, pending))


class Following:
    """Records of a topic, taken up to a time."""

    def __init__(self, records: Iterator[Read]) -> None:
        self._records = records
        self._head = next(records, None)

    @property
    def head(self) -> Read | None:
        return self._head

    def until(self, at: int) -> Iterator[Read]:
        """Those whose time has come: up to the first that is of after `at`."""
        while self._head is not None and at_of(self._head.event) <= at:
            yield self.next()

    def next(self) -> Read:
        """The next record; there has to be a head."""
        read = self._head
        assert read is not None, "nothing is left"
        self._head = next(self._records, None)
        return read


def at_of(event: Event) -> int:
    """The event's time; -1 for one that has none."""
    found: int = getattr(event, "at", -1)
    return found


def of_places(sides: Sides) -> str:
    """From which inputs both sides were made."""
    read, made = sides.recorded, sides.made
    was = f"the recorded one was made from {read.made_from}" if read and read.made_from else ""
    now = f"the recomputed one from {made.made_from}" if made else ""
    return ", ".join(filter(None, (was, now)))
