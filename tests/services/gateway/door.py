"""The gateway's routes without any topic: for who may call, and how."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from chandler.streams.settings import installation
from chandler.streams.telemetry.metrics import Metrics, standard
from services.declaration import Context, Health
from services.gateway.access.store import Store
from services.gateway.parts import Parts
from services.gateway.service import SERVICE, guarded, parts_of
from services.gateway.serving import served
from services.profile import Profile
from tests.services.gateway.house import Asking


class Door(Asking):
    """A gateway that reads no topics, on a port of its own."""

    def __init__(self, data: Path, url: str, session: aiohttp.ClientSession, parts: Parts) -> None:
        self.data = data
        self.url = url
        self.session = session
        self.parts = parts


@asynccontextmanager
async def door(data: Path, profile: Profile, **environ: str) -> AsyncIterator[Door]:
    """One life of it."""
    here = installation({"CHANDLER_DATA": str(data), "CHANDLER_BROKERS": "127.0.0.1:1", **environ})
    context = Context(
        installation=here,
        profile=profile,
        shard=None,
        stop=asyncio.Event(),
        health=Health(),
        log=logging.getLogger("test.gateway"),
        code="code",
        metrics=Metrics("gateway", (*standard("gateway"), *SERVICE.metrics)),
    )
    store = Store(data)
    try:
        parts, _ = parts_of(context, store)
        app = guarded(context, parts)
        async with (
            served(app, "127.0.0.1", 0, profile.gateway) as port,
            aiohttp.ClientSession() as session,
        ):
            yield Door(data, f"http://127.0.0.1:{port}", session, parts)
    finally:
        store.close()
