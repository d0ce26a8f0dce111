"""What a start waits for, as lines for people: what is ready, and every 15 s what is not."""

import os
import time
from collections.abc import Callable, Sequence

from services.watchdog.child import Child

WAIT_S = 15.0  # between two lines of what is waited for; a quick start has none of them
BUSY = 2.0  # times its processors a machine's load is worth a word
AT_REST = frozenset({"given_up", "misconfigured", "ended"})  # these are waited for no more


class Start:
    """The start of one `up`, up to the moment in which everything is ready."""

    def __init__(
        self,
        began: float,  # monotonic
        clock: Callable[[], float] = time.monotonic,
        load: Callable[[], float] = lambda: os.getloadavg()[0],
        processors: int = len(os.sched_getaffinity(0)),
    ) -> None:
        self.step = "Kafka"  # what is waited for before there are services
        self._began = began
        self._clock = clock
        self._load = load
        self._processors = processors
        self._ready: set[str] = set()

    def became_ready(self, children: Sequence[Child]) -> str:
        """A line for those that are ready and weren't; "" where there are none."""
        new = [name for name in _names(children) if name not in self._ready]
        if not new:
            return ""
        self._ready.update(new)
        return self.ready(", ".join(new))

    def ready(self, what: str) -> str:
        """A line for what is ready now."""
        return f"{what} ready after {self._clock() - self._began:.1f} s"

    def waits(self, children: Sequence[Child]) -> str:
        """A line of what is not ready and how it stands; "" where nothing is waited for."""
        open_ = [
            f"{child.worker.name} ({child.state})"
            for child in children
            if child.process is not None and not child.ready and child.state not in AT_REST
        ]
        waited = ", ".join(open_) if children else self.step
        return f"waiting for: {waited}{self._busy()}" if waited else ""

    def _busy(self) -> str:
        """A word where the machine has more to do than it can."""
        load = self._load()
        if load <= BUSY * self._processors:
            return ""
        return f"; this machine is busy: load {load:.0f}, {self._processors} processors"


def _names(children: Sequence[Child]) -> list[str]:
    return [child.worker.name for child in children if child.ready]
