"""One run of `up`: Kafka, topics, services, until it is asked to end; then all of it backwards."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from chandler.streams.settings import PORT_SIMULATOR, Installation
from chandler.streams.telemetry.health import ask
from chandler.streams.telemetry.infra import Infra, infra
from services.cli.running.start import WAIT_S, Start
from services.cli.running.state import UpState, WorkerState, command_of, write_state
from services.cli.running.tally import Tally
from services.exits import MISCONFIGURED
from services.profile import Profile
from services.topology import Half, Worker, half_of, services_of
from services.watchdog.child import Child
from services.watchdog.life import Before, Life
from services.watchdog.restarts import Restarts
from services.watchdog.supervisor import HANG_S, Supervisor

TASKS_END_S_MAX = 2.0
KAFKA_LOOK_S = 2.0
START_END_S_MAX = 8.0
TALK_S_MAX = 30.0  # then what talks to people is started, whether trading is ready or not


class View(Protocol):
    """Where a session shows what happens: lines, or a screen."""

    def start(self, tally: Tally | None, supervisor: Supervisor) -> None: ...
    def stop(self) -> None: ...
    def refresh(self) -> None: ...
    def say(self, text: str, **fields: Any) -> None: ...
    def log(self, worker: str, line: str) -> None: ...
    def signal(self, signal: Any) -> None: ...


class Session:
    """`run` once."""

    def __init__(
        self,
        installation: Installation,
        profile: Profile,
        half: Half,
        workers: list[Worker],
        view: View,
        began: float,  # monotonic
    ) -> None:
        self._installation = installation
        self._profile = profile
        self._half = half
        self._workers = workers
        self._view = view
        self._began = began
        self._tally = None if half == "telegram" else Tally(began)
        self._start = Start(began)
        self._children: list[Child] = []  # none before Kafka is there
        self._life = Life(installation, command_of(half).replace(" ", "-"))
        self._before: Before | None = None
        self._teller: Infra | None = None
        self._started_ms = time.time_ns() // 1_000_000
        self._running = False
        self._talking = False
        self._ready_said = False
        self._ending = False
        self._first_said = False
        self._pids: list[int | None] = []
        self._misconfigured = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop` is set; the exit status."""
        work = asyncio.create_task(self._run(stop))
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait([work, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not work.done() and not self._running:
            work.cancel()  # Kafka is still starting
            _, late = await asyncio.wait([work], timeout=START_END_S_MAX)
            if late:
                os._exit(1)  # it is still downloading, in a thread that can't be ended
        try:
            return await work
        except asyncio.CancelledError:
            return 0

    async def _run(self, stop: asyncio.Event) -> int:
        telling = asyncio.create_task(self._say_waits())
        try:
            return await self._lived(stop)
        finally:
            telling.cancel()

    async def _lived(self, stop: asyncio.Event) -> int:
        kafka = _kafka(self._installation, self._profile, self._view, self._start)
        async with kafka, infra(self._installation, "up") as teller:
            self._teller, self._before = teller, self._life.begin()
            supervisor = Supervisor(
                self._installation,
                self._workers,
                os.environ,
                self._view.log,
                self._changed,
                teller,
                hang_s=HANG_S,
                give_up=True,
            )
            self._running = True
            self._children = supervisor.children
            await self._watched(supervisor, teller, stop)
            self._life.end()
        self._view.say("ended")
        return MISCONFIGURED if self._misconfigured.is_set() else 0

    async def _watched(self, supervisor: Supervisor, teller: Infra, stop: asyncio.Event) -> None:
        async def polled() -> None:
            await self._polled(supervisor)

        restarts = Restarts(self._installation, supervisor, self._half, services_of(self._profile))
        speaks = None if self._half == "telegram" else teller  # of Kafka: one of the halves
        repairing = asyncio.create_task(_repair(self._installation, self._view, speaks))
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(restarts.run())]
        if self._tally is not None:
            counting = self._tally.run(self._installation, self._view.signal)
            tasks.append(asyncio.create_task(counting))
        try:
            await supervisor.start(trading_of(self._workers))
            self._view.start(self._tally, supervisor)
            tasks.append(asyncio.create_task(supervisor.watch(polled)))
            waits = [asyncio.create_task(event.wait()) for event in (stop, self._misconfigured)]
            await asyncio.wait([repairing, *tasks, *waits], return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        finally:
            self._ending = True
            self._view.stop()
            self._view.say("ending")
            for task in tasks:
                task.cancel()
            await supervisor.stop()
            repairing.cancel()  # what drains needs Kafka
            await asyncio.wait([repairing, *tasks], timeout=TASKS_END_S_MAX)
        for task in (repairing, *tasks):
            if task.done() and not task.cancelled():
                task.result()

    async def _start_talking(self, supervisor: Supervisor) -> None:
        waited_s = time.monotonic() - self._began
        if may_talk(supervisor.children, waited_s):
            self._talking = True
            await supervisor.start()

    async def _polled(self, supervisor: Supervisor) -> None:
        self._life.beat()
        if not self._talking:
            await self._start_talking(supervisor)
        if self._tally is not None:
            await self._know_venue_start(self._tally)
        self._keep_state(supervisor)
        if not self._ready_said:
            self._say_start(supervisor)
        first_s = None if self._tally is None else self._tally.first_signal_s
        if first_s is not None and not self._first_said:
            self._first_said = True
            self._view.say(f"first signal {first_s:.1f} s after the start", seconds=first_s)
        self._view.refresh()

    async def _say_waits(self) -> None:
        """Every WAIT_S until everything is ready: a slow start is not a silent one."""
        while True:
            await asyncio.sleep(WAIT_S)
            if self._ready_said or self._ending:
                return
            if line := self._start.waits(self._children):
                self._view.say(line)

    def _say_start(self, supervisor: Supervisor) -> None:
        if supervisor.all_ready:
            self._ready_said = True
            self._say_ready(len(supervisor.children))
        elif line := self._start.became_ready(supervisor.children):
            self._view.say(line)

    def _say_ready(self, count: int) -> None:
        took_s = time.monotonic() - self._began
        self._view.say(f"ready after {took_s:.1f} s: all {count} services", seconds=took_s)
        if self._before is not None and self._teller is not None:
            after = self._before.recovered(time.time_ns() // 1_000_000)
            self._teller.tell("recovered", after)

    async def _know_venue_start(self, tally: Tally) -> None:
        """The venue's time as early as it can be known: older closes are history to this run."""
        if tally.venue_start_ms is not None:
            return
        if self._profile.simulator is None:
            tally.venue_start_ms = self._started_ms
            return
        port = self._installation.port(PORT_SIMULATOR)
        got = await ask("127.0.0.1", port, "/api/v2/public/time", 1.0)
        if got is not None and got[0] == 200:
            with contextlib.suppress(msgspec.MsgspecError, KeyError, TypeError, ValueError):
                answer = msgspec.json.decode(got[1])
                tally.venue_start_ms = int(answer["data"]["serverTime"])

    def _keep_state(self, supervisor: Supervisor) -> None:
        pids = [child.pid for child in supervisor.children]
        if pids == self._pids:
            return
        self._pids = pids
        state = UpState(
            pid=os.getpid(),
            half=self._half,
            profile=self._installation.profile,
            started_ms=self._started_ms,
            port_base=self._installation.port_base,
            workers=[_worker_state(child) for child in supervisor.children],
        )
        write_state(self._installation, state)

    def _changed(self, child: Child, text: str) -> None:
        self._view.say(text, worker=child.worker.name)
        if child.state == "misconfigured" and not self._ready_said:
            self._misconfigured.set()


def trading_of(workers: Sequence[Worker]) -> set[str]:
    """Services that are started at once."""
    return {each.service for each in workers if half_of(each.service) == "trading"}


def may_talk(children: Sequence[Child], waited_s: float) -> bool:
    """Whether what talks to people is started: trading first, it would take a processor from it."""
    trading = [child for child in children if half_of(child.worker.service) == "trading"]
    return all(child.ready for child in trading) or waited_s > TALK_S_MAX


def _worker_state(child: Child) -> WorkerState:
    return WorkerState(
        name=child.worker.name,
        service=child.worker.service,
        instance=child.worker.instance,
        port=child.port,
        pid=child.pid,
    )


@contextlib.asynccontextmanager
async def _kafka(
    installation: Installation, profile: Profile, view: View, start: Start
) -> AsyncIterator[None]:
    """Kafka with its topics while the block runs; who comes first starts it and makes them."""
    from chandler.streams.admin import create_topics
    from chandler.streams.embedded import lease

    held = lease(installation, view.say)
    taking = asyncio.ensure_future(asyncio.to_thread(held.__enter__))
    try:
        await asyncio.shield(taking)
    except asyncio.CancelledError:
        await asyncio.wait([taking])
        if taking.exception() is None:
            await asyncio.to_thread(held.__exit__, None, None, None)
        raise
    try:
        kafka = profile.kafka
        view.say(start.ready("kafka"))
        start.step = "Kafka's topics"
        await create_topics(installation, kafka.symbol_partitions, kafka.replication)
        yield
    finally:
        await asyncio.to_thread(held.__exit__, None, None, None)


async def _repair(installation: Installation, view: View, teller: Infra | None) -> None:
    """Starts Kafka again if it dies, and says so; `teller` None: another says it."""
    from chandler.streams.embedded import EmbeddedKafkaError, alive, ensure_running

    lost = False

    def told(kind: Literal["connection_lost", "connection_back"], why: str) -> None:
        view.say(f"kafka: {why}")
        if teller is not None:
            teller.tell(kind, f"broker: {why}", "kafka")

    while True:
        await asyncio.sleep(KAFKA_LOOK_S)
        if not lost and installation.embedded and not alive(installation):
            lost = True
            told("connection_lost", "its process is gone")
        try:
            await asyncio.to_thread(ensure_running, installation, view.say, only_if_leased=True)
        except EmbeddedKafkaError as error:
            if not lost:
                told("connection_lost", str(error))
            lost = True
            continue
        if lost:
            lost = False
            told("connection_back", "it answers again")
