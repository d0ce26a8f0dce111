"""Runs one service: logs, health endpoint, signals, a bounded drain, an exit status.

`./chandler run SERVICE [--shard N]`; what `up`, images and pods call. 0: it was asked to end and
has drained, 1: it failed, 2: usage, 3: configuration, 4: Kafka can't be reached.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import uvloop

from chandler.streams.settings import Installation, SettingsError
from chandler.streams.settings import installation as read_installation
from chandler.streams.telemetry.health import Behind, Health, endpoint
from chandler.streams.telemetry.infra import Infra, infra
from chandler.streams.telemetry.logs import set_up
from chandler.streams.telemetry.metrics import Metrics, standard
from chandler.streams.telemetry.published import published_logs
from services.declaration import Context, Service
from services.deploying.mounted import refuse_known
from services.exits import (
    FAILED,
    MISCONFIGURED,
    USAGE,
    first_cause,
    is_kafka,
    one_line,
    status_of,
)
from services.layers import ConfigurationError, root
from services.loading import configuration, load_service
from services.plugins import code_hash
from services.topology import INSTANCES_MAX, Worker, http_port
from services.watchdog.life import Before, Life

DRAIN_S_MAX = 4.0
CANCEL_S_MAX = 1.0
END_S_MAX = 8.0  # after the parent's end: then the process goes, drained or not
WATCH_S = 0.25
SUPERVISED_VARIABLE = "CHANDLER_SUPERVISED"  # stdin is a pipe that ends with `up`


class Drained(Exception):  # noqa: N818 - not an error
    """The service did not end by itself in time after it was asked to."""


def main(name: str, shard: int | None = None, log_format: str = "") -> int:
    """Runs the service until it ends; returns the exit status."""
    log = set_up(name, log_format or os.environ.get("CHANDLER_LOG", "text"))
    try:
        installation = read_installation(root=root())
        config = configuration(installation)
        if config.profile.mode == "live":
            refuse_known(os.environ)
        service = load_service(name)
        instance = _instance()
        context = Context(
            installation=installation,
            profile=config.profile,
            shard=shard,
            stop=asyncio.Event(),
            health=Health(),
            log=log,
            code=code_hash(),
            metrics=Metrics(name, (*standard(name), *service.metrics)),
            instance=instance,
        )
    except (SettingsError, ConfigurationError) as error:
        log.error("%s", error)
        return MISCONFIGURED
    except Exception as error:
        return _failed(log, error)
    if os.environ.get(SUPERVISED_VARIABLE):
        threading.Thread(target=end_with_parent, daemon=True).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_service(service, context))


def _instance() -> int:
    text = os.environ.get("CHANDLER_INSTANCE", "0")
    if not text.isdigit() or int(text) >= INSTANCES_MAX:
        raise SettingsError(
            f"CHANDLER_INSTANCE is {text!r}: expected a number from 0 to {INSTANCES_MAX - 1}"
        )
    return int(text)


def end_with_parent() -> None:
    """Ends this process when `up` has gone, even by kill -9: its end of the pipe closes."""
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(END_S_MAX)
    os._exit(FAILED)


def _failed(log: logging.Logger, error: BaseException) -> int:
    cause = first_cause(error)
    log.error("%s", one_line(cause))
    log.debug("where it came from", exc_info=cause)
    return status_of(cause)


def _left_over(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody waited for. aiokafka leaves futures behind whose error it has told already."""
    future, error = context.get("future"), context.get("exception")
    ours = future is None or (asyncio.isfuture(future) and hasattr(future, "get_coro"))
    if not ours and isinstance(error, Exception) and is_kafka(error):
        logging.getLogger(__name__).debug("left by aiokafka: %r", error)
    else:
        loop.default_exception_handler(context)


