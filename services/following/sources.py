"""What answers are looked up in beside the views: the ledger, Kafka, this machine's files."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection

from chandler.core.events import CandleSealed, IndicatorRow, Symbol
from chandler.core.granularity import INTERVAL_MS, Granularity
from chandler.streams.codec import NewerSchemaError
from chandler.streams.reader import ReadError
from chandler.streams.reading.ranges import candles_between, rows_between
from chandler.streams.settings import Installation, SettingsError
from services.exits import is_kafka
from services.layers import ConfigurationError
from services.ledger.address import address
from services.ledger.errors import LedgerError
from services.ledger.opening import snapshot
from services.profile import Profile
from services.showing.places import OrderError

AT_THE_END_MS = 2**42  # later than any record was written: candles are looked for from the end
APART_MAX = 3  # questions that are looked up in threads at once

R = TypeVar("R")


class UnanswerableError(Exception):
    """A question has no answer: one line that says what is missing and what to do."""


OUTAGES = (
    ReadError,
    NewerSchemaError,
    LedgerError,
    OrderError,
    ConfigurationError,
    SettingsError,
    OSError,
    UnanswerableError,
)


def is_outage(error: Exception) -> bool:
    """Whether it is of the world outside or of the question, and not a fault of ours."""
    return isinstance(error, OUTAGES) or is_kafka(error)


class Sources:
    """One installation's; looking up never holds up who asks, and is bounded by who waits.

    `waiting_max`: questions that may wait for a thread; those beyond have no answer.
    """

    def __init__(
        self,
        installation: Installation,
        profile: Profile,
        log: logging.Logger | None = None,
        *,
        waiting_max: int = 0,
    ) -> None:
        self.installation = installation
        self.profile = profile
        self.log = log or logging.getLogger("chandler.following")
        self._most = APART_MAX + waiting_max
        self._threads = ThreadPoolExecutor(APART_MAX, "apart")
        self._under_way = 0
        self._counting = threading.Lock()

    async def apart(self, work: Callable[[], R]) -> R:
        """What `work` returns, done in a thread; UnanswerableError where too much is under way.

        A thread that nobody waits for any more keeps its place until it ends.
        """
        with self._counting:
            if self._under_way >= self._most:
                raise UnanswerableError(
                    f"{self._most} questions before this one are still being looked up: try again "
                    "in a moment"
                )
            self._under_way += 1
        future = self._threads.submit(work)
        future.add_done_callback(self._ended)
        return await asyncio.wrap_future(future)

    async def ledger(self, question: Callable[[Connection], R]) -> R:
        """The ledger's answer, of one snapshot that can only be read. LedgerError."""
        url = address(self.installation, self.profile.ledger.url)

        def ask() -> R:
            with snapshot(url) as connection:
                return question(connection)

        return await self.apart(ask)

    async def indicators(
        self, symbol: Symbol, granularity: Granularity, close_ms: int, most: int
    ) -> list[IndicatorRow]:
        """The newest indicator rows of closes up to a time, in order, as far as they are kept.

        ReadError.
        """
        step = INTERVAL_MS[granularity]
        return await rows_between(
            self.installation,
            symbol,
            granularity,
            close_ms - (most - 1) * step,
            close_ms + 1,
            near_ms=AT_THE_END_MS,
        )

    async def candles(
        self, symbol: Symbol, granularity: Granularity, close_ms: int, most: int
    ) -> list[CandleSealed]:
        """The newest sealed candles that close up to a time, in order; empty: there are none.

        ReadError.
        """
        step = INTERVAL_MS[granularity]
        return await candles_between(
            self.installation,
            symbol,
            granularity,
            close_ms - most * step,
            close_ms - step + 1,  # of open times
            near_ms=AT_THE_END_MS,
        )

    def _ended(self, _: object) -> None:
        with self._counting:
            self._under_way -= 1
