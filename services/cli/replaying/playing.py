"""Plays a past: hands records on when the replay's clock has come to their event time.

The clock is wall time since the start by the speed, from where the replay begins.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chandler.core.granularity import HOUR_MS
from chandler.streams.replaying import OPEN, Mark, Target
from chandler.streams.replaying.lanes import Ready
from chandler.streams.replaying.plan import State
from chandler.streams.replaying.source import Playing, Source
from services.cli.replaying.deciding import Work, of_later

BATCH_MAX = 4_000  # records between two looks at the clock and at Ctrl-C
WAIT_S_MAX = 0.2  # how late Ctrl-C may be noticed
SOON_S = 0.005  # records due within it go out together
SHOWN_MAX = 5
LATE_MS_MAX = HOUR_MS  # behind its time; more is no late frame but another order of a partition
Told = Callable[[int], None]  # event time that it has come to, ms


class Played(NamedTuple):
    """What came of it."""

    mark: Mark
    before: Counter[str]  # records of what lay before the period, by topic
    records: Counter[str]  # … and of the period
    began_ms: int
    seconds: float  # of the period
    notes: list[str]

    @property
    def speed(self) -> float:
        """Recorded seconds per second that were reached."""
        return (self.mark.reached_ms - self.began_ms) / 1_000 / max(self.seconds, 1e-6)


class Player:
    """One call's work, from a source to a target."""

    def __init__(
        self, work: Work, source: Source, target: Target, stop: asyncio.Event, told: Told
    ) -> None:
        self._work, self._source, self._target = work, source, target
        self._stop, self._told = stop, told
        self._before: Counter[str] = Counter()
        self._records: Counter[str] = Counter()
        self._reached_ms = work.begin_ms
        self._notes = list(work.notes)
        self._behind: Counter[str] = Counter()  # records that went out long after their time
        self._unseen = {each.encode() for each in work.plan.symbols}

    async def play(self, speed: float | None, *, prepare: bool) -> Played:
        """Until all is out, or `stop`. `speed`: None, as fast as it goes."""
        plan, seconds = self._work.plan, 0.0
        await self._target.leave(plan, "running", self._reached_ms, {})
        if self._work.fresh:
            newest, absent = await self._source.last_of_keys(plan)
            self._notes += of_later(plan, absent)
            await self._out(newest)
        playing = self._source.playing(plan, self._work.places)
        await self._warm_up(playing)
        state: State = "prepared"
        if not prepare:
            began = time.monotonic()
            await self._paced(playing, speed)
            seconds = time.monotonic() - began
            state = "complete"
        if self._stop.is_set() and not playing.merged.is_complete:
            state = "interrupted"
        if state == "complete" and plan.to_ms < OPEN:
            self._reached_ms = plan.to_ms
        self._note(complete=state == "complete")
        await self._target.leave(plan, state, self._reached_ms, playing.places())
        mark = self._target.mark
        assert mark is not None
        began_ms = self._work.begin_ms
        return Played(mark, self._before, self._records, began_ms, seconds, self._notes)

    def _note(self, *, complete: bool) -> None:
        for topic, count in self._behind.items():
            self._notes.append(
                f"{count} records of {topic} went out more than an hour behind their time: they "
                "stand behind later ones of their partition, as an import or a backfill left them"
            )
        if complete and self._unseen:
            names = b", ".join(sorted(self._unseen)[:SHOWN_MAX]).decode()
            self._notes.append(f"nothing was there of {len(self._unseen)} symbols: {names}")

    async def _warm_up(self, playing: Playing) -> None:
        """What lies before the period, at once."""
        while not self._stop.is_set():
            await playing.fill(self._stop)
            found = playing.merged.take(self._work.plan.from_ms - 1, BATCH_MAX)
            if not found and not playing.merged.lacking():
                return
            await self._out(found)

    async def _paced(self, playing: Playing, speed: float | None) -> None:
        began, begin_ms = time.monotonic(), self._work.begin_ms
        while not self._stop.is_set():
            await playing.fill(self._stop)
            clock = OPEN - 1
            if speed is not None:
                clock = begin_ms + int((time.monotonic() - began) * 1_000 * speed)
            found = playing.merged.take(clock, BATCH_MAX)
            if found:
                await self._out(found)
            elif playing.merged.is_complete:
                return
            elif speed is not None and not playing.merged.lacking():
                due_s = (playing.merged.next_ms - clock) / 1_000 / speed
                self._told(max(clock, self._reached_ms))
                await self._wait(max(SOON_S, min(due_s, WAIT_S_MAX)))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    async def _out(self, found: Sequence[Ready]) -> None:
        await self._target.publish(found)
        from_ms = self._work.plan.from_ms
        for each in found:
            self._unseen.discard(each.key or b"")
            if each.at >= from_ms and each.due_ms - each.at > LATE_MS_MAX:
                self._behind[each.topic] += 1
            (self._before if each.at < from_ms else self._records)[each.topic] += 1
        if found:
            self._reached_ms = max(self._reached_ms, found[-1].due_ms + 1)
            self._told(self._reached_ms)
