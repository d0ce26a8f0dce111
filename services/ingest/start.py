"""Where each symbol begins, and its first candles: what came before now, by REST."""

import asyncio
from collections.abc import Mapping

from chandler.core.events import Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.core.ingest.lane import FRESH_MS, GRACE_MS, Answer, Ask, Row
from chandler.core.ingest.plan import backfill_start, resumed, starts
from chandler.core.ingest.sequence import Sequence
from chandler.exchanges.bitget.rest import CANDLES_MAX, Rest
from services.ingest.clock import Clock

AHEAD_WALL_MS = 1_000  # what our idea of the venue's clock may be wrong by, wall time

PATIENCE_WALL_MS = 250  # where the grace is over that soon, REST is asked once, after it


class Starter:
    """Sets up symbols: after what is out, or from `backfill` candles before now."""

    def __init__(
        self,
        rest: Rest,
        clock: Clock,
        granularities: list[Granularity],
        backfill: int,
        *,
        fresh_ms: int = FRESH_MS,
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._granularities = granularities
        self._backfill = backfill
        self._fresh_ms = fresh_ms

    async def sequence(self, symbol: Symbol, out: Mapping[Granularity, int]) -> Sequence:
        """The symbol, ready to go on; VenueError."""
        now = self._clock.now()
        fresh = [each for each in self._granularities if each not in out]
        pages = dict(
            zip(
                fresh,
                await asyncio.gather(*(self._page(symbol, each, now) for each in fresh)),
                strict=True,
            )
        )
        wanted = {each: backfill_start(now, each, self._backfill) for each in self._granularities}
        earliest = {each: rows[0][0] for each, rows in pages.items() if rows}
        earliest |= {each: wanted[each] for each in out if each in wanted}
        sequence = Sequence(
            symbol,
            resumed(out, starts(wanted, earliest, now)),
            fresh_ms=self._fresh_ms,
            patient=PATIENCE_WALL_MS * self._clock.rate >= GRACE_MS,
            ahead_ms=int(AHEAD_WALL_MS * self._clock.rate),
        )
        for granularity, rows in pages.items():
            if rows:
                first = sequence.lanes[granularity].cursor
                ask = Ask(granularity, first, rows[-1][0])
                sequence.answer(Answer(ask, rows, now, forming=True))
        return sequence

    async def _page(self, symbol: Symbol, granularity: Granularity, now: int) -> list[Row]:
        """Rows from the backfill's start on, the last one as the one that may be forming."""
        start = backfill_start(now, granularity, self._backfill)
        limit = min(CANDLES_MAX, self._backfill + 2)
        rows: list[Row] = [*await self._rest.candles(symbol, granularity, limit=limit)]
        if not rows or (rows[0][0] > start and len(rows) < limit) or limit < self._backfill + 2:
            end = rows[0][0] if rows else now
            older = await self._rest.history(symbol, granularity, start, end)
            rows = [*older, *rows]
        return [row for row in rows if row[0] >= start - interval_ms(granularity)]
