"""Keeps an installation's services running: starts, watches, restarts and ends their processes.

One that ends is started again: after 3 s, then later each time, and no more after GIVE_UP quick
ends within GIVE_UP_S. One that doesn't answer any more is killed first. What it said last is kept
(crashes.py).

Each has its own process group, and a pipe as its stdin: when this process ends, however it ends,
the pipe closes and the services go too.
"""

import asyncio
import contextlib
import json
import logging
import os
import random
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path

from chandler.streams.settings import Installation
from chandler.streams.telemetry.health import Readiness, ask_ready
from chandler.streams.telemetry.infra import Infra
from services.exits import MISCONFIGURED
from services.runner import SUPERVISED_VARIABLE
from services.topology import Worker, http_port
from services.watchdog.crashes import LINES_MAX, Crash, What, keep, shortened

RESTART_S = 3.0
RESTART_S_MAX = 30.0
JITTER = 0.25  # of a wait that is not the first: services that fell together don't rise together
GIVE_UP = 10  # ends within STEADY_S of a start
GIVE_UP_S = 600.0  # within which they are too many
HANG_S = 10.0  # without an answer, from one that has answered before
HANG_START_S = 90.0  # and from one that has not yet
HANG_ASKED_MIN = 5  # and it was asked so often meanwhile
STEADY_S = 10.0  # after so long without a crash the back-off begins anew
POLL_S = 0.2  # until all are ready, then POLL_STEADY_S
POLL_STEADY_S = 1.0
STOP_STEP_S = 0.5  # how long the next one's SIGTERM waits for this one's end
STOP_S_MAX = 7.0  # then kill
KILL_S_MAX = 1.0
LOG_BYTES_MAX = 5_000_000
LOG_FILES_MAX = 3  # older ones beside the current
LINE_BYTES_MAX = 256 * 1024
LAST_WORDS_MAX = 300


class Child:
    """One service process and what is known of it."""

    def __init__(self, worker: Worker, port: int) -> None:
        self.worker = worker
        self.port = port
        self.process: asyncio.subprocess.Process | None = None
        self.state = "starting"
        self.readiness: Readiness | None = None  # its last answer
        self.restarts = 0
        self.lines: deque[str] = deque(maxlen=LINES_MAX)  # the last of its log
        self.answered_at: float | None = None  # monotonic; None: not since it was started
        self.asked_since = 0  # times in vain, since then
        self.spawned_at = 0.0
        self.hung = False  # it was killed for not answering
        self.crashes: deque[float] = deque(maxlen=GIVE_UP)  # soon after a start; monotonic
        self.crashed_at: float | None = None  # monotonic; None: it works, or never did

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


Line = Callable[[str, str], None]  # worker, line of its log
Change = Callable[[Child, str], None]  # a child and what became of it: one line


