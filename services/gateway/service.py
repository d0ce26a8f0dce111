"""gateway: the door for programs and people: signals and commands in, what happens out.

It reads topics and writes signals and commands; nothing that trades ever waits for it.
"""

import asyncio
import ipaddress
import os
import time
from typing import get_args
from urllib.parse import urlsplit

from fastapi import APIRouter

from chandler.core.granularity import INTERVAL_MS
from chandler.streams.settings import PORT_GATEWAY
from services.declaration import Context, Metric, Service
from services.following.scanned import SCANNED
from services.following.sources import Sources
from services.following.views import LATELY, Views
from services.gateway.access.gate import Gate
from services.gateway.access.store import Store
from services.gateway.access.tokens import Tokens, secret_of
from services.gateway.address import url
from services.gateway.app import make_app
from services.gateway.guarding import Guard
from services.gateway.parts import Parts
from services.gateway.routes import access, commands, docs, hooks, keys, pages, signals
from services.gateway.routes.reading import READING
from services.gateway.sending.hearing import TOPICS
from services.gateway.sending.sending import Sending
from services.gateway.serving import served
from services.gateway.shapes.commands import What
from services.gateway.streaming import sockets
from services.gateway.streaming.feeding import EVENTS, STATES
from services.gateway.streaming.metrics import METRICS
from services.gateway.streaming.stream import Stream

HEALTH_S = 0.2
DESK = ("desk.state", "positions", "tickers")
ROUTERS: tuple[APIRouter, ...] = (
    access.router,
    keys.router,
    hooks.router,
    signals.router,
    commands.router,
    sockets.router,
    docs.router,
    *READING,
)
PAGES: tuple[APIRouter, ...] = (pages.router,)
WAITING_MAX = 29  # questions that wait for a place to be looked up: a page asks for several at once

READS = tuple(
    dict.fromkeys(
        (
            *LATELY,
            *SCANNED,
            *TOPICS,
            *DESK,
            *EVENTS,
            *STATES,
            "gateway.state",
            "desk",
            "exits",
            *(f"{kind}.{each}" for kind in ("candles", "indicators") for each in INTERVAL_MS),
        )
    )
)


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


async def run(context: Context) -> None:
    """Serves until the stop."""
    store = Store(context.installation.data)
    try:
        parts, sending = parts_of(context, store)
        await _serve(context, parts, sending)
    finally:
        store.close()


def parts_of(context: Context, store: Store) -> tuple[Parts, Sending]:
    """What the routes stand on."""
    installation, profile = context.installation, context.profile
    tokens = Tokens(secret_of(installation, os.environ))
    sources = Sources(installation, profile, context.log, waiting_max=WAITING_MAX)
    views = Views(sources, scans=True)
    sending = Sending(installation, profile, views, sources, now_ms, context.metrics, context.log)
    per_second = profile.gateway.requests_per_second
    parts = Parts(
        installation=installation,
        profile=profile,
        views=views,
        sources=sources,
        access=Gate(store, tokens, profile.users, now_ms, per_second),
        now_ms=now_ms,
        metrics=context.metrics,
        sending=sending,
        code=context.code,
    )
    parts.streaming = Stream(parts)
    return parts, sending


def guarded(context: Context, parts: Parts) -> Guard:
    """The whole application."""
    gateway, here = context.profile.gateway, context.installation
    reached = urlsplit(here.gateway_address).netloc
    hosts = [*gateway.hosts, *([reached] if reached else [])]
    return Guard(
        make_app(parts, ROUTERS, PAGES),
        hosts=hosts,
        any_host=not (_is_loopback(here.http_host) or hosts),
        tls=bool(gateway.tls_cert),
        address_per_second=gateway.address_requests_per_second,
        metrics=context.metrics,
        log=context.log,
    )


async def _serve(context: Context, parts: Parts, sending: Sending) -> None:
    host = context.installation.http_host
    port = context.installation.port(PORT_GATEWAY)
    app = guarded(context, parts)
    async with asyncio.TaskGroup() as group:
        following = [
            group.create_task(each)
            for each in (
                parts.views.run(),
                sending.run(),
                parts.streaming.run(),
                _tell_health(context, parts, sending),
            )
        ]
        async with served(app, host, port, context.profile.gateway):
            context.log.info("the page is at %s", url(context.installation, context.profile))
            await context.stop.wait()
            sending.hearing.end()
        for task in following:
            task.cancel()


async def _tell_health(context: Context, parts: Parts, sending: Sending) -> None:
    """Ready once topics are read and the keys of the day are known."""
    health, metrics = context.health, context.metrics
    while True:
        metrics.set("chandler_gateway_waiting_requests", sending.writer.waiting)
        trouble = sending.hearing.trouble or parts.views.trouble("desk", "lately")
        if not sending.hearing.trouble:
            health.age_s = 0.0
        if sending.writer.ready.is_set() and not sending.hearing.trouble:
            health.ready = True
        health.state = trouble or "ready"
        await asyncio.sleep(HEALTH_S)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


SERVICE = Service(
    name="gateway",
    kind="edge",
    doc="takes signals and commands over HTTP, shows what happens",
    reads=READS,
    writes=("signals.external", "commands", "gateway.state"),
    metrics=(
        Metric(
            name="chandler_gateway_requests_total",
            kind="counter",
            doc="answered requests, by the class of their status",
            labels=("status",),
            known=("2xx", "3xx", "4xx", "5xx"),
        ),
        Metric(
            name="chandler_gateway_request_seconds",
            kind="histogram",
            doc="from a request to the end of its answer",
        ),
        Metric(
            name="chandler_gateway_signals_total",
            kind="counter",
            doc="signals that were taken, or had been before",
            labels=("outcome",),
            known=("taken", "repeated"),
        ),
        Metric(
            name="chandler_gateway_acknowledge_seconds",
            kind="histogram",
            doc="a transaction with all requests that waited for it",
        ),
        Metric(
            name="chandler_gateway_waiting_requests",
            kind="gauge",
            doc="requests that wait for Kafka",
        ),
        Metric(
            name="chandler_gateway_logins_total",
            kind="counter",
            doc="logins, by what became of them",
            labels=("outcome",),
            known=("well", "login_failed", "slowed", "busy"),
        ),
        Metric(
            name="chandler_gateway_commands_total",
            kind="counter",
            doc="commands that were asked for",
            labels=("what",),
            known=get_args(What),
        ),
        *METRICS,
    ),
    run=run,
)
