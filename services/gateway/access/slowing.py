"""How often: token buckets of callers and addresses, and longer waits after each failed login.

Pure, times are handed in (monotonic seconds). Tables are bounded: the oldest entries go first.
"""

from typing import NamedTuple

ENTRIES_MAX = 20_000
FREE_FAILURES = 4  # before there is a wait
WAIT_S, WAIT_S_MAX = 1.0, 60.0
FORGIVEN_S = 15 * 60.0  # without a failure


class _Level(NamedTuple):
    left: float
    at: float


class Buckets:
    """So many a second on the whole, twice as many at once; each name has a bucket."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, 2 * per_second)
        self._levels: dict[str, _Level] = {}

    def take(self, name: str, now: float) -> float:
        """0.0 where it may be; else how many seconds to wait."""
        level = self._levels.pop(name, _Level(self._most, now))
        left = min(self._most, level.left + (now - level.at) * self._per_second)
        taken = left >= 1.0
        self._levels[name] = _Level(left - 1.0 if taken else left, now)
        _bound(self._levels)
        return 0.0 if taken else (1.0 - left) / self._per_second


class _Failed(NamedTuple):
    times: int
    at: float


class Failures:
    """Failed logins by name and by address."""

    def __init__(self) -> None:
        self._failed: dict[str, _Failed] = {}

    def wait_s(self, names: tuple[str, ...], now: float) -> float:
        """How long the next try has to wait; 0.0: it may be made."""
        return max((self._wait_s(name, now) for name in names), default=0.0)

    def failed(self, names: tuple[str, ...], now: float) -> None:
        for name in names:
            times = self._known(name, now).times
            self._failed.pop(name, None)
            self._failed[name] = _Failed(times + 1, now)
        _bound(self._failed)

    def succeeded(self, names: tuple[str, ...]) -> None:
        for name in names:
            self._failed.pop(name, None)

    def _known(self, name: str, now: float) -> _Failed:
        known = self._failed.get(name)
        if known is None or now - known.at > FORGIVEN_S:
            return _Failed(0, now)
        return known

    def _wait_s(self, name: str, now: float) -> float:
        known = self._known(name, now)
        if known.times <= FREE_FAILURES:
            return 0.0
        doubled = min(known.times - FREE_FAILURES - 1, 10)
        wait_s = min(WAIT_S * (1 << doubled), WAIT_S_MAX)
        return max(0.0, known.at + wait_s - now)


def _bound(table: dict[str, _Level] | dict[str, _Failed]) -> None:
    while len(table) > ENTRIES_MAX:
        del table[next(iter(table))]
