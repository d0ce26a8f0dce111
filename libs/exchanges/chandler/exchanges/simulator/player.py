"""Plays the market to the sockets: each tick at its time, each bar's end and beginning at once."""

import asyncio
from collections import Counter

from chandler.core.granularity import MINUTE_MS
from chandler.core.resample import Bar
from chandler.exchanges.simulator.clock import VenueClock
from chandler.exchanges.simulator.instruments import Quotes
from chandler.exchanges.simulator.market import Market, Way, cadence, extended
from chandler.exchanges.simulator.recording import SLOT_MS
from chandler.exchanges.simulator.sockets import Feed, Sockets, encode_frame

NAP_S_MAX = 0.25  # the speed can change meanwhile
NAP_S_MIN = 0.004  # ticks that are closer go out together
BEHIND_S_MAX = 2.0  # of wall time; later than that the minutes in between are jumped over
FLUSHED_AT_ONCE = 50  # symbols of a turn
PREPARED_AT_ONCE = 20  # symbols whose next candle is worked out in one go


class Player:
    """One task; everything that it pushes comes out of `Market`, in venue time."""

    def __init__(self, market: Market, clock: VenueClock, sockets: Sockets, quotes: Quotes) -> None:
        self.counts: Counter[str] = Counter()
        self._market = market
        self._clock = clock
        self._sockets = sockets
        self._quotes = quotes
        self._next_ms = clock.now()  # the time of the next thing to push

    def shown_ms(self) -> int:
        """Venue time as far as it is pushed: a snapshot of it is never ahead of the updates."""
        return min(self._clock.now(), self._next_ms - 1)

    def set_cadence(self, ticks_per_second_max: int) -> None:
        """Spaces the ticks for the clock's speed, from the next 5m candle on."""
        market = self._market
        market.cadence = cadence(len(market.symbols), self._clock.speed, ticks_per_second_max)

    async def run(self) -> None:
        """Plays for ever, minute by minute; what lies too far behind is not pushed any more."""
        now = self._clock.now()
        minute_ms = now - now % MINUTE_MS
        await self._play(minute_ms, now)
        while True:
            minute_ms += MINUTE_MS
            self._next_ms = minute_ms
            await self._sleep_until(minute_ms)
            now = self._clock.now()
            if self._clock.wall_until(minute_ms) < -BEHIND_S_MAX:
                self.counts["jumps"] += 1
                minute_ms = now - now % MINUTE_MS
            self._turn(minute_ms)
            await self._play(minute_ms, minute_ms)

    async def _sleep_until(self, at_ms: int) -> None:
        wait = self._clock.wall_until(at_ms)
        if wait <= 0:
            await asyncio.sleep(0)
        while wait > 0:
            await asyncio.sleep(min(max(wait, NAP_S_MIN), NAP_S_MAX))
            wait = self._clock.wall_until(at_ms)

    async def _play(self, minute_ms: int, from_ms: int) -> None:
        """The ticks within a minute, its open and close excepted."""
        slot = minute_ms // SLOT_MS
        place = minute_ms % SLOT_MS // MINUTE_MS
        ticks = self._ticks(slot, minute_ms, from_ms)
        for at_ms, index, point in ticks:
            self._next_ms = at_ms
            if self._clock.wall_until(at_ms) > 0:
                self._sockets.flush()
                await self._sleep_until(at_ms)
            way = self._market.way(index, slot)
            if way is not None and point < len(way.points):
                self._tick(index, slot, way, point)
        self._next_ms = minute_ms + MINUTE_MS
        self._sockets.flush()
        if place == 4:
            for index in range(len(self._market.symbols)):
                self._market.way(index, slot + 1)
                if index % PREPARED_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _ticks(self, slot: int, minute_ms: int, from_ms: int) -> list[tuple[int, int, int]]:
        """(time, symbol, point) of the ticks inside a minute, ascending."""
        found = []
        for index in range(len(self._market.symbols)):
            way = self._market.way(index, slot) if self._sockets.feeds[index] else None
            if way is None:
                continue
            for place, (point, is_tick) in enumerate(zip(way.points, way.ticks, strict=True)):
                at_ms = point.at_ms
                if (
                    is_tick
                    and max(from_ms, minute_ms) < at_ms < minute_ms + MINUTE_MS - 1
                    and point.minute.open_ms == minute_ms
                ):
                    found.append((at_ms, index, place))
        found.sort()
        return found

    def _turn(self, minute_ms: int) -> None:
        """A minute ends and the next begins, for all symbols at once, in the order of time."""
        for push in (self._end, self._begin):
            for index, feeds in enumerate(self._sockets.feeds):
                if any(feed.sessions for feed in feeds.values()):
                    push(index, minute_ms, feeds)
                if index % FLUSHED_AT_ONCE == FLUSHED_AT_ONCE - 1:
                    self._sockets.flush()
        self._sockets.flush()

    def _end(self, index: int, minute_ms: int, feeds: dict[str, Feed]) -> None:
        """The last update of the bars that end here; of all if nothing was recorded after."""
        at_ms = minute_ms - 1
        slot = at_ms // SLOT_MS
        way = self._market.way(index, slot)
        if way is None:
            return
        place = self._last_before(way, minute_ms)
        ends_slot = minute_ms % SLOT_MS == 0
        alone = ends_slot and self._market.way(index, slot + 1) is None
        tick = way.ticks[place]
        for feed in feeds.values():
            if not feed.sessions or feed.spacing is None:
                continue
            ends = (minute_ms - feed.spacing.anchor_ms) % feed.spacing.interval_ms == 0
            if ends or tick or alone:
                self._push(feed, slot, way, place, at_ms, ends)
        if tick:
            self._push_ticker(index, feeds, slot, way.points[place].five.close, at_ms)

    def _begin(self, index: int, minute_ms: int, feeds: dict[str, Feed]) -> None:
        """The first row of the bars that begin here, of quiet symbols too."""
        slot = minute_ms // SLOT_MS
        way = self._market.way(index, slot)
        if way is None:
            return
        place = self._first_at(way, minute_ms)
        tick = way.ticks[place]
        for feed in feeds.values():
            if not feed.sessions or feed.spacing is None:
                continue
            if tick or self._is_new(feed, index, slot, minute_ms):
                self._push(feed, slot, way, place, minute_ms, False)
        if tick:
            self._push_ticker(index, feeds, slot, way.points[place].five.close, minute_ms)

    def _is_new(self, feed: Feed, index: int, slot: int, minute_ms: int) -> bool:
        """Whether the feed's bar has had nothing before this minute."""
        spacing = feed.spacing
        assert spacing is not None
        if spacing.interval_ms < SLOT_MS:
            return True
        if minute_ms % SLOT_MS:
            return False
        return self._market.closed_part(index, spacing, slot) is None

    def _tick(self, index: int, slot: int, way: Way, place: int) -> None:
        point, feeds = way.points[place], self._sockets.feeds[index]
        self.counts["ticks"] += 1
        for feed in feeds.values():
            if feed.sessions and feed.spacing is not None:
                self._push(feed, slot, way, place, point.at_ms, False)
        self._push_ticker(index, feeds, slot, point.five.close, point.at_ms)

    def _push(self, feed: Feed, slot: int, way: Way, place: int, at_ms: int, last: bool) -> None:
        assert feed.spacing is not None
        if way.lacked and feed.spacing.interval_ms <= SLOT_MS:
            return
        frame = feed.update(self._bar(feed, slot, way, place), at_ms)
        for session in feed.sessions:
            session.push(frame, last)

    def _bar(self, feed: Feed, slot: int, way: Way, place: int) -> Bar:
        spacing, point = feed.spacing, way.points[place]
        assert spacing is not None
        if spacing.interval_ms < SLOT_MS:
            return point.minute
        if spacing.interval_ms == SLOT_MS:
            return point.five
        bar = extended(self._market.closed_part(feed.index, spacing, slot), point.five, spacing)
        assert bar is not None
        return bar

    def _push_ticker(
        self, index: int, feeds: dict[str, Feed], slot: int, price: float, at_ms: int
    ) -> None:
        feed = feeds.get("ticker")
        if feed is None or not feed.sessions:
            return
        frame = encode_frame(self._quotes.frame(index, price, slot, at_ms))
        for session in feed.sessions:
            session.push(frame)

    @staticmethod
    def _last_before(way: Way, minute_ms: int) -> int:
        """The place of the close of the minute that ends here."""
        return next(
            place
            for place in range(len(way.points) - 1, -1, -1)
            if way.points[place].at_ms < minute_ms
        )

    @staticmethod
    def _first_at(way: Way, minute_ms: int) -> int:
        """The place of the open of the minute that begins here."""
        return next(p for p, point in enumerate(way.points) if point.at_ms >= minute_ms)
