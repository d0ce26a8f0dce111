"""What the demo's person reads and writes, at the stand-in that takes Telegram's place."""

import asyncio
from typing import Any

import aiohttp

from chandler.streams.settings import PORT_TELEGRAM
from tests.simulation.system import System

USER = 999_999_999_999_999  # the demo's


def chat(system: System) -> list[str]:
    """What stands in the person's chat."""

    async def ask() -> Any:
        port = system.installation.port(PORT_TELEGRAM)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/control/chats/{USER}") as response,
        ):
            return await response.json()

    return [each.get("text", "") for each in asyncio.run(ask())["messages"]]


def say(system: System, text: str) -> None:
    """Writes to the bot."""

    async def post() -> None:
        port = system.installation.port(PORT_TELEGRAM)
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"http://127.0.0.1:{port}/control/messages", json={"user_id": USER, "text": text}
            ) as response,
        ):
            assert response.status == 200, await response.text()

    asyncio.run(post())
