"""Which idempotency keys were taken, for a day and bounded: pure, times are handed in.

What is asked under a key has an id that is made of the key and of who asks; so the id stands for
the key. The newest are at the end.
"""

from collections.abc import Mapping

import msgspec

from chandler.core.granularity import DAY_MS

KEPT_MS = DAY_MS  # of wall time
KEPT_MAX = 100_000
FORGOTTEN_MAX = 500  # in one transaction


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a request that is out."""

    body: str  # hash of what was asked: the same key means the same thing
    taken_ms: int  # wall time
    at_ms: int  # the event's own time, of the venue
    topic: str  # where it stands
    partition: int
    offset: int


class Remembered:
    """The requests of the last day, by id."""

    def __init__(self, found: Mapping[str, Taken] | None = None) -> None:
        oldest_first = sorted((found or {}).items(), key=lambda each: each[1].taken_ms)
        self._taken = dict(oldest_first)

    def __len__(self) -> int:
        return len(self._taken)

    def get(self, id_: str, now_ms: int) -> Taken | None:
        """What is known of it; None once its day is over."""
        taken = self._taken.get(id_)
        return taken if taken is not None and now_ms - taken.taken_ms < KEPT_MS else None

    def forgettable(self, now_ms: int, coming: int) -> list[str]:
        """The oldest that go: their day is over, or there is no room for so many `coming`."""
        too_many = len(self._taken) + coming - KEPT_MAX
        found: list[str] = []
        for id_, taken in self._taken.items():
            if len(found) >= FORGOTTEN_MAX + coming:
                break
            if len(found) >= too_many and now_ms - taken.taken_ms < KEPT_MS:
                break
            found.append(id_)
        return found

    def add(self, taken: Mapping[str, Taken]) -> None:
        for id_, each in taken.items():
            self._taken.pop(id_, None)
            self._taken[id_] = each

    def forget(self, ids: list[str]) -> None:
        for id_ in ids:
            self._taken.pop(id_, None)
