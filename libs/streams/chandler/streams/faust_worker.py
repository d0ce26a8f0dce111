"""Runs a disposable view on faust-streaming, inside the event loop of its service.

At least once, and outside its own `exactly_once` faust reads uncommitted records too: nothing
that decides may read what comes out of here. The only module that imports faust.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import faust
import msgspec

from chandler.core.events import DeadLetter, Event
from chandler.core.stage import Output
from chandler.streams.clients import SESSION_TIMEOUT_MS, connection, group_name, topic_name
from chandler.streams.codec import UndecodableError, decode, encode
from chandler.streams.edge import letter
from chandler.streams.settings import Installation
from chandler.streams.telemetry.health import Health

COMMIT_S = 1.0
STOP_S_MAX = 3.0  # then its tasks are cancelled: everything here is repeatable
WATCH_S = 0.5
BUFFER_RECORDS = 4_096


class Step(NamedTuple):
    """What one event changes: rows of the table, and events to publish."""

    rows: Sequence[tuple[str, Any]] = ()  # key → JSON value; kept in the event's own partition
    outputs: Sequence[Output] = ()


class View(Protocol):
    """A fold whose state is one faust table; it keeps what it needs in memory beside it."""

    def restore(self, rows: Iterable[tuple[str, Any]]) -> None:
        """Takes in the table as it was left, before the first event."""

    def take(self, event: Event) -> Step:
        """Takes in an event; a repeated one must change nothing."""


class Watcher(Protocol):
    """Is told what happens; counts and logs it."""

    def took(self, records: int, outputs: int) -> None: ...

    def dead_letter(self, letter: DeadLetter) -> None: ...


class FaustView(msgspec.Struct, frozen=True, kw_only=True):
    """One input topic, one table, one agent; `chandler-<service>-<table>-changelog` keeps it."""

    service: str
    topic: str  # catalogue name
    table: str
    view: View
    partitions: int  # of the topic, and so of the table
    replication: int = 1
    instance: int = 0


async def run_view(
    setup: FaustView,
    *,
    installation: Installation,
    stop: asyncio.Event,
    health: Health,
    watcher: Watcher,
) -> None:
    """Runs until `stop`; raises what made the view stop (NewerSchemaError, a crash of faust)."""
    worker = _Worker(setup, installation, health, watcher)
    stopping: asyncio.Future[Any] = asyncio.create_task(stop.wait(), name="stop")
    parts: list[asyncio.Future[Any]] = [
        asyncio.create_task(worker.work(), name="faust"),
        asyncio.create_task(worker.watch(), name="watch"),
        worker.failure,
    ]
    try:
        await asyncio.wait({stopping, *parts}, return_when=asyncio.FIRST_COMPLETED)
        ended = [part for part in parts if part.done()]
    finally:
        await worker.end()
        for task in (stopping, *parts):
            task.cancel()
        await asyncio.gather(stopping, *parts, return_exceptions=True)
    for part in ended:
        part.result()
    if not stop.is_set():
        raise RuntimeError("faust ended by itself: start the service again")


class _Worker:
    """One faust app without a web server, logging or signals of its own."""

    def __init__(
        self, setup: FaustView, installation: Installation, health: Health, watcher: Watcher
    ) -> None:
        self._setup = setup
        self._installation = installation
        self._health = health
        self._watcher = watcher
        self._taken: dict[int, int] = {}  # partition → next offset
        self._restored = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._app = _app(setup, installation)
        source = self._app.topic(
            topic_name(installation, setup.topic), key_serializer="raw", value_serializer="raw"
        )
        self._table = self._app.Table(setup.table, partitions=setup.partitions)
        self._app.agent(source, name=setup.service)(self._agent)

    async def work(self) -> None:
        """Starts faust and waits for its end; raises what it died of."""
        await self._app.start()
        await self._app.wait_until_stopped()
        if self._app.crash_reason is not None:
            raise self._app.crash_reason

    async def end(self) -> None:
        """Stops faust; what it has not committed then comes again."""
        try:
            async with asyncio.timeout(STOP_S_MAX):
                if self._app.started:
                    # Its own commit at the end leaves out what came during one under way.
                    await self._app.consumer.commit()
                await self._app.stop()
        except TimeoutError:
            logging.getLogger(__name__).info("faust did not stop in %g s", STOP_S_MAX)

    async def watch(self) -> None:
        """Tells the health: ready once the table is recovered."""
        app, health = self._app, self._health
        while True:
            recovered = app.tables.recovery.completed.is_set()  # type: ignore[attr-defined]
            health.ready = bool(app.started and recovered and not app.rebalancing)
            health.state = "ready" if health.ready else "recovering"
            if health.ready:
                health.lag = await self._lag()
            await asyncio.sleep(WATCH_S)

    async def _lag(self) -> int:
        """Records that are not taken yet. One is none: the marker that ends a transaction."""
        consumer, changelogs = self._app.consumer, self._app.tables.changelog_topics
        behind = 0
        for tp in consumer.assignment():
            if tp.topic not in changelogs:
                taken = self._taken.get(tp.partition) or await consumer.position(tp) or 0
                left = (consumer.highwater(tp) or 0) - taken
                behind += left if left > 1 else 0
        return behind

    async def _agent(self, stream: Any) -> None:
        async for event in stream.events():
            if self.failure.done():
                return
            try:
                await self._take(event.message)
            except Exception as error:
                if not self.failure.done():
                    self.failure.set_exception(error)
                raise

    async def _take(self, message: Any) -> None:
        if not self._restored:
            self._setup.view.restore(self._table.items())
            self._restored = True
        step = self._step(message)
        for key, value in step.rows:
            self._table[key] = value
        for output in step.outputs:
            await self._app.send(
                topic_name(self._installation, output.topic),
                key=output.key.encode(),
                value=encode(output.event),
                key_serializer="raw",
                value_serializer="raw",
            )
        self._taken[message.partition] = message.offset + 1
        self._health.age_s = max(0.0, time.time() - message.timestamp)
        self._watcher.took(1, len(step.outputs))

    def _step(self, message: Any) -> Step:
        setup = self._setup
        try:
            return setup.view.take(decode(setup.topic, message.value))
        except UndecodableError as error:
            place = (setup.topic, message.partition, message.offset)
            found = letter(setup.service, "undecodable", str(error), *place, message.value or b"")
            self._watcher.dead_letter(found)
            return Step(outputs=[Output("dead-letters", setup.service, found)])


def _app(setup: FaustView, installation: Installation) -> faust.App:
    group = group_name(installation, setup.service)
    folder = installation.data / "faust" / setup.service
    folder.mkdir(parents=True, exist_ok=True)
    return faust.App(
        group,
        broker=[f"aiokafka://{broker}" for broker in installation.bootstrap.split(",")],
        broker_credentials=_credentials(installation),
        broker_session_timeout=SESSION_TIMEOUT_MS / 1_000,
        broker_heartbeat_interval=1.5,
        broker_commit_interval=COMMIT_S,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{group}-{setup.instance}",
        processing_guarantee="at_least_once",
        datadir=str(folder),
        store="memory://",
        table_standby_replicas=0,
        topic_partitions=setup.partitions,
        topic_replication_factor=setup.replication,
        topic_disable_leader=True,
        stream_buffer_maxsize=BUFFER_RECORDS,
        stream_wait_empty=False,
        web_enabled=False,
        autodiscover=False,
        loop=asyncio.get_running_loop(),
    )


def _credentials(installation: Installation) -> Any:
    arguments = connection(installation)
    context = arguments.get("ssl_context")
    if "sasl_mechanism" in arguments:
        return faust.SASLCredentials(
            username=arguments["sasl_plain_username"],
            password=arguments["sasl_plain_password"],
            mechanism=arguments["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
