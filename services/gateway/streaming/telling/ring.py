"""The newest events in their order, bounded, and where each partition stands."""

from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import NamedTuple

from services.gateway.streaming.telling.said import Said

ENTRIES_MAX = 50_000
BYTES_MAX = 64 * 1024 * 1024


class Entry(NamedTuple):
    """An event that was told."""

    seq: int
    said: Said
    lane: str  # "orders:3"
    offset: int
    frame: bytes


Heard = Callable[[Said], bool]


class Ring:
    """What was told lately, by number and by place."""

    def __init__(self, entries_max: int = ENTRIES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._entries: deque[Entry] = deque()
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._floors: dict[str, int] = {}  # the first offset whose events are all here, by lane
        self._gone = 0  # the newest number that has left
        self.following: dict[str, int] = {}  # of the next record, by lane

    def begin(self, lanes: Mapping[str, int]) -> None:
        """From these offsets on everything of these lanes comes here."""
        for lane, offset in lanes.items():
            self._floors.setdefault(lane, offset)
            self.following.setdefault(lane, offset)

    def advance(self, lanes: Mapping[str, int]) -> None:
        """Nothing is left before these offsets: what was there was no event."""
        for lane, offset in lanes.items():
            self.following[lane] = max(offset, self.following.get(lane, 0))

    def passed(self, lane: str, offset: int) -> bool:
        """A record has come; whether for the first time."""
        if offset < self.following.get(lane, 0):
            return False
        self.following[lane] = offset + 1
        return True

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._bytes += len(entry.frame)
        while len(self._entries) > self._entries_max or self._bytes > self._bytes_max:
            oldest = self._entries.popleft()
            self._bytes -= len(oldest.frame)
            self._gone = oldest.seq
            self._floors[oldest.lane] = oldest.offset + 1

    def reaches(self, seq: int) -> bool:
        """Whether everything after a number is still here."""
        return seq >= self._gone

    def covers(self, places: Mapping[str, int]) -> bool:
        """Whether all after these places, the newest known offset of each lane, is still here."""
        return all(offset + 1 >= self._floors[lane] for lane, offset in places.items())

    def since(self, seq: int, heard: Heard, most: int) -> tuple[list[bytes], int]:
        """Frames after a number, at most so many, and the number that was come to."""
        frames: list[bytes] = []
        for entry in self._after(seq):
            if heard(entry.said):
                frames.append(entry.frame)
            seq = entry.seq
            if len(frames) >= most:
                break
        return frames, seq

    def behind(self, places: Mapping[str, int], heard: Heard) -> list[bytes]:
        """Frames that lie after these places, in order."""
        return [
            entry.frame
            for entry in self._entries
            if entry.offset > places.get(entry.lane, entry.offset) and heard(entry.said)
        ]

    def _after(self, seq: int) -> list[Entry]:
        """From the first entry with a greater number on, found from the end."""
        count = 0
        for entry in reversed(self._entries):
            if entry.seq <= seq:
                break
            count += 1
        return list(islice(self._entries, len(self._entries) - count, None))
