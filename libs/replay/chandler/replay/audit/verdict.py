"""What came of comparing a topic's records with what is recomputed: counts, causes, digests.

Everything adds up, whatever the order: partitions are compared each by itself and in any order.
"""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from chandler.core.events import Event, InputRef
from chandler.core.granularity import DAY_MS, utc

FOR_EVER_MS = 2**62
DIGEST_BYTES = 16
_MODULUS = 1 << (8 * DIGEST_BYTES)
SHOWN_CHARACTERS_MAX = 600  # of a side of a difference

Encode = Callable[[Any], bytes]
# What the stream has as bytes: the same encoder as chandler.streams.codec.encode.
encode: Encode = msgspec.json.Encoder().encode

# In which order decisions of one moment follow from each other.
TOPICS = ("indicators", "matrix", "signals", "pumps", "desk", "orders", "positions", "exits")


class Read(NamedTuple):
    """A record as it stands in its topic."""

    topic: str
    partition: int
    offset: int
    written_ms: int  # Kafka's CreateTime
    event: Event
    raw: bytes
    made_from: str = ""  # topic/partition/offset of the input that it names; "": it names none

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Bounds(NamedTuple):
    """Which event times are compared."""

    from_ms: int = 0
    to_ms: int = FOR_EVER_MS  # not included

    def holds(self, at: int) -> bool:
        return self.from_ms <= at < self.to_ms


