"""Sends signals and commands, and says what became of them."""

import asyncio
import logging
import time
from collections.abc import Callable

from chandler.core.granularity import DAY_MS
from chandler.streams.settings import Installation
from services.declaration import Metrics
from services.desks import desks
from services.following.sources import Sources
from services.following.views import Views
from services.gateway.problems import Problem
from services.gateway.sending.hearing import Hearing
from services.gateway.sending.writer import (
    Asked,
    AwayError,
    FullError,
    Out,
    ReusedError,
    Writer,
)
from services.plugins import resolve
from services.profile import Profile

WITHIN_S = 10.0  # that Kafka may take before the answer is that it is away
CLOCK_S = 0.25  # between two looks at the views' clock


class Sending:
    """One gateway's; `run` keeps it going."""

    def __init__(
        self,
        installation: Installation,
        profile: Profile,
        views: Views,
        sources: Sources,
        now_ms: Callable[[], int],
        metrics: Metrics,
        log: logging.Logger,
    ) -> None:
        self.profile = profile
        self.desks = desks(profile)
        self.engines = frozenset(each.name for each in resolve(profile))
        self.views = views
        self.hearing = Hearing(sources, self.engines)
        self.writer = Writer(
            installation,
            log,
            now_ms,
            lambda took_s: metrics.observe("chandler_gateway_acknowledge_seconds", took_s),
        )
        self.now_ms = now_ms
        self._clock = 0, 0.0  # of the views, and when that was looked at

    async def run(self) -> None:
        """Until it is cancelled; ends by what people have to look at."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.writer.run())
            group.create_task(self.hearing.run())

    def clock_ms(self) -> int:
        """The venue's time as far as it is known; 0: nothing is known yet."""
        newest, looked = self._clock
        if time.monotonic() - looked >= CLOCK_S:
            newest = self.views.clock_ms()
            self._clock = newest, time.monotonic()
        return max(newest, self.views.desk.ticked_ms, self.hearing.heard.clock_ms)

    def until_ms(self, at_ms: int, seconds: float) -> int:
        """When something of `at_ms` expires, so many wall seconds later."""
        return at_ms + min(round(seconds * 1_000 * self.profile.pace), DAY_MS)

    async def begun(self, within_s: float = WITHIN_S) -> None:
        """Returns once it is known what was taken before this gateway's life. Problem 503."""
        try:
            async with asyncio.timeout(within_s):
                await self.writer.ready.wait()
        except TimeoutError:
            raise away(begun=False, within_s=within_s) from None

    async def send(self, asked: Asked, within_s: float = WITHIN_S) -> Out:
        """Returns when Kafka has it. Problem 409, 503."""
        try:
            return await self.writer.send(asked, within_s)
        except ReusedError:
            raise Problem(
                409,
                "key_reused",
                "this idempotency key was used for something else: take another one",
            ) from None
        except FullError:
            raise Problem(
                503, "busy", "too many requests wait for Kafka: try again", {"Retry-After": "1"}
            ) from None
        except AwayError as error:
            raise away(begun=error.begun, within_s=within_s) from None


def away(*, begun: bool, within_s: float) -> Problem:
    """503: Kafka doesn't answer. `begun`: what was asked may still go out."""
    said = "it may still go out" if begun else "nothing was sent"
    return Problem(
        503,
        "kafka_away",
        f"Kafka has not taken it within {within_s:g} s, {said}: try again with the same "
        "idempotency key",
        {"Retry-After": "2"},
    )
