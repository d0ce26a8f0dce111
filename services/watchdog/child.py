"""One process of `up`, what is known of it, and how it is signalled and waited for."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Iterable

from chandler.streams.telemetry.health import Readiness
from services.topology import Worker
from services.watchdog.crashes import LINES_MAX

GIVE_UP = 10  # ends soon after a start that are remembered


class Child:
    """One service process and what is known of it."""

    def __init__(self, worker: Worker, port: int, wait_s: float) -> None:
        self.worker = worker
        self.port = port
        self.wait_s = wait_s  # before the next restart
        self.process: asyncio.subprocess.Process | None = None
        self.state = "starting"
        self.readiness: Readiness | None = None  # its last answer
        self.restarts = 0
        self.lines: deque[str] = deque(maxlen=LINES_MAX)  # the last of its log
        self.answered_at: float | None = None  # monotonic; None: not since it was started
        self.asked_since = 0  # times in vain, since then
        self.waited_s = 0.0  # for a core, up to its last answer
        self.spawned_at = 0.0
        self.hung = False  # it was killed for not answering
        self.crashes: deque[float] = deque(maxlen=GIVE_UP)  # soon after a start; monotonic
        self.crashed_at: float | None = None  # monotonic; None: it works, or never did
        self.reason = ""  # of the end at `crashed_at`: "was ended by signal 9 (SIGKILL)"
        self.restarter = ""  # who asked for the end that is under way; "": nobody
        self.again = asyncio.Event()  # it is to be started without further waiting
        self.spawned = asyncio.Event()  # since the last restart was asked for

    @property
    def pid(self) -> int | None:
        alive = self.process is not None and self.process.returncode is None
        return self.process.pid if alive and self.process is not None else None

    @property
    def last_line(self) -> str:
        """The last one that says something."""
        return next((line for line in reversed(self.lines) if line), "")

    @property
    def ready(self) -> bool:
        return self.pid is not None and self.readiness is not None and self.readiness.ready


def service_command(worker: Worker) -> list[str]:
    """What runs a worker."""
    return [sys.executable, "-P", "-m", "services", "run", worker.service]


def send(child: Child, number: int) -> None:
    """Signals a child that lives; SIGKILL goes to what it has started, too."""
    pid = child.pid
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        if number == signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


async def ended(children: Iterable[Child], wait_s: float) -> None:
    """Returns when they have ended, or after `wait_s`."""
    waits = [
        asyncio.ensure_future(child.process.wait())
        for child in children
        if child.process is not None and child.process.returncode is None
    ]
    if waits:
        _, late = await asyncio.wait(waits, timeout=max(0.0, wait_s))
        for wait in late:
            wait.cancel()
