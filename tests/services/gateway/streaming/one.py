"""A gateway of its own process that serves the WebSocket alone: PORT PAST_MS."""

import asyncio
import logging
import sys
import time

import uvicorn
from fastapi import FastAPI

from chandler.core.trading.agents import AgentConfig
from chandler.streams.settings import installation
from services.following.sources import Sources
from services.following.views import Views
from services.gateway.parts import Parts
from services.gateway.streaming import feeding
from services.gateway.streaming.frames import Protocol
from services.gateway.streaming.sockets import router
from services.gateway.streaming.stream import Stream
from services.profile import Profile
from tests.services.gateway.streaming.listening import USERS, People


async def main(port: int, past_ms: int) -> None:
    feeding.PAST_MS = past_ms
    place = installation()
    profile = Profile(agents={"anna": AgentConfig(), "bert": AgentConfig()}, users=USERS)
    sources = Sources(place, profile, logging.getLogger("one"))
    parts = Parts(
        installation=place,
        profile=profile,
        views=Views(sources),
        sources=sources,
        access=People(),
        now_ms=lambda: time.time_ns() // 1_000_000,
    )
    parts.streaming = Stream(parts)
    app = FastAPI()
    app.state.parts = parts
    app.include_router(router, prefix="/v1")
    config = uvicorn.Config(
        app, port=port, ws=Protocol, ws_per_message_deflate=False, log_config=None, lifespan="off"
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(parts.views.run())
        group.create_task(parts.streaming.run())
        group.create_task(uvicorn.Server(config).serve())


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
