"""What a service knows of the topics without asking anybody: folds that follow them.

Each is made anew, from a bounded past, after an outage; what was known before stays until then.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Literal, Protocol, TypeVar, get_args

from chandler.streams.reader import Record, follow_batches, read_topics
from chandler.streams.settings import Installation
from services.exits import one_line
from services.following.folds import Lately
from services.following.scanned import SCANNED, Scanned
from services.following.sources import Sources, is_outage
from services.showing.orders import Tail, Wanted
from services.showing.standing import OVERLAP_MS, Standing, watched

AGAIN_S = 2.0  # between an outage and the next try
SILENT_S = 30.0  # of topics that say nothing new: then answers say so
ORDERS_KEPT = 3_000  # and as many refusals
ORDERS_NEWEST = 4_000  # offsets of each partition that are read at the start
LATELY_NEWEST = 1_000
SCANNED_NEWEST = 8_000  # rows of engines on long candles are far apart
LATELY = (
    "market",
    "infra",
    "logs",
    "signals",
    "signals.external",
    "candles.last",
    "instruments",
)
NOT_YET = "the topics are not read yet: ask again in a moment"

Followed = Literal["desk", "orders", "lately", "scanned"]


class Fold(Protocol):
    """Takes records in."""

    def take(self, record: Record) -> None: ...


F = TypeVar("F", bound=Fold)


class Views:
    """The desk as it stands, the newest orders, and what was said lately.

    `scans`: what is said of each symbol is followed, too.
    """

    def __init__(self, sources: Sources, *, scans: bool = False) -> None:
        self._sources = sources
        self._scans = scans
        self.desk = Standing()
        self.orders = _tail()
        self.lately = Lately()
        self.scanned = Scanned()
        self._troubles: dict[Followed, str] = dict.fromkeys(get_args(Followed), NOT_YET)
        self._read: set[Followed] = set()
        self._heard: dict[Followed, float] = {}  # of what is never silent for long; monotonic

    async def run(self) -> None:
        """Follows until it is cancelled; Kafka's outages are waited for.

        By nothing else: a second cancellation would interrupt the closing of a reader.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kept("desk", self._desk))
            group.create_task(self._kept("orders", self._orders))
            group.create_task(self._kept("lately", self._lately))
            if self._scans:
                group.create_task(self._kept("scanned", self._scanned))

    def symbols(self) -> frozenset[str]:
        """Those that ingest follows: what can be traded and drawn."""
        return frozenset(self.lately.symbols)

    def clock_ms(self) -> int:
        """The newest event time that is known: the venue's time; 0: unknown."""
        return max(self.desk.newest_ms(), self.lately.newest_ms)

    def known(self, *followed: Followed) -> bool:
        """Whether these have been read: what is known of them may be old, and is not nothing."""
        return self._read.issuperset(followed)

    def trouble(self, *followed: Followed) -> str:
        """Why what is known of these may be missing or old, one line; "" where it is as it is."""
        for each in followed:
            if self._troubles[each]:
                return self._troubles[each]
        heard = [self._heard[each] for each in followed if each in self._heard]
        silent_s = time.monotonic() - min(heard, default=time.monotonic())
        if silent_s > SILENT_S:
            return f"nothing new for {round(silent_s)} s: see the status"
        return ""

    async def _kept(self, name: Followed, follow: Callable[[], AsyncGenerator[None, None]]) -> None:
        while True:
            try:
                async with aclosing(follow()) as known:
                    async for _ in known:
                        self._troubles[name] = ""
                        self._read.add(name)
            except Exception as error:
                if not is_outage(error):
                    raise
                if self._troubles[name] in ("", NOT_YET):
                    self._sources.log.warning("%s can't be followed: %s", name, one_line(error))
                self._troubles[name] = one_line(error)
            await asyncio.sleep(AGAIN_S)

    async def _desk(self) -> AsyncGenerator[None, None]:
        clock_ms = -1
        async with aclosing(watched(self._sources.installation)) as pictures:
            async for self.desk in pictures:
                if self.desk.newest_ms() != clock_ms:
                    clock_ms = self.desk.newest_ms()
                    self._heard["desk"] = time.monotonic()
                yield

    async def _orders(self) -> AsyncGenerator[None, None]:
        known = newest_known(self._sources.installation, ["orders"], ORDERS_NEWEST, _tail)
        async with aclosing(known) as tails:
            async for self.orders in tails:
                self._heard["orders"] = time.monotonic()
                yield

    async def _lately(self) -> AsyncGenerator[None, None]:
        known = newest_known(self._sources.installation, LATELY, LATELY_NEWEST, Lately)
        async with aclosing(known) as folds:
            async for self.lately in folds:
                yield

    async def _scanned(self) -> AsyncGenerator[None, None]:
        known = newest_known(self._sources.installation, SCANNED, SCANNED_NEWEST, Scanned)
        async with aclosing(known) as folds:
            async for self.scanned in folds:
                yield


def _tail() -> Tail:
    return Tail(Wanted("", "", 0), ORDERS_KEPT)


async def newest_known(
    installation: Installation, topics: Sequence[str], newest: int, make: Callable[[], F]
) -> AsyncGenerator[F, None]:
    """A fold of the newest of these topics, again whenever it has taken something in."""
    fold = make()
    following: dict[tuple[str, int], int] = {}

    def take(record: Record) -> None:
        place = (record.topic, record.partition)
        if record.offset >= following.get(place, 0):
            following[place] = record.offset + 1
            fold.take(record)

    began_ms = round(time.time() * 1_000) - OVERLAP_MS
    async for record in read_topics(installation, topics, newest=newest):
        take(record)
    yield fold
    async with aclosing(follow_batches(installation, topics, began_ms)) as batches:
        async for batch in batches:
            for record in batch:
                take(record)
            if batch:
                yield fold
