"""Pushes a bot's updates to its webhook, one after the other, until each was taken."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson

from services.telegram_stand_in.updates import Updates

ANSWER_S_MAX = 60.0
RETRY_S_MAX = 60.0
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105


class Webhook:
    """Where a bot's updates go; without an address they wait to be fetched."""

    def __init__(self, updates: Updates, now: Callable[[], float], retry_s: float) -> None:
        """`retry_s`: seconds after a failure, doubled with each up to RETRY_S_MAX."""
        self._updates, self._now, self._retry_s = updates, now, retry_s
        self._secret = ""
        self._task: asyncio.Task[None] | None = None
        self.url, self.connections_max = "", 40
        self.error, self.error_s = "", 0

    async def set(self, url: str, secret: str, connections_max: int) -> None:
        """Pushes there from now on; an empty address ends it."""
        await self.close()
        self.url, self._secret, self.connections_max = url, secret, connections_max
        self.error = ""
        if url:
            self._task = asyncio.create_task(self._push(), name="webhook")

    async def close(self) -> None:
        """Ends the pushing; the address stays."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _push(self) -> None:
        headers = {"Content-Type": "application/json"}
        if self._secret:
            headers[SECRET_HEADER] = self._secret
        timeout, failures = aiohttp.ClientTimeout(total=ANSWER_S_MAX), 0
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            while True:
                update = await self._updates.first()
                self.error = await self._error_of(session, update)
                if not self.error:
                    failures = 0
                    self._updates.pushed(update)
                    continue
                self.error_s = int(self._now())
                await asyncio.sleep(min(self._retry_s * 2.0**failures, RETRY_S_MAX))
                failures = min(failures + 1, 20)

    async def _error_of(self, session: aiohttp.ClientSession, update: dict[str, Any]) -> str:
        """Sends an update; what went wrong, or nothing."""
        try:
            async with session.post(self.url, data=orjson.dumps(update)) as answer:
                await answer.read()
                if 200 <= answer.status < 300:
                    return ""
                return f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except TimeoutError:
            return "Read timeout expired"
        except (aiohttp.ClientError, OSError) as error:
            return f"Connection failed: {type(error).__name__}"
