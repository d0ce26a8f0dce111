"""Our idea of the venue's clock: its time by REST, going on at its rate between two looks."""

import time
from collections.abc import Callable

from chandler.exchanges.bitget.rest import Rest

SAMPLES = 3  # of one look; the one with the shortest way counts
RATE_OFF_MIN = 0.02  # the rate is measured anew when it is off by more than this share
MEASURED_OVER_S_MIN = 5.0  # between two looks that a rate is measured from


class Clock:
    """`now` is the venue's time in ms; `rate` how many times faster than the wall it runs."""

    def __init__(self, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._monotonic = monotonic
        self._venue_ms = 0.0
        self._at = 0.0  # monotonic s at which the venue's clock showed that
        self._looked = False

    def now(self) -> int:
        """The venue's time, ms."""
        return int(self._venue_ms + (self._monotonic() - self._at) * self.rate * 1_000)

    async def look(self, rest: Rest) -> int:
        """Asks the venue; returns by how much our idea was wrong, ms. VenueError."""
        best: tuple[float, float, int] | None = None
        for _ in range(SAMPLES):
            before = self._monotonic()
            venue_ms = await rest.server_time()
            after = self._monotonic()
            if best is None or after - before < best[0]:
                best = (after - before, (before + after) / 2, venue_ms)
        assert best is not None
        return self._set(best[1], best[2])

    def _set(self, at: float, venue_ms: int) -> int:
        expected = self._venue_ms + (at - self._at) * self.rate * 1_000
        passed = at - self._at
        if self._looked and passed >= MEASURED_OVER_S_MIN and self.rate != 1.0:
            measured = (venue_ms - self._venue_ms) / passed / 1_000
            if measured > 0 and abs(measured / self.rate - 1.0) > RATE_OFF_MIN:
                self.rate = measured
        wrong = int(venue_ms - expected) if self._looked else 0
        self._venue_ms, self._at, self._looked = float(venue_ms), at, True
        return wrong
