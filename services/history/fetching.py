"""The venue's history of one symbol over REST, page by page, oldest first, behind what is out.

A slot that the venue doesn't show is asked for again before it counts as missing there. Patient
with a venue that is busy or away, with a bound; what is out by then stays, and the next call goes
on after it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple, TypeVar

from chandler.core.events import Candle, CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity, interval_ms, slot_open
from chandler.core.ingest.lane import ASK_SLOTS_MAX, DENIALS_MIN, GRACE_MS
from chandler.exchanges.bitget.errors import VenueError, VenueRefused
from chandler.exchanges.bitget.pacing import Backoff
from chandler.exchanges.bitget.parse import CandleRow
from chandler.exchanges.bitget.rest import PAGE_OVERLAP, Rest
from services.history.publishing import Publisher

TRIES_MAX = 10  # of one page, each with the tries that Rest itself makes
AGAIN = Backoff(first_s=1.0, most_s=60.0, floor_s=0.1)

T = TypeVar("T")


class Asked(NamedTuple):
    """What is to be there in the end: slots that open from `from_ms` to before `until_ms`."""

    symbol: Symbol
    granularity: Granularity
    from_ms: int
    until_ms: int


class Fetched(NamedTuple):
    """What came of it."""

    begin_ms: int  # the first slot that was asked for; the venue's first candle may be later
    end_ms: int  # up to where the lane is out now
    sealed: int
    missing: int


def span(from_ms: int, until_ms: int, granularity: Granularity, now_ms: int) -> tuple[int, int]:
    """The whole slots from `from_ms` to `until_ms` that are final at `now_ms`, the venue's time."""
    interval = interval_ms(granularity)
    begin = -(-from_ms // interval) * interval
    return begin, slot_open(min(until_ms, now_ms - GRACE_MS), granularity)


class Fetch:
    """One symbol's history on its way. `tell`: slots done so far; `wait`: why it waits."""

    def __init__(
        self,
        rest: Rest,
        publisher: Publisher,
        asked: Asked,
        *,
        rate: float,
        tell: Callable[[int], None],
        wait: Callable[[str], None],
    ) -> None:
        self._rest = rest
        self._publisher = publisher
        self._asked = asked
        self._again = AGAIN.scaled(rate)
        self._random = Random()
        self._tell = tell
        self._wait = wait

    async def run(self) -> Fetched:
        """Publishes page after page. VenueError, and what Publisher raises."""
        asked, interval = self._asked, interval_ms(self._asked.granularity)
        out = self._publisher.newest(asked.symbol, asked.granularity)
        begin = asked.from_ms if out is None else out + interval
        newest = await self._newest_before(asked.until_ms) if begin < asked.until_ms else None
        if newest is None or newest < begin:
            return Fetched(begin, begin, 0, 0)
        if out is None:
            begin = await self._first(begin, newest)
        at, end, sealed, missing = begin, newest + interval, 0, 0
        while at < end:
            stop = min(end, at + ASK_SLOTS_MAX * interval)
            candles = await self._page(at, stop)
            await self._publisher.publish(candles)
            absent = sum(isinstance(each, CandleMissing) for each in candles)
            sealed, missing, at = sealed + len(candles) - absent, missing + absent, stop
            self._tell((at - asked.from_ms) // interval)
        return Fetched(begin, end, sealed, missing)

    async def _first(self, begin: int, newest: int) -> int:
        """The first slot from `begin` on that has a candle: the venue's history may start later."""
        interval = interval_ms(self._asked.granularity)
        low, high = begin // interval, newest // interval  # `high` has one at or before it
        while low < high:
            middle = (low + high) // 2
            found = await self._newest_before((middle + 1) * interval)
            if found is not None and found >= begin:
                high = found // interval
            elif found is not None:
                return begin  # older ones are there: a hole at the beginning is the venue's
            else:
                low = middle + 1
        return low * interval

    async def _newest_before(self, end_ms: int) -> int | None:
        rows = await self._rows(end_ms, 1)
        return rows[-1].open_ms if rows else None

    async def _page(self, start: int, stop: int) -> list[Candle]:
        """Every slot of [start, stop): the venue has newer ones, so what is absent is missing."""
        asked, interval = self._asked, interval_ms(self._asked.granularity)
        slots = range(start, stop, interval)
        found: dict[int, CandleRow] = {}
        for _ in range(DENIALS_MIN):
            for row in await self._rows(stop, len(slots) + PAGE_OVERLAP):
                found.setdefault(row.open_ms, row)
            if all(slot in found for slot in slots):
                break
        return [
            CandleSealed(
                symbol=asked.symbol, granularity=asked.granularity, **found[slot]._asdict()
            )
            if slot in found
            else CandleMissing(symbol=asked.symbol, granularity=asked.granularity, open_ms=slot)
            for slot in slots
        ]

    async def _rows(self, end_ms: int, limit: int) -> list[CandleRow]:
        symbol, granularity = self._asked.symbol, self._asked.granularity
        return await self._patiently(
            lambda: self._rest.history_candles(symbol, granularity, end_ms=end_ms, limit=limit)
        )

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        while True:
            try:
                return await call()
            except VenueRefused:
                raise
            except VenueError as error:
                failures += 1
                if failures >= TRIES_MAX:
                    raise
                self._wait(f"{error}, trying again")
                await asyncio.sleep(self._again.wait_s(failures, self._random))