class Supervisor:
    """`start`, then `watch` in a task, then `stop`."""

    def __init__(
        self,
        installation: Installation,
        workers: list[Worker],
        environ: Mapping[str, str],
        on_line: Line,
        on_change: Change,
        infra: Infra | None = None,
        command: Callable[[Worker], list[str]] = service_command,
        restart_s: float = RESTART_S,
        hang_s: float | None = None,
        give_up: bool = False,
    ) -> None:
        """`hang_s`: one that doesn't answer for so long is killed; None: none is."""
        self._installation = installation
        self._command = command
        self._restart_s = restart_s
        self._hang_s = hang_s
        self._give_up = give_up
        self._environ = dict(environ)
        self._on_line = on_line
        self._on_change = on_change
        self._infra = infra
        self._stopping = False
        self._keepers: list[asyncio.Task[None]] = []
        self._logs: dict[str, RotatingFileHandler] = {}
        self.children = [Child(worker, http_port(installation, worker)) for worker in workers]

    @property
    def all_ready(self) -> bool:
        return all(child.ready for child in self.children)

    def child(self, name: str) -> Child:
        return next(child for child in self.children if child.worker.name == name)

    async def start(self, names: set[str] | None = None) -> None:
        """Starts the children of `names` (all) that were not started before, in order."""
        for child in self.children:
            if child.process is None and (names is None or child.worker.service in names):
                await self._spawn(child)
                self._keepers.append(asyncio.create_task(self._keep(child)))

    async def watch(self, on_poll: Callable[[], Awaitable[None]] | None = None) -> None:
        """Polls every child's /readyz until it is cancelled."""
        while True:
            answers = await asyncio.gather(
                *(ask_ready("127.0.0.1", child.port, POLL_STEADY_S) for child in self.children)
            )
            for child, answer in zip(self.children, answers, strict=True):
                ours = answer is not None and answer.pid == child.pid
                child.readiness = answer if ours else None
                if ours and answer is not None:
                    child.state = answer.state
                    child.answered_at, child.asked_since = time.monotonic(), 0
                    self._tell_recovery(child)
                elif child.pid is not None:
                    child.asked_since += 1
                    self._end_if_hung(child)
            if on_poll is not None:
                await on_poll()
            await asyncio.sleep(POLL_STEADY_S if self.all_ready else POLL_S)

    def _end_if_hung(self, child: Child) -> None:
        """Kills one that is there and doesn't answer. Times asked count, too: we may have slept."""
        if self._hang_s is None or self._stopping or child.hung:
            return
        limit_s = self._hang_s if child.answered_at is not None else HANG_START_S
        since = child.answered_at if child.answered_at is not None else child.spawned_at
        silent_s = time.monotonic() - since
        if silent_s < limit_s or child.asked_since < HANG_ASKED_MIN:
            return
        child.hung = True
        self._on_change(child, f"{child.worker.name} has not answered for {silent_s:.0f} s: killed")
        _signal(child, signal.SIGKILL)

    def _tell_recovery(self, child: Child) -> None:
        if child.crashed_at is None or not child.ready:
            return
        took = f"after {time.monotonic() - child.crashed_at:.1f} s"
        child.crashed_at = None
        self._on_change(child, f"{child.worker.name} is back {took}")
        if self._infra is not None:
            self._infra.tell("recovered", took, child.worker.service)

    async def stop(self) -> None:
        """Ends all of them, last one first: asked to drain, then killed."""
        self._stopping = True
        deadline = time.monotonic() + STOP_S_MAX
        running = [child for child in reversed(self.children) if child.pid is not None]
        for child in running:
            _signal(child, signal.SIGTERM)
            await _ended([child], STOP_STEP_S)
        await _ended(running, max(0.0, deadline - time.monotonic()))
        for child in running:
            if child.pid is not None:
                self._on_change(child, f"{child.worker.name} did not drain in time: killed")
                _signal(child, signal.SIGKILL)
        await _ended(running, KILL_S_MAX)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for log in self._logs.values():
            log.close()

    async def _spawn(self, child: Child) -> None:
        environ = {
            **self._environ,
            SUPERVISED_VARIABLE: "1",
            "CHANDLER_INSTANCE": str(child.worker.instance),
            "PYTHONUNBUFFERED": "1",
        }
        child.state, child.readiness, child.hung = "starting", None, False
        child.answered_at, child.asked_since, child.spawned_at = None, 0, time.monotonic()
        child.lines.clear()
        child.process = await asyncio.create_subprocess_exec(
            *self._command(child.worker),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
            start_new_session=True,
            limit=LINE_BYTES_MAX,
        )

    async def _keep(self, child: Child) -> None:
        wait_s = self._restart_s
        while True:
            status = await self._lived(child)
            if self._stopping:
                child.state = "ended"
                return
            now = time.monotonic()
            lived_s = now - child.spawned_at
            child.crashed_at = child.crashed_at or now
            if lived_s > STEADY_S:
                wait_s = self._restart_s
            else:
                child.crashes.append(now)
            what = self._what(child, status, now)
            again_s = wait_s if what in ("crashed", "hung") else None
            self._told(child, what, status, lived_s, again_s)
            if again_s is None:
                return
            await asyncio.sleep(again_s)
            wait_s = min(wait_s * 2, RESTART_S_MAX) * (1 + random.random() * JITTER)
            child.restarts += 1
            await self._spawn(child)
            if self._infra is not None:
                self._infra.tell("restarted", f"restarts: {child.restarts}", child.worker.service)

    def _what(self, child: Child, status: int, now: float) -> What:
        if status == MISCONFIGURED:
            return "misconfigured"
        many = len(child.crashes) == GIVE_UP and now - child.crashes[0] < GIVE_UP_S
        if self._give_up and many:
            return "given_up"
        return "hung" if child.hung else "crashed"

    def _told(
        self, child: Child, what: What, status: int, lived_s: float, again_s: float | None
    ) -> None:
        """Says an end to people, to topic infra, and keeps it."""
        worker = child.worker
        reason = _reason(status, child.last_line)
        if what == "hung":
            reason = f"did not answer and {reason}"
        child.state = what if again_s is None else "restarting"
        self._on_change(child, f"{worker.name} {reason}; {_then(what, again_s)}")
        if self._infra is not None:
            self._infra.tell("crashed", f"{reason}; {_then(what, again_s)}", worker.service)
        crash = Crash(
            at=time.time_ns() // 1_000_000,
            worker=worker.name,
            service=worker.service,
            what=what,
            status=status,
            reason=reason,
            lived_s=round(lived_s, 1),
            again_s=again_s,
            lines=list(child.lines),
        )
        try:
            keep(self._installation, crash)
        except OSError as error:
            self._on_change(child, f"{worker.name}: its end can't be kept: {error.strerror}")

    async def _lived(self, child: Child) -> int:
        """Copies the child's log until it ends; its exit status."""
        process = child.process
        assert process is not None
        assert process.stdout is not None
        while True:
            try:
                raw = await process.stdout.readline()
            except ValueError:
                continue  # longer than LINE_BYTES_MAX: asyncio has dropped it
            if not raw:
                break
            line = raw.decode(errors="replace").rstrip("\n")
            child.lines.append(shortened(line))
            self._write(child.worker.name, line)
            self._on_line(child.worker.name, line)
        status = await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        # What it may have started itself must not outlive it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return status

    def _write(self, name: str, line: str) -> None:
        if name not in self._logs:
            folder = log_folder(self._installation)
            folder.mkdir(parents=True, exist_ok=True)
            self._logs[name] = RotatingFileHandler(
                folder / f"{name}.log", maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_MAX
            )
        self._logs[name].emit(logging.makeLogRecord({"msg": line}))


