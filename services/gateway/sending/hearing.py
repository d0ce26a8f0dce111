"""Follows what becomes of signals and commands, and wakes whoever waits for it."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing, suppress
from typing import TypeVar

from services.exits import one_line
from services.following.sources import Sources, is_outage
from services.following.views import AGAIN_S, NOT_YET, newest_known
from services.gateway.sending.heard import Heard

TOPICS = ("orders", "commands", "answers", "signals.external")
NEWEST = 4_000  # offsets of each partition that are read at the start

R = TypeVar("R")


class Hearing:
    """`heard` as it stands; `run` keeps it up."""

    def __init__(self, sources: Sources, engines: Iterable[str]) -> None:
        self._sources = sources
        self._engines = frozenset(engines)
        self.heard = Heard(self._engines)
        self.trouble = NOT_YET  # why it may be old; "": it is as it is
        self._changed = asyncio.Event()
        self._ended = False

    async def run(self) -> None:
        """Follows until it is cancelled; Kafka's outages are waited for."""
        while True:
            try:
                found = newest_known(
                    self._sources.installation, TOPICS, NEWEST, lambda: Heard(self._engines)
                )
                async with aclosing(found) as folds:
                    async for self.heard in folds:
                        self.trouble = ""
                        self._wake()
            except Exception as error:
                if not is_outage(error):
                    raise
                if self.trouble in ("", NOT_YET):
                    self._sources.log.warning("outcomes can't be followed: %s", one_line(error))
                self.trouble = one_line(error)
            await asyncio.sleep(AGAIN_S)

    async def until(self, look: Callable[[Heard], R | None], within_s: float) -> R | None:
        """What `look` finds, as soon as it finds something; None: not in time, or it ends here."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (found := look(self.heard)) is None and not self._ended:
                    await self._changed.wait()
                return found
        return look(self.heard)

    def end(self) -> None:
        """Nobody waits any more: the answer is what is known by now."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        """Whoever waits looks again; who waits from now on waits for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()
