"""Our idea of the venue's clock: its time by REST, going on at its rate between two looks."""

import asyncio
import time
from collections.abc import Callable

from chandler.exchanges.bitget.rest import Rest

SAMPLES = 3  # of one look; the one with the shortest way counts
RATE_OFF_MIN = 0.02  # a measured rate counts when the old one is off by more than this share
MEASURED_OVER_S = 0.25


class Clock:
    """`now` is the venue's time in ms; `rate` how many times faster than the wall it runs."""

    def __init__(self, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._monotonic = monotonic
        self._venue_ms = 0.0
        self._at = 0.0  # monotonic s at which the venue's clock showed that; 0: never looked

    def now(self) -> int:
        """The venue's time, ms."""
        return int(self._venue_ms + (self._monotonic() - self._at) * self.rate * 1_000)

    async def look(self, rest: Rest) -> int:
        """Asks the venue; returns by how much our idea was wrong, ms. VenueError."""
        at, venue_ms = await self._sample(rest)
        expected = self._venue_ms + (at - self._at) * self.rate * 1_000
        wrong = int(venue_ms - expected) if self._at else 0
        self.set(at, venue_ms)
        return wrong

    def set(self, at: float, venue_ms: int) -> None:
        """The venue's clock showed `venue_ms` at monotonic second `at`."""
        self._venue_ms, self._at = float(venue_ms), at

    async def measure(self, rest: Rest) -> None:
        """Looks twice and takes the rate from that; a venue may be made slower or faster."""
        before_at, before_ms = await self._sample(rest)
        await asyncio.sleep(MEASURED_OVER_S)
        await self.look(rest)
        measured = (self._venue_ms - before_ms) / (self._at - before_at) / 1_000
        if measured > 0 and abs(measured / self.rate - 1.0) > RATE_OFF_MIN:
            self.rate = measured

    async def _sample(self, rest: Rest) -> tuple[float, int]:
        best: tuple[float, float, int] | None = None
        for _ in range(SAMPLES):
            before = self._monotonic()
            venue_ms = await rest.server_time()
            after = self._monotonic()
            if best is None or after - before < best[0]:
                best = (after - before, (before + after) / 2, venue_ms)
        assert best is not None
        return best[1], best[2]