def log_folder(installation: Installation) -> Path:
    """Where the services' logs are."""
    return installation.data / "logs"


def _then(what: What, again_s: float | None) -> str:
    if again_s is not None:
        return f"again in {again_s:g} s"
    if what == "given_up":
        return (
            f"given up after {GIVE_UP} ends soon after a start: see ./chandler crashes, repair "
            "what it says, and start up anew"
        )
    return "it is not restarted"


def _reason(status: int, last_line: str) -> str:
    how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    said = _message(last_line)[:LAST_WORDS_MAX]
    return f"{how} ({said})" if said and status > 0 else how


def _message(line: str) -> str:
    """What a line of a service's log says, without time, level and name."""
    if line.startswith("{"):
        with contextlib.suppress(ValueError, AttributeError):
            return str(json.loads(line).get("message", line))
    found = re.match(r"\S+ [A-Z]+ +[a-z_]+: (.*)", line)
    return found[1] if found else line.strip()


def _signal(child: Child, number: int) -> None:
    pid = child.pid
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        if number == signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


async def _ended(children: list[Child], wait_s: float) -> None:
    waits = [
        asyncio.ensure_future(child.process.wait())
        for child in children
        if child.process is not None and child.process.returncode is None
    ]
    if waits:
        _, late = await asyncio.wait(waits, timeout=wait_s)
        for wait in late:
            wait.cancel()
