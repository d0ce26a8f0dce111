"""The run itself: everything is started, struck as planned, settled, and ended."""

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal

import msgspec

from chandler.core.hashing import digest
from chandler.core.trading.events import Command
from chandler.streams import embedded
from chandler.streams.admin import create_topics
from chandler.streams.points import VARIABLE
from chandler.streams.settings import PORT_SIMULATOR, Installation
from chandler.streams.telemetry.health import ask
from chandler.streams.writing import Outbox, Record
from services.cli.chaos.plan import Strike
from services.cli.desk.books import agent_states
from services.profile import Profile
from services.topology import Worker, workers_of
from services.watchdog.child import Child, service_command
from services.watchdog.supervisor import Supervisor

READY_S_MAX = 120.0
TRADES_S_MAX = 120.0  # until the first order request
POINT_S_MAX = 45.0  # until the executor has come to an armed point
SETTLE_S_MAX = 150.0  # 30 s until the venue refuses the last intents, and the looking up
CLOSE_AGAIN_S = 20.0
POLL_S = 0.25
SIGKILLED = re.compile(r"was ended by signal 9\b")

Say = Callable[[str], None]


class DrillError(Exception):
    """The run can't go on: one line."""


@contextlib.asynccontextmanager
async def kafka(installation: Installation, profile: Profile, say: Say) -> AsyncIterator[None]:
    """The embedded Kafka with its topics, for as long as the run takes."""
    held = embedded.lease(installation, say)
    await asyncio.to_thread(held.__enter__)
    try:
        settings = profile.kafka
        await create_topics(installation, settings.symbol_partitions, settings.replication)
        yield
    finally:
        await asyncio.to_thread(held.__exit__, None, None, None)


class Drill:
    """`run` once, inside the lease of an embedded Kafka with its topics."""

    def __init__(
        self,
        installation: Installation,
        profile: Profile,
        environ: Mapping[str, str],
        say: Say,
        restart_s: float = 0.0,
    ) -> None:
        self.installation = installation
        self.say = say
        self.kills: dict[str, int] = {}
        self.points: set[str] = set()  # that ended the executor
        self.armed = ""  # the point with which the executor's next life begins
        self._fell = asyncio.Event()
        self.children = Supervisor(
            installation,
            workers_of(profile, "trading"),
            environ,
            lambda worker, line: None,
            self._changed,
            command=self._command,
            restart_s=restart_s,
        )
        self._watching: asyncio.Task[None] | None = None

    def _command(self, worker: Worker) -> list[str]:
        """An armed executor begins its life with the point at which it ends."""
        command = service_command(worker)
        if worker.service == "executor" and self.armed:
            return ["/usr/bin/env", f"{VARIABLE}={self.armed}", *command]
        return command

    def _changed(self, child: Child, text: str) -> None:
        name = child.worker.name
        if SIGKILLED.search(text):
            if name == "executor":
                self._fell.set()
        elif "did not drain" in text:
            self.say(text)

    async def start(self) -> None:
        """Returns when all services are ready and the first order was requested."""
        await self.children.start()
        self._watching = asyncio.create_task(self.children.watch())
        await self.until(lambda: self.children.all_ready, READY_S_MAX, "all services ready")
        began = time.monotonic()
        while not any(state.intents for state in await agent_states(self.installation)):
            if time.monotonic() - began > TRADES_S_MAX:
                raise DrillError(
                    f"no order was requested within {TRADES_S_MAX:g} s: look at the logs in "
                    f"{self.installation.data / 'logs'}"
                )
            await asyncio.sleep(POLL_S)

    async def strike(self, strike: Strike) -> None:
        """Carries out one strike."""
        await asyncio.sleep(strike.after_s)
        if strike.point:
            await self._arm(strike.point)
            return
        self.kills[strike.target] = self.kills.get(strike.target, 0) + 1
        if strike.target == "connection":
            await self.venue("POST", "/admin/accounts/cut", {})
        elif strike.target == "kafka":
            status = embedded.status(self.installation)
            if status.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(status.pid, signal.SIGKILL)
            await self._kafka_back()
        else:
            self._kill(strike.target)

    def _kill(self, name: str, number: int = signal.SIGKILL) -> int | None:
        pid = self.children.child(name).pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pid

    async def _arm(self, point: str) -> None:
        """Ends the executor; its successor ends itself at the point, and the next is unarmed."""
        for _ in range(2):
            self.armed = point
            await self.fall()
            self.armed = ""
            self._fell.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._fell.wait(), POINT_S_MAX)
                self.points.add(point.partition(":")[0])
                self.kills["executor"] = self.kills.get("executor", 0) + 1
                return
            point = f"{point.partition(':')[0]}:1"
        self.say(f"the executor did not come to {point} within {2 * POINT_S_MAX:g} s")
        await self.fall()

    async def fall(self) -> None:
        """kill -9 for the executor, whoever of its lives it is."""
        self._fell.clear()
        await self.until(lambda: self._kill("executor") is not None, READY_S_MAX, "an executor")
        await self._fell.wait()
        await self.until(
            lambda: self.children.child("executor").pid is not None, READY_S_MAX, "its successor"
        )

    async def _kafka_back(self) -> None:
        await asyncio.to_thread(
            embedded.ensure_running, self.installation, lambda line: None, only_if_leased=True
        )

    async def venue(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the simulator's admin endpoint answers."""
        import aiohttp

        url = f"http://127.0.0.1:{self.installation.port(PORT_SIMULATOR)}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, json=body) as response,
        ):
            raw = await response.read()
            if response.status != 200:
                raise DrillError(f"{path} of the simulator: {raw[:200].decode(errors='replace')}")
            return msgspec.json.decode(raw)

    async def settle(self) -> int:
        """No new entries, and everything closed; how many intents and positions stay open."""
        await self.until(lambda: self.children.all_ready, READY_S_MAX, "all services back")
        await self._command_all("trading", on=False)
        began = time.monotonic()
        asked = -CLOSE_AGAIN_S
        while True:
            if time.monotonic() - asked > CLOSE_AGAIN_S:  # an entry may have come through meanwhile
                await self._command_all("close_all")
                asked = time.monotonic()
            states = [s for s in await agent_states(self.installation) if s.paper is None]
            left = sum(len(state.holdings) for state in states)
            left += sum(each.pending for state in states for each in state.intents.values())
            if not left or time.monotonic() - began > SETTLE_S_MAX:
                return left
            await asyncio.sleep(1.0)

    async def _command_all(self, what: Literal["trading", "close_all"], *, on: bool = True) -> None:
        at = int((await self.venue("GET", "/admin/clock"))["now_ms"])
        command = Command(id=digest("chaos", what, str(at)), who="chaos", what=what, on=on, at=at)
        outbox = Outbox(self.installation, "chaos")
        await outbox.open()
        try:
            await outbox.write([Record("commands", command.id, command)])
        finally:
            await outbox.close()

    async def stop(self) -> None:
        """Ends all services."""
        if self._watching is not None:
            self._watching.cancel()
        await self.children.stop()

    async def until(self, holds: Callable[[], bool], within_s: float, what: str) -> None:
        deadline = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > deadline:
                late = [c.worker.name for c in self.children.children if not c.ready]
                raise DrillError(
                    f"{what}: not within {within_s:g} s, waiting for {', '.join(late)}"
                )
            await asyncio.sleep(POLL_S)


async def venue_ready(installation: Installation) -> bool:
    """Whether the simulator answers."""
    got = await ask("127.0.0.1", installation.port(PORT_SIMULATOR), "/admin/state", 1.0)
    return got is not None and got[0] == 200
