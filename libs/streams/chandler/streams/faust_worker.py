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
from chandler.streams.health import Health
from chandler.streams.settings import Installation

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
    failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    app = _app(setup, installation)
    _add_agent(app, setup, installation, failure, health, watcher)
    work = asyncio.create_task(_work(app), name="faust")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    watching = asyncio.create_task(_watch(app, health), name="watch")
    try:
        await asyncio.wait([work, stopping, failure], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _stopped(app)
        for task in (work, stopping, watching):
            task.cancel()
        await asyncio.gather(work, stopping, watching, return_exceptions=True)
    error = failure.exception() if failure.done() else None
    if error is None and not stop.is_set() and not work.cancelled():
        error = work.exception() or RuntimeError("faust ended by itself: start the service again")
    if error is not None:
        raise error


async def _work(app: faust.App) -> None:
    await app.start()
    await app.wait_until_stopped()
    if app.crash_reason is not None:
        raise app.crash_reason


def _app(setup: FaustView, installation: Installation) -> faust.App:
    """A faust app without a web server, logging or signals of its own."""
    group = group_name(installation, setup.service)
    folder = installation.data / "faust" / setup.service
    folder.mkdir(parents=True, exist_ok=True)
    brokers = [f"aiokafka://{broker}" for broker in installation.bootstrap.split(",")]
    return faust.App(
        group,
        broker=brokers,
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


def _add_agent(
    app: faust.App,
    setup: FaustView,
    installation: Installation,
    failure: "asyncio.Future[None]",
    health: Health,
    watcher: Watcher,
) -> None:
    source = app.topic(
        topic_name(installation, setup.topic), key_serializer="raw", value_serializer="raw"
    )
    table = app.Table(setup.table, partitions=setup.partitions)
    restored = False

    async def fold(stream: Any) -> None:
        nonlocal restored
        async for event in stream.events():
            if failure.done():
                return
            try:
                if not restored:
                    setup.view.restore(table.items())
                    restored = True
                step = _step(setup, event.message, watcher)
                for key, value in step.rows:
                    table[key] = value
                for output in step.outputs:
                    await _send(app, installation, output)
                watcher.took(1, len(step.outputs))
                health.age_s = max(0.0, time.time() - event.message.timestamp)
            except Exception as error:
                if not failure.done():
                    failure.set_exception(error)
                raise

    app.agent(source, name=setup.service)(fold)


def _step(setup: FaustView, message: Any, watcher: Watcher) -> Step:
    try:
        return setup.view.take(decode(setup.topic, message.value))
    except UndecodableError as error:
        found = letter(
            setup.service,
            "undecodable",
            str(error),
            setup.topic,
            message.partition,
            message.offset,
            message.value or b"",
        )
        watcher.dead_letter(found)
        return Step(outputs=[Output("dead-letters", setup.service, found)])


async def _send(app: faust.App, installation: Installation, output: Output) -> None:
    await app.send(
        topic_name(installation, output.topic),
        key=output.key.encode(),
        value=encode(output.event),
        key_serializer="raw",
        value_serializer="raw",
    )


async def _watch(app: faust.App, health: Health) -> None:
    """Tells the health: ready once the table is recovered; the lag counts what is in buffers."""
    while True:
        recovered = app.tables.recovery.completed.is_set()  # type: ignore[attr-defined]
        health.ready = bool(app.started and recovered and not app.rebalancing and _inputs(app))
        health.state = "ready" if health.ready else "recovering"
        if health.ready:
            health.lag = await _lag(app)
        await asyncio.sleep(WATCH_S)


def _inputs(app: faust.App) -> list[Any]:
    changelogs = app.tables.changelog_topics
    return [tp for tp in app.consumer.assignment() if tp.topic not in changelogs]


async def _lag(app: faust.App) -> int:
    """Records that are not taken yet; a position is behind the markers of transactions."""
    behind = len(app.consumer.unacked)
    for tp in _inputs(app):
        end = app.consumer.highwater(tp)
        position = await app.consumer.position(tp)
        behind += max(0, (end or 0) - (position or 0))
    return behind


async def _stopped(app: faust.App) -> None:
    try:
        async with asyncio.timeout(STOP_S_MAX):
            await app.stop()
    except TimeoutError:
        logging.getLogger(__name__).info("faust did not stop in %g s: cancelled", STOP_S_MAX)
