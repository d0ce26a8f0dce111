"""How often something costly may be done: whatever it takes, most of the time is left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FREE = 9.0  # times what it took is left free after it: a tenth of a core at the most


class Sparing:
    """`if due: with taken(): …`; both by the same clock, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._after = float("-inf")

    @property
    def due(self) -> bool:
        """Whether enough time was left free since the last one."""
        return self._clock() >= self._after

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Measures what is done within."""
        began = self._clock()
        yield
        ended = self._clock()
        self._after = ended + FREE * (ended - began)
