"""Bounds on what takes long: an answer holds for a while, and few are looked up at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

R = TypeVar("R")


class Recent:
    """What was answered lately, by name. The names are our own, and few."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Any]] = {}
        self._asking: dict[str, asyncio.Lock] = {}
        self._few: dict[str, asyncio.Semaphore] = {}

    async def of(self, name: str, keep_s: float, ask: Callable[[], Awaitable[R]]) -> R:
        """The answer, at most `keep_s` old; what `ask` raises where there is none."""
        async with self._asking.setdefault(name, asyncio.Lock()):
            known = self._known.get(name)
            if known is not None and time.monotonic() - known[0] < keep_s:
                found: R = known[1]
                return found
            answer = await ask()
            self._known[name] = (time.monotonic(), answer)
            return answer

    def few(self, name: str, most: int) -> asyncio.Semaphore:
        """`async with`: at most so many of this name at once, the others wait."""
        return self._few.setdefault(name, asyncio.Semaphore(most))
