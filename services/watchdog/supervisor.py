"""Keeps an installation's services running: starts, watches, restarts and ends their processes.

One that ends is started again: after 3 s, then later each time, and no more after GIVE_UP quick
ends within GIVE_UP_S. One that doesn't answer any more is killed first. What it said last is kept
(crashes.py).

Each has its own process group, and a pipe as its stdin: when this process ends, however it ends,
the pipe closes and the services go too.
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

from chandler.streams.settings import Installation
from chandler.streams.telemetry.health import ask_ready
from chandler.streams.telemetry.infra import Infra, Kind
from services.exits import MISCONFIGURED
from services.runner import SUPERVISED_VARIABLE
from services.topology import STOPPED_FIRST, STOPPED_LAST, Worker, http_port
from services.watchdog import starved
from services.watchdog.child import GIVE_UP, Child, ended, send, service_command
from services.watchdog.crashes import Crash, What, keep, reason, shortened, then

RESTART_S = 3.0
RESTART_S_MAX = 30.0
JITTER = 0.25  # of a wait that is not the first: services that fell together don't rise together
GIVE_UP_S = 600.0  # within which GIVE_UP ends, each within STEADY_S of a start, are too many
HANG_S = 10.0  # without an answer, from one that has answered before and had a core
HANG_START_S = 90.0  # and from one that has not yet
HANG_ASKED_MIN = 5  # and it was asked so often meanwhile
STEADY_S = 10.0  # after so long without a crash the back-off begins anew
POLL_S = 0.2  # until all are ready, then POLL_STEADY_S
POLL_STEADY_S = 1.0
STOP_STEP_S = 0.5  # how long the next one's SIGTERM waits for this one's end
STOP_S_MAX = 7.0  # then kill: a service drains for 4 s, is cancelled for 1, says so for 2
LAST_S = 1.0  # of it, for those that are asked last
KILL_S_MAX = 1.0
SPAWN_S_MAX = 10.0
LOG_BYTES_MAX = 5_000_000
LOG_FILES_MAX = 3  # older ones beside the current
LINE_BYTES_MAX = 256 * 1024

Line = Callable[[str, str], None]  # worker, line of its log
Change = Callable[[Child, str], None]  # a child and what became of it: one line


class RestartError(Exception):
    """A service was not started again: one line."""


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
        self.children = [
            Child(worker, http_port(installation, worker), restart_s) for worker in workers
        ]

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
                    child.waited_s = starved.waited_s(answer.pid)
                    self._tell_recovery(child)
                elif child.pid is not None:
                    child.asked_since += 1
                    self._end_if_hung(child)
            if on_poll is not None:
                await on_poll()
            await asyncio.sleep(POLL_STEADY_S if self.all_ready else POLL_S)

    def _end_if_hung(self, child: Child) -> None:
        """Kills one that is there and doesn't answer. Times asked count, too: we may have slept.

        What it waited for a core is left out: killed on a busy machine, it would begin anew there.
        """
        pid = child.pid
        if self._hang_s is None or self._stopping or child.hung or pid is None:
            return
        limit_s = self._hang_s if child.answered_at is not None else HANG_START_S
        since = child.answered_at if child.answered_at is not None else child.spawned_at
        silent_s = time.monotonic() - since - (starved.waited_s(pid) - child.waited_s)
        if silent_s < limit_s or child.asked_since < HANG_ASKED_MIN:
            return
        child.hung = True
        self._on_change(child, f"{child.worker.name} has not answered for {silent_s:.0f} s: killed")
        send(child, signal.SIGKILL)

    def _tell_recovery(self, child: Child) -> None:
        if child.crashed_at is None or not child.ready:
            return
        took_s = time.monotonic() - child.crashed_at
        child.crashed_at = None
        self._on_change(child, f"{child.worker.name} is back after {took_s:.1f} s")
        self._tell("recovered", f"{took_s:.1f} s after it {child.reason}", child)

    async def restart(self, name: str, who: str) -> list[str]:
        """Drains and starts a service anew, or one of its workers; what came of each, for people.

        One that waits for its restart, or was given up, is started at once. [] if there is none.
        RestartError.
        """
        chosen = [each for each in self.children if name in (each.worker.service, each.worker.name)]
        return [await self._restart(child, who) for child in chosen]

    async def _restart(self, child: Child, who: str) -> str:
        began = time.monotonic()
        child.spawned.clear()
        child.crashes.clear()
        before, how = child.pid, "did not run"
        if before is None:
            child.again.set()
        else:
            child.restarter = who
            send(child, signal.SIGTERM)
            await ended([child], STOP_S_MAX)
            how = f"drained within {time.monotonic() - began:.1f} s"
            if child.pid == before:
                how = f"did not drain within {STOP_S_MAX:g} s and was killed"
                send(child, signal.SIGKILL)
        name = child.worker.name
        try:
            async with asyncio.timeout(SPAWN_S_MAX):
                await child.spawned.wait()
        except TimeoutError:
            raise RestartError(f"{name} {how} and was not started: look at its log") from None
        return f"{name} {how} and was started anew, process {child.pid}"

    async def stop(self) -> None:
        """Ends all of them: asked to drain, then killed.

        First what could still make an entry; what that asks of a venue is answered by a simulator,
        which goes last, when the others have ended or had their time. Between them the last one in
        a candle's order goes first.
        """
        self._stopping = True
        deadline = time.monotonic() + STOP_S_MAX
        running = [child for child in self.children if child.pid is not None]
        for child in self.children:
            child.again.set()  # whoever waits for a restart sees that there is none
        last = [child for child in running if child.worker.service in STOPPED_LAST]
        for child in stop_order(running):
            if child in last:
                others = [each for each in running if each not in last]
                await ended(others, deadline - LAST_S - time.monotonic())
            send(child, signal.SIGTERM)
            await ended([child], STOP_STEP_S)
        await ended(running, deadline - time.monotonic())
        for child in running:
            if child.pid is not None:
                said = f"{child.worker.name} did not drain in time: killed, which loses nothing"
                self._on_change(child, said)
                send(child, signal.SIGKILL)
        await ended(running, KILL_S_MAX)
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
        child.answered_at, child.asked_since, child.waited_s = None, 0, 0.0
        child.spawned_at = time.monotonic()
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
        """Starts it again, as often as it ends."""
        while True:
            status = await self._lived(child)
            if self._stopping:
                child.state = "ended"
                return
            who, child.restarter = child.restarter, ""
            after = f"asked by {who}"
            if who:
                child.state, child.wait_s = "restarting", self._restart_s
                self._on_change(child, f"{child.worker.name} is restarted, {after}")
            else:
                again_s = self._fell(child, status)
                after = f"after it {child.reason}"
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(child.again.wait(), again_s)
            if self._stopping:
                return
            child.restarts += 1
            await self._spawn(child)
            if self._stopping:
                send(child, signal.SIGKILL)  # it has done nothing yet
            self._tell("restarted", after, child)
            child.again.clear()
            child.spawned.set()

    def _fell(self, child: Child, status: int) -> float | None:
        """An end that nobody asked for: said and kept. Seconds until the restart; None: never."""
        now = time.monotonic()
        lived_s = now - child.spawned_at
        if lived_s > STEADY_S:
            child.wait_s = self._restart_s
        else:
            child.crashes.append(now)
        what = self._what(child, status, now)
        again_s = child.wait_s if what in ("crashed", "hung") else None
        self._told(child, what, status, lived_s, again_s)
        child.wait_s = min(child.wait_s * 2, RESTART_S_MAX) * (1 + random.random() * JITTER)
        return again_s

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
        why = reason(status, child.last_line)
        if what == "hung":
            why = f"did not answer and {why}"
        if child.crashed_at is None:
            child.crashed_at, child.reason = time.monotonic(), why
        child.state = what if again_s is None else "restarting"
        text = f"{why}; {then(what, again_s, len(child.crashes))}"
        self._on_change(child, f"{worker.name} {text}")
        self._tell("crashed", text, child)
        crash = Crash(
            at=time.time_ns() // 1_000_000,
            worker=worker.name,
            service=worker.service,
            what=what,
            status=status,
            reason=why,
            lived_s=round(lived_s, 1),
            again_s=again_s,
            lines=list(child.lines),
        )
        try:
            keep(self._installation, crash)
        except OSError as error:
            self._on_change(child, f"{worker.name}: its end can't be kept: {error.strerror}")

    def _tell(self, kind: Kind, detail: str, child: Child) -> None:
        """Topic infra knows services; which of several workers it was stands in the detail."""
        if self._infra is not None:
            which = f"{child.worker.name} " if child.worker.instance else ""
            self._infra.tell(kind, f"{which}{detail}", child.worker.service)

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


def stop_order(children: Sequence[Child]) -> list[Child]:
    """The order in which they are asked to end."""

    def place(child: Child) -> int:
        service = child.worker.service
        return (service not in STOPPED_FIRST) + (service in STOPPED_LAST)

    last_first = list(reversed(children))
    return sorted(last_first, key=place)
