"""What the demo's person reads and writes, at the stand-in that takes Telegram's place."""

import asyncio
from pathlib import Path
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
    _control(system, "messages", {"user_id": USER, "text": text})


def unhurried(system: System) -> None:
    """Lifts Telegram's limit of a message a second."""
    _control(system, "limits", {"off": True})


def _control(system: System, path: str, body: dict[str, Any]) -> None:
    async def post() -> None:
        port = system.installation.port(PORT_TELEGRAM)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{port}/control/{path}", json=body) as response,
        ):
            assert response.status == 200, await response.text()

    asyncio.run(post())


def singly(folder: Path) -> list[str]:
    """Flags of an `up` that tells each notice by itself, however many come at once."""
    profile = folder / "singly.toml"
    profile.write_text('extends = "demo"\n[notices]\nflood = 100000\n')
    return ["--profile", str(profile)]