async def run_service(service: Service, context: Context) -> int:
    """Runs a service inside its health endpoint until SIGTERM or its end; the exit status."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_left_over)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, context.stop.set)
    host = context.installation.http_host
    port = http_port(context.installation, Worker(service.name, context.instance))
    try:
        async with (
            _endpoint(service, context, host, port),
            infra(context.installation, service.name, context.shard) as teller,
            published_logs(teller),
        ):
            return await _served(service, context, teller)
    except OSError as error:
        context.log.error(
            "port %d can't be used (%s): end what uses it, or set CHANDLER_PORT_BASE or "
            "CHANDLER_INSTANCE to another number",
            port,
            error.strerror,
        )
        return FAILED


def _endpoint(
    service: Service, context: Context, host: str, port: int
) -> contextlib.AbstractAsyncContextManager[int]:
    prefix = f"chandler_{service.name}"

    def text() -> bytes:
        health = context.health
        context.metrics.set(f"{prefix}_ready", float(health.ready))
        context.metrics.set(f"{prefix}_lag_records", health.lag)
        context.metrics.set(f"{prefix}_age_seconds", health.age_s if health.took_any else -1.0)
        return context.metrics.text()

    return endpoint(host, port, service.name, context.health, text)


async def _served(service: Service, context: Context, teller: Infra) -> int:
    life = Life(context.installation, _name(service, context))
    before = life.begin()
    context = msgspec.structs.replace(context, tell=teller.tell)
    context.log.info("started", extra={"pid": os.getpid(), "code": context.code[:8]})
    teller.tell("started", f"code {context.code}")
    try:
        await _check_topics(service, context)
        async with _watched(context, teller, life, before):
            await _until_stopped(service, context)
    except Exception as error:
        context.health.ready, context.health.state = False, "failed"
        status = _failed(context.log, error)
        how = f"exit {status}: {type(first_cause(error)).__name__}"
        teller.tell("stopping", how)
        life.end(f"ended with {how}")
        return status
    life.end()
    teller.tell("stopping", "asked to" if context.stop.is_set() else "by itself")
    context.health.ready, context.health.state = False, "stopped"
    context.log.info("stopped")
    return 0


def _name(service: Service, context: Context) -> str:
    """Of this worker, among all that may live with the same data directory: executor.2"""
    name = Worker(service.name, context.instance).name
    return name if context.shard is None else f"{name}.{context.shard}"


async def _until_stopped(service: Service, context: Context) -> None:
    work = asyncio.ensure_future(service.run(context))
    stop = asyncio.create_task(context.stop.wait())
    try:
        await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            context.log.info("stopping")
            context.health.state = "stopping"
            await asyncio.wait([work], timeout=DRAIN_S_MAX)
        if not work.done():
            context.log.warning("not drained after %g s: cancelled", DRAIN_S_MAX)
            work.cancel()
            await asyncio.wait([work], timeout=CANCEL_S_MAX)
            return
        work.result()
    finally:
        stop.cancel()


@contextlib.asynccontextmanager
async def _watched(
    context: Context, teller: Infra, life: Life, before: Before | None
) -> AsyncIterator[None]:
    """Beats, and tells when the service is ready first, and after what where nobody else does."""
    supervised = bool(os.environ.get(SUPERVISED_VARIABLE))

    async def watch() -> None:
        was, behind = False, Behind()
        while True:
            life.beat()
            late_s = context.health.behind_s
            if news := behind.seen(late_s, time.monotonic()):
                teller.tell(news, f"{late_s:.0f} s" if news == "behind" else "")
            if context.health.ready and not was:
                was = True
                context.log.info("ready")
                teller.tell("ready")
                if before is not None and not supervised:
                    teller.tell("recovered", before.recovered(time.time_ns() // 1_000_000))
            await asyncio.sleep(WATCH_S)

    task = asyncio.create_task(watch(), name="watch")
    try:
        yield
    finally:
        task.cancel()


async def _check_topics(service: Service, context: Context) -> None:
    names = sorted({*service.reads, *service.writes} - {"infra"})
    if not names:
        return
    from chandler.streams.admin import check_topics

    await check_topics(context.installation, names, context.profile.kafka.symbol_partitions)


def installed() -> Installation:
    """The installation of this process, with the repository as its root."""
    return read_installation(root=root())


def arguments(words: list[str]) -> tuple[str, int | None, str] | None:
    """(service, shard, log format) of `run SERVICE [--shard N] [--log F]`, None if it is not so."""
    name, shard, log_format = "", None, ""
    rest = [part for word in words for part in word.split("=", 1 if word.startswith("--") else 0)]
    while rest:
        word = rest.pop(0)
        if word == "--shard" and rest and rest[0].isdigit():
            shard = int(rest.pop(0))
        elif word == "--log" and rest and rest[0] in ("text", "json"):
            log_format = rest.pop(0)
        elif not word.startswith("-") and not name:
            name = word
        else:
            return None
    return (name, shard, log_format) if name else None


def run_from(words: list[str]) -> int:
    """`run` with its command line."""
    parsed = arguments(words)
    if parsed is None:
        sys.stderr.write("usage: chandler run SERVICE [--shard N] [--log text|json]\n")
        return USAGE
    return main(*parsed)
