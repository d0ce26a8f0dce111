"""What a service has found of its predecessor, as a notice: once per start, beside its work.

It is no decision, so nothing of it stands in a journal. The same start gives the same id: a notice
that is asked for twice is told once.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeVar

from chandler.core.hashing import digest
from chandler.core.trading.events import NoticeAsked
from chandler.streams.exact import OnRestored
from chandler.streams.settings import Installation
from chandler.streams.telemetry.background import publish

S = TypeVar("S")

Count = Callable[[Mapping[str, S]], dict[str, int]]  # "position" → how many of them


class Recovery:
    """Sums up what the parts of a service restore; `notice` is there when the last one has."""

    def __init__(self, service: str, parts: int) -> None:
        self._service = service
        self._missing = parts
        self._counts: Counter[str] = Counter()
        self._written: dict[str, int] = {}  # by part, those that had a state
        self.notice: asyncio.Future[NoticeAsked | None] = asyncio.Future()

    def part(self, name: str, count: Count[S]) -> OnRestored[S]:
        """Takes in what one part has restored. `count`: the same kinds for every part."""

        def restored(states: Mapping[str, S], written_ms: int) -> None:
            self._counts.update(count(states))
            if written_ms:
                self._written[name] = written_ms
            self._missing -= 1
            if not self._missing:
                self.notice.set_result(self._summed_up(time.time_ns() // 1_000_000))

        return restored

    def _summed_up(self, now_ms: int) -> NoticeAsked | None:
        """None where nothing was there before."""
        if not self._written:
            return None
        kinds = [
            f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in self._counts.items()
        ]
        down_s = max(0, now_ms - max(self._written.values())) / 1_000
        before = [f"{name} {written}" for name, written in sorted(self._written.items())]
        return NoticeAsked(
            id=digest("recovered", self._service, *before),
            level="info",
            agent="",
            text=f"recovered: {', '.join(kinds)}, {down_s:.0f} s down",
            at=now_ms,
        )


@contextlib.asynccontextmanager
async def telling(installation: Installation, recovery: Recovery) -> AsyncIterator[None]:
    """Asks for the notice as soon as it is there, while the block runs."""

    async def tell() -> None:
        notice = await recovery.notice
        if notice is not None:
            await publish(installation, "notices", notice.agent, notice)

    task = asyncio.create_task(tell(), name="recovery")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