EVER = Bounds()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that is not what is recomputed, with both sides and the cause."""

    topic: str
    at: int  # event time, ms
    symbol: str
    what: str  # one line
    recorded: str = ""  # JSON; "" where there is none
    recomputed: str = ""
    cause: str = ""

    @property
    def order(self) -> tuple[int, int, str, str]:
        """The first difference is the smallest."""
        stem = self.topic.partition(".")[0]
        rank = TOPICS.index(stem) if stem in TOPICS else len(TOPICS)
        return (self.at, rank, self.symbol, self.what)

    @property
    def lines(self) -> list[str]:
        """For people."""
        at = f"{self.topic} {self.symbol} at {utc(self.at)} ({self.at}): {self.what}"
        sides = (("recorded  ", self.recorded), ("recomputed", self.recomputed))
        shown = [f"  {name} {text[:SHOWN_CHARACTERS_MAX] or 'nothing'}" for name, text in sides]
        return [at, *shown, *([f"  cause      {self.cause}"] if self.cause else [])]


class DayDigest(msgspec.Struct):
    """Of the records of one UTC day: their number and the sum of their hashes."""

    records: int = 0
    total: int = 0

    def add(self, raw: bytes) -> None:
        hashed = hashlib.blake2b(raw, digest_size=DIGEST_BYTES).digest()
        self.records += 1
        self.total = (self.total + int.from_bytes(hashed, "big")) % _MODULUS

    def merge(self, other: "DayDigest") -> None:
        self.records += other.records
        self.total = (self.total + other.total) % _MODULUS

    @property
    def hex(self) -> str:
        return f"{self.total:0{2 * DIGEST_BYTES}x}"


class Checked(msgspec.Struct, kw_only=True):
    """What was compared of one topic so far."""

    topic: str
    compared: int = 0  # with what differs
    mismatches: int = 0  # other bytes, or recorded and not recomputed
    missing: int = 0  # recomputed, due, and not recorded
    duplicated: int = 0  # recorded again
    explained: dict[str, int] = {}  # differences that a cause outside the decision explains
    not_compared: dict[str, int] = {}  # by reason
    from_ms: int = FOR_EVER_MS  # event time of the oldest that was compared
    to_ms: int = -1
    days: dict[str, DayDigest] = {}  # UTC day → over what was compared and is right
    first: Difference | None = None

    @property
    def faults(self) -> int:
        return self.mismatches + self.missing + self.duplicated

    def right(self, at: int, raw: bytes) -> None:
        """A record that is what is recomputed."""
        self.seen(at)
        self.days.setdefault(day_of(at), DayDigest()).add(raw)

    def wrong(self, difference: Difference) -> None:
        """A record that differs, or that is not recomputed."""
        self.seen(difference.at)
        self.mismatches += 1
        self.told(difference)

    def absent(self, difference: Difference) -> None:
        """What is recomputed and not recorded."""
        self.missing += 1
        self.told(difference)

    def again(self, difference: Difference) -> None:
        """A record that stands there once more."""
        self.duplicated += 1
        self.told(difference)

    def seen(self, at: int) -> None:
        self.compared += 1
        self.from_ms, self.to_ms = min(at, self.from_ms), max(at, self.to_ms)

    def told(self, difference: Difference) -> None:
        if self.first is None or difference.order < self.first.order:
            self.first = difference

    def excused(self, kind: str, cause: str, count: int = 1) -> None:
        """A record or a difference with a reason. `kind`: explained, not_compared."""
        counts = self.explained if kind == EXPLAINED else self.not_compared
        counts[cause] = counts.get(cause, 0) + count

    def merge(self, other: "Checked") -> None:
        """Adds what was compared of the same topic elsewhere."""
        assert self.topic == other.topic, f"{self.topic} and {other.topic} don't add up"
        self.compared += other.compared
        self.mismatches += other.mismatches
        self.missing += other.missing
        self.duplicated += other.duplicated
        for kind, counts in ((EXPLAINED, other.explained), (NOT_COMPARED, other.not_compared)):
            for cause, count in counts.items():
                self.excused(kind, cause, count)
        self.from_ms, self.to_ms = min(self.from_ms, other.from_ms), max(self.to_ms, other.to_ms)
        for day, digest in other.days.items():
            self.days.setdefault(day, DayDigest()).merge(digest)
        if other.first is not None:
            self.told(other.first)


EXPLAINED, NOT_COMPARED = "explained", "not_compared"


def merged(found: Iterable[Checked]) -> list[Checked]:
    """One for each topic, in the order in which decisions follow from each other."""
    by_topic: dict[str, Checked] = {}
    for each in found:
        by_topic.setdefault(each.topic, Checked(topic=each.topic)).merge(each)
    return sorted(by_topic.values(), key=_rank)


def _rank(checked: Checked) -> tuple[int, str]:
    stem = checked.topic.partition(".")[0]
    return (TOPICS.index(stem) if stem in TOPICS else len(TOPICS), checked.topic)


def day_of(at_ms: int) -> str:
    """The UTC day: 2024-01-03."""
    return _day(at_ms // DAY_MS)


@lru_cache
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY_MS // 1_000, tz=UTC).strftime("%Y-%m-%d")


def fields(recorded: Event, recomputed: Event) -> str:
    """The first field that differs; of a table its first entry."""
    if type(recorded) is not type(recomputed):
        return f"it is a {type(recorded).__name__}, recomputed a {type(recomputed).__name__}"
    for name in recorded.__struct_fields__:
        one, other = getattr(recorded, name), getattr(recomputed, name)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            key = next(key for key in {**one, **other} if one.get(key) != other.get(key))
            name, one, other = f"{name}[{key}]", one.get(key), other.get(key)
        return f"{name} is {one!r}, recomputed {other!r}"
    return "their bytes differ"


def of_inputs(recorded: Iterable[InputRef], recomputed: Iterable[InputRef], place: str = "") -> str:
    """The first input that is another now; "" where all are the same. `place`: where it stands."""
    now = {(ref.symbol, ref.granularity, ref.close_ms): ref.hash for ref in recomputed}
    for ref in recorded:
        found = now.get((ref.symbol, ref.granularity, ref.close_ms), "none")
        if found != ref.hash:
            where = place or f"candles.{ref.granularity}"
            return (
                f"{where} {ref.symbol} {ref.granularity} close "
                f"{utc(ref.close_ms)} ({ref.close_ms}): hash {ref.hash} when it was decided, "
                f"{found} now"
            )
    return ""
