"""The stand-in's time: the machine's, and what was added to it by hand."""

import time
from collections.abc import Callable


class Clock:
    """Seconds since 1970; limits and ages are reckoned by it."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source, self._added_s = source, 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return self._source() + self._added_s

    def advance(self, seconds: float) -> None:
        """So much later at once."""
        self._added_s += max(seconds, 0.0)
