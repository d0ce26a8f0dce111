"""A service's declaration: what it does, reads, writes, keeps as state and measures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from chandler.streams.settings import Installation
from services.profile import Profile


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A Prometheus metric that a service exports."""

    name: str  # chandler_<service>_…
    kind: Literal["counter", "gauge", "histogram"]
    doc: str
    labels: tuple[str, ...] = ()


class Health:
    """What /readyz, /healthz and `status` say of this instance."""

    def __init__(self) -> None:
        self.ready = False
        self.state = "starting"  # one or two words for people
        self.lag = 0  # records between what was taken and the end of the inputs
        self.age_s = 0.0  # wall seconds since the newest record that was taken


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the runner hands to a service."""

    installation: Installation
    profile: Profile
    shard: int | None  # None: all of them
    stop: asyncio.Event  # set on SIGTERM or Ctrl-C: drain and return
    health: Health
    log: logging.Logger
    code: str  # hash of the installed core and strategies


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
