"""A service's declaration: what it does, reads, writes, keeps as state and measures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from chandler.streams.settings import Installation
from chandler.streams.telemetry.health import Health as Health
from chandler.streams.telemetry.infra import Connection as Connection
from chandler.streams.telemetry.infra import Tell as Tell
from chandler.streams.telemetry.metrics import Metric as Metric
from chandler.streams.telemetry.metrics import Metrics as Metrics
from services.profile import Profile


def _nobody(kind: str, detail: str) -> None:
    """Tells nobody."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the runner hands to a service."""

    installation: Installation
    profile: Profile
    shard: int | None  # None: all of them
    stop: asyncio.Event  # set on SIGTERM or Ctrl-C: drain and return
    health: Health
    log: logging.Logger
    code: str  # hash of the installed core and strategies
    metrics: Metrics = msgspec.field(default_factory=Metrics)  # of the declaration; a test's drops
    tell: Tell = _nobody  # the topic infra, of this service
    instance: int = 0  # which of several workers of a scalable service, from 0


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service, declared once; topology, docs and checks are rendered from it."""

    name: str  # pump_guard
    kind: Literal["stage", "edge", "views"]
    doc: str  # one line
    reads: tuple[str, ...]  # catalogue names
    writes: tuple[str, ...]
    metrics: tuple[Metric, ...]
    run: Callable[[Context], Awaitable[None]]
    scalable: bool = False  # several workers share its partitions
