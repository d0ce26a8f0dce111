"""Digests of what was verified, by UTC day and topic, kept in the data directory.

So a day whose records retention or compaction removes later is known to have been right; and a day
that is verified again is known to be the same as it was.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from chandler.core.granularity import DAY_MS
from chandler.replay.audit.verdict import Bounds, Checked, DayDigest, day_of

FOLDER = "verified"


class KeptDigest(msgspec.Struct, frozen=True):
    """What was right of a topic on a day."""

    records: int
    digest: str
    code: str  # that it was verified with


class Day(NamedTuple):
    """A day that was verified before, and what is there of it now."""

    day: str
    topic: str
    was: KeptDigest
    now: KeptDigest | None  # None: nothing of it is there any more
    state: Literal["same", "more", "less", "gone", "changed"]

    @property
    def line(self) -> str:
        """For people."""
        before = f"{self.day} {self.topic}: {self.was.records} records verified before"
        return {
            "same": f"{before}, the digest is the same",
            "more": f"{before}, {self.now.records if self.now else 0} now",
            "less": f"{before}, {self.now.records if self.now else 0} of them are left",
            "gone": f"{before}, none of them is left",
            "changed": f"{before}: the digest is another now, as many records were changed since",
        }[self.state]


def keep(folder: Path, found: Iterable[Checked], bounds: Bounds, code: str) -> list[Day]:
    """Keeps the digests of whole days, and says what is known of days from before.

    What is less than before, or other than it was, doesn't replace it.
    """
    days: list[Day] = []
    now = _now(found, bounds, code)
    for name in sorted({*now, *(path.stem for path in folder.glob("*.json"))}):
        was = _read(folder / f"{name}.json")
        fresh = now.get(name, {})
        known = [_day(name, topic, kept, fresh.get(topic)) for topic, kept in sorted(was.items())]
        days += [each for each in known if each.now is not None or _inside(name, bounds)]
        better = {each.topic for each in known if each.state == "more"}
        merged = {**fresh, **{topic: kept for topic, kept in was.items() if topic not in better}}
        if merged != was:
            _write(folder / f"{name}.json", merged)
    return days


def _now(found: Iterable[Checked], bounds: Bounds, code: str) -> dict[str, dict[str, KeptDigest]]:
    now: dict[str, dict[str, KeptDigest]] = {}
    for checked in found:
        for day, digest in checked.days.items():
            if _inside(day, bounds):
                now.setdefault(day, {})[checked.topic] = _kept(digest, code)
    return now


def _kept(digest: DayDigest, code: str) -> KeptDigest:
    return KeptDigest(digest.records, digest.hex, code)


def _day(day: str, topic: str, was: KeptDigest, now: KeptDigest | None) -> Day:
    if now is None:
        return Day(day, topic, was, now, "gone")
    if now.records != was.records:
        return Day(day, topic, was, now, "more" if now.records > was.records else "less")
    return Day(day, topic, was, now, "same" if now.digest == was.digest else "changed")


def _inside(day: str, bounds: Bounds) -> bool:
    """Whether all of a day was looked at."""
    first = -(-bounds.from_ms // DAY_MS) * DAY_MS
    is_after = bounds.from_ms == 0 or day >= day_of(first)
    return is_after and (bounds.to_ms > 2**53 or day < day_of(bounds.to_ms))


def _read(path: Path) -> dict[str, KeptDigest]:
    """What is kept of a day; nothing where the file can't be read: it is written anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, KeptDigest])
    except (OSError, msgspec.DecodeError):
        return {}


def _write(path: Path, kept: dict[str, KeptDigest]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(kept, order="sorted")))
    fresh.replace(path)
