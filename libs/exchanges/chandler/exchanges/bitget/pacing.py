"""Budgets: how often we may do something, and how long we wait after having been told off.

All times are wall seconds of a monotonic clock. Callers pass bounds of an accelerated venue
already divided by its rate.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

import msgspec

WAITING_MAX = 10_000  # callers queueing for one budget


class BudgetFullError(Exception):
    """More callers wait than the budget admits."""


class Budget:
    """A token bucket: at most `most` takes in any window of `period_s`, first come, first served.

    `burst` of them may come at once; the others are spread evenly, so that jitter on the way
    does not bunch a whole window's worth together. A caller that awaits its answer before it
    takes again queues behind all others, which makes the budget fair between callers.
    """

    def __init__(
        self,
        most: float,
        period_s: float,
        *,
        burst: float | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.burst = max(1.0, most / 10 if burst is None else burst)
        self.per_second = (most - self.burst) / period_s
        assert self.per_second > 0, "a budget needs more than its burst"
        self.waiting = 0
        self._now = now
        self._sleep = sleep
        self._tokens = self.burst
        self._filled_at = now()
        self._held_until = self._filled_at
        self._turn = asyncio.Lock()

    async def take(self) -> None:
        """Returns when the caller may go; BudgetFullError if too many wait already."""
        if self.waiting >= WAITING_MAX:
            raise BudgetFullError(
                f"{self.waiting} requests wait already, at most {WAITING_MAX} may"
            )
        self.waiting += 1
        try:
            async with self._turn:
                while (wait := self._wait_s()) > 0.0:
                    await self._sleep(wait)
                self._tokens -= 1.0
        finally:
            self.waiting -= 1

    def hold(self, seconds: float) -> None:
        """Nobody goes for `seconds`."""
        self._held_until = max(self._held_until, self._now() + seconds)

    @property
    def held_s(self) -> float:
        """Seconds until the hold is over; 0 without one."""
        return max(0.0, self._held_until - self._now())

    def _wait_s(self) -> float:
        now = self._now()
        gained = (now - self._filled_at) * self.per_second
        self._tokens = min(self.burst, self._tokens + gained)
        self._filled_at = now
        if now < self._held_until:
            return self._held_until - now
        # A hair of a token may be lost to rounding; waiting for it would never end.
        return 0.0 if self._tokens >= 1.0 - 1e-9 else (1.0 - self._tokens) / self.per_second


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Waits that double from `first_s` up to `most_s`, each shortened by up to half at random."""

    first_s: float
    most_s: float
    floor_s: float = 0.0  # never less, however fast the venue's clock is

    def wait_s(self, failures: int, random: Random) -> float:
        """Seconds before the next try, after `failures` ≥ 1 in a row."""
        whole = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 60))
        return max(self.floor_s, whole * (0.5 + 0.5 * random.random()))

    def scaled(self, rate: float) -> "Backoff":
        """For a venue whose clock runs `rate` times as fast."""
        return msgspec.structs.replace(self, first_s=self.first_s / rate, most_s=self.most_s / rate)
