"""Asks REST for what the sequences want confirmed or filled, the oldest first, in its budget."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import NamedTuple

from chandler.core.events import Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.core.ingest.lane import GRACE_MS, Answer, Ask, Row
from chandler.exchanges.bitget.errors import Delisted, RateLimited, UnknownSymbol, VenueError
from chandler.exchanges.bitget.pacing import Backoff
from chandler.exchanges.bitget.rest import Rest
from chandler.streams.telemetry.metrics import Metrics
from services.ingest.clock import Clock
from services.ingest.complaints import LIMITED, Complaints
from services.ingest.shard import Shard
from services.ingest.sparing import Sparing

CONCURRENT_MAX = 8  # requests under way
TICK_S = 0.05
CHECK_EVERY_S = 0.1  # what is out already is confirmed with what the repair leaves of the budget
AGAIN = Backoff(first_s=0.5, most_s=10.0, floor_s=0.05)  # an answer that decided nothing


class Wish(NamedTuple):
    """An ask of one symbol."""

    shard: Shard
    symbol: Symbol
    ask: Ask

    @property
    def lane(self) -> tuple[Symbol, Granularity]:
        return self.symbol, self.ask.granularity

    @property
    def close_ms(self) -> int:
        return self.ask.first_ms + interval_ms(self.ask.granularity)


class Repair:
    """One for all shards: they share the venue's budget. `gone`: a symbol that REST denies."""

    def __init__(
        self,
        rest: Rest,
        shards: Sequence[Shard],
        clock: Clock,
        *,
        gone: Callable[[Symbol, VenueError], Awaitable[None]],
        complaints: Complaints,
        metrics: Metrics,
        log: logging.Logger,
    ) -> None:
        self.open = 0  # lanes that wait for REST
        self._rest = rest
        self._shards = shards
        self._clock = clock
        self._gone = gone
        self._complaints = complaints
        self._metrics = metrics
        self._log = log
        self._random = Random()
        self._again = AGAIN.scaled(clock.rate)
        self._busy: set[tuple[Symbol, Granularity]] = set()
        self._failures: dict[tuple[Symbol, Granularity], int] = {}
        self._not_before: dict[tuple[Symbol, Granularity], float] = {}
        self._counted: dict[tuple[Symbol, Granularity], int] = {}  # gaps up to this open time
        self._wishes: list[Wish] = []  # of the last look, the oldest close first
        self._looking, self._checking = Sparing(), Sparing()
        self._wake = asyncio.Event()
        self._checked_at = 0.0

    async def run(self) -> None:
        """Asks until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for shard in self._shards:
                tasks.create_task(self._wake_with(shard))
            while True:
                self._start(tasks)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._wake.wait()
                self._wake.clear()

    async def _wake_with(self, shard: Shard) -> None:
        while True:
            await shard.asked.wait()
            shard.asked.clear()
            self._wake.set()

    def _start(self, tasks: asyncio.TaskGroup) -> None:
        now, wall = self._clock.now(), time.monotonic()
        if self._looking.due:
            with self._looking.taken():
                self._look(now)
        waiting: list[Wish] = []
        for place, wish in enumerate(self._wishes):
            if len(self._busy) >= CONCURRENT_MAX:
                self._wishes = waiting + self._wishes[place:]
                return
            if wish.lane in self._busy or wall < self._not_before.get(wish.lane, 0.0):
                waiting.append(wish)
            elif (fresh := self._as_it_is(wish, now)) is not None:
                self._count_gap(fresh, now)
                self._busy.add(fresh.lane)
                tasks.create_task(self._ask(fresh))
        self._wishes = waiting
        if not self._busy and wall - self._checked_at >= CHECK_EVERY_S and self._checking.due:
            with self._checking.taken():
                self._start_check(tasks, now, wall)

    def _look(self, now: int) -> None:
        """Asks every lane what it wants: with thousands of them that takes a while."""
        self._wishes = [
            Wish(shard, symbol, ask)
            for shard in self._shards
            for symbol, sequence in shard.sequences.items()
            for ask in sequence.asks(now)
        ]
        self._wishes.sort(key=lambda wish: wish.close_ms)
        self.open = len(self._wishes)

    def _as_it_is(self, wish: Wish, now: int) -> Wish | None:
        """What the wish's lane wants by now; None: nothing any more."""
        sequence = wish.shard.sequences.get(wish.symbol)
        ask = None if sequence is None else sequence.lanes[wish.ask.granularity].ask(now)
        return None if ask is None else wish._replace(ask=ask)

    def _start_check(self, tasks: asyncio.TaskGroup, now: int, wall: float) -> None:
        """Confirms what is out, the lane that has waited longest."""
        checks = [
            Wish(shard, symbol, ask)
            for shard in self._shards
            for symbol, sequence in shard.sequences.items()
            for ask in sequence.checks(now)
        ]
        checks = [wish for wish in checks if wall >= self._not_before.get(wish.lane, 0.0)]
        if checks:
            self._checked_at = wall
            wish = min(checks, key=lambda each: each.close_ms)
            self._busy.add(wish.lane)
            tasks.create_task(self._ask(wish))

    def _count_gap(self, wish: Wish, now: int) -> None:
        """Slots that are more than one interval late are a gap, each counted once."""
        interval = interval_ms(wish.ask.granularity)
        last = min(wish.ask.last_ms, now - 2 * interval)
        first = max(wish.ask.first_ms, self._counted.get(wish.lane, -1) + 1)
        if last >= first:
            self._metrics.add("chandler_ingest_gaps_total")
            self._counted[wish.lane] = last

    async def _ask(self, wish: Wish) -> None:
        lane = wish.lane
        try:
            decided = await self._answered(wish)
        except (Delisted, UnknownSymbol) as error:
            await self._gone(wish.symbol, error)
            decided = False
        except VenueError as error:
            self._say(wish, error)
            decided = False
        finally:
            self._busy.discard(lane)
        if decided:
            self._failures.pop(lane, None)
            self._not_before.pop(lane, None)
        else:
            failures = self._failures[lane] = self._failures.get(lane, 0) + 1
            wait = self._again.wait_s(failures, self._random)
            self._not_before[lane] = time.monotonic() + wait
        self._wake.set()

    async def _answered(self, wish: Wish) -> bool:
        """Asks the history and, if a slot stays open, for newer candles too; whether it decided."""
        symbol, ask = wish.symbol, wish.ask
        interval = interval_ms(ask.granularity)
        asked_at = self._clock.now()
        end_ms = ask.last_ms + interval + 1  # one more, if it is there: it shows that time went on
        rows = await self._rest.history_candles(
            symbol, ask.granularity, end_ms=end_ms, limit=ask.limit
        )
        self._take(wish, [*rows], asked_at, forming=False)
        if not self._still(wish):
            return True
        asked_at = self._clock.now()
        if ask.first_ms + interval + GRACE_MS > asked_at:
            return False  # too early to say that the venue lacks it
        recent = await self._rest.candles(symbol, ask.granularity, limit=ask.limit)
        if recent and recent[0].open_ms <= ask.first_ms:
            self._take(wish, [*recent], asked_at, forming=True)
        return not self._still(wish)

    def _take(self, wish: Wish, rows: list[Row], asked_at: int, *, forming: bool) -> None:
        wish.shard.answer(wish.symbol, Answer(wish.ask, rows, asked_at, forming))

    def _still(self, wish: Wish) -> bool:
        """Whether the ask's first slot is as open as before."""
        now = self._as_it_is(wish, self._clock.now())
        return now is not None and now.ask.first_ms <= wish.ask.last_ms

    def _say(self, wish: Wish, error: VenueError) -> None:
        sequence = wish.shard.sequences.get(wish.symbol)
        cause = LIMITED if isinstance(error, RateLimited) else "venue does not answer"
        age = ""
        if sequence is not None:
            newest_ms = sequence.lanes[wish.ask.granularity].cursor
            late_s = max(0, self._clock.now() - newest_ms) / 1_000
            age = f"; what is out of {wish.symbol} {wish.ask.granularity} is {late_s:.0f} s old"
        self._complaints.tell(cause, f"{error}{age}, waiting", letter=False)
