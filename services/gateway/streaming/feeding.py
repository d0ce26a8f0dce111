"""Brings what the topics say to the hub; Kafka's outages are waited for."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from chandler.core.granularity import INTERVAL_MS
from chandler.streams.reader import follow_batches, follow_lanes, read_topics
from chandler.streams.reading.spans import between, span
from chandler.streams.settings import Installation
from services.exits import one_line
from services.following.sources import is_outage
from services.gateway.streaming.telling.hub import Hub

AGAIN_S = 1.0  # between an outage and the next try
PAST_MS = 600_000  # before the start: what clients of the gateway before this one may have missed
NEWEST = 1_000  # offsets of each partition of a state that are looked at first
OVERLAP_MS = 5_000  # that states are read again after an outage
CANDLES = tuple(f"candles.{granularity}" for granularity in INTERVAL_MS)
EVENTS = (
    "orders",
    "positions",
    "signals",
    "signals.external",
    "pumps",
    "infra",
    "commands",
    "answers",
    "notices",
    *CANDLES,
)
STATES = ("tickers", "matrix")
ONCE = ("pumps", "commands")  # of which the newest are known from the start
TOPICS_OF = {  # as clients ask for them, by the catalogue's name
    **dict.fromkeys(CANDLES, "candles"),
    "signals.external": "signals",
}


class Feeding:
    """Follows until it is cancelled."""

    def __init__(self, installation: Installation, hub: Hub, log: logging.Logger) -> None:
        self._installation = installation
        self._hub = hub
        self._log = log
        self.trouble = ""  # why what is told may be old; "": it isn't

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kept("events", self._events))
            group.create_task(self._kept("states", self._states))

    async def _kept(self, name: str, follow: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await follow()
            except Exception as error:
                if not is_outage(error):
                    raise
                if not self.trouble:
                    self._log.warning("%s can't be followed: %s", name, one_line(error))
                self.trouble = one_line(error)
            await asyncio.sleep(AGAIN_S)

    async def _events(self) -> None:
        hub, ring = self._hub, self._hub.ring
        if not hub.ready.is_set():
            found = await span(self._installation, EVENTS, _now_ms() - PAST_MS)
            async for record in read_topics(self._installation, ONCE, newest=NEWEST):
                if record.event is not None:
                    hub.know(record.event)
            ring.begin(found.begins)
            async for record in between(self._installation, ring.following, found.ends):
                hub.take(record)
            ring.advance(found.ends)
            hub.ready.set()
        lanes = follow_lanes(self._installation, EVENTS, ring.following, 0, asyncio.Event())
        async with aclosing(lanes) as batches:
            async for batch in batches:
                self.trouble = ""
                for record in batch:
                    hub.take(record)

    async def _states(self) -> None:
        began_ms = _now_ms() - OVERLAP_MS
        async for record in read_topics(self._installation, STATES, newest=NEWEST):
            if record.event is not None:
                self._hub.know(record.event)
        following = follow_batches(self._installation, STATES, began_ms)
        async with aclosing(following) as batches:
            async for batch in batches:
                for record in batch:
                    if record.event is not None:
                        self._hub.know(record.event)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
