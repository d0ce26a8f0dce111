"""What the venue knows: every candle of every granularity up to a moment, by venue time.

Holds the recording, played round after round, the faults that take candles away, and the
seeded paths. Knows nothing of sockets.
"""

import datetime
from typing import NamedTuple

from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS
from chandler.core.resample import Bar, joined, resample_by, typical_quote_volume
from chandler.exchanges.simulator.config import SimulatorConfig, SimulatorError
from chandler.exchanges.simulator.faults import is_missing
from chandler.exchanges.simulator.path import POINTS_MIN, Point, points, split
from chandler.exchanges.simulator.recording import SLOT_MS, Recording

POINTS_MAX = 60  # in a minute: the venue pushes about once a second
BACKFILL_MS = 4 * DAY_MS  # recorded time before the default start
CACHED_BARS_MAX = 100_000
UTC8_DAY_MS = 16 * HOUR_MS  # the venue's plain 6H, 12H and 1D begin at 00:00 UTC+8


class Spacing(NamedTuple):
    """A granularity as the venue spells it."""

    name: str
    interval_ms: int
    anchor_ms: int  # a bar opens at multiples of the interval plus this

    def open_of(self, at_ms: int) -> int:
        """Open time of the bar that holds `at_ms`."""
        return at_ms - (at_ms - self.anchor_ms) % self.interval_ms


def _spacings() -> dict[str, Spacing]:
    minutes = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "2H": 120, "4H": 240}
    table = {name: Spacing(name, count * MINUTE_MS, 0) for name, count in minutes.items()}
    for name, hours in (("6H", 6), ("12H", 12), ("1D", 24)):
        interval = hours * HOUR_MS
        table[name] = Spacing(name, interval, UTC8_DAY_MS % interval)
        table[f"{name}utc"] = Spacing(f"{name}utc", interval, 0)
    return table


SPACINGS = _spacings()


class Cadence(NamedTuple):
    """How many ticks there are: as many as the budget of wall time allows."""

    minute_points: int  # in a minute's path
    slot_ticks: int  # of a 5m candle's points that are pushed; 0: by frame
    frame_slots: int  # the open, high, low and close of so many 5m candles together are ticks

    @property
    def text(self) -> str:
        """For the log."""
        if self.frame_slots > 1:
            return f"4 ticks per {self.frame_slots * 5} minutes: the extremes of each are kept"
        return f"{self.slot_ticks} ticks per 5 minutes"


def cadence(symbols: int, speed: float, ticks_per_second_max: int) -> Cadence:
    """The densest ticks that stay within the budget of wall time."""
    in_slot = ticks_per_second_max * SLOT_MS / 1000 / (symbols * speed)
    if in_slot >= 5 * POINTS_MIN:
        in_minute = min(int(in_slot / 5), POINTS_MAX)
        return Cadence(in_minute, 5 * in_minute, 1)
    if in_slot >= POINTS_MIN:
        return Cadence(POINTS_MIN, int(in_slot), 1)
    frames = (slots for slots in (3, 6, 12, 48) if in_slot * slots >= POINTS_MIN)
    return Cadence(POINTS_MIN, 0, next(frames, 288))


class Way(NamedTuple):
    """A symbol's 5m candle, minute by minute and point by point."""

    candle: Bar
    minutes: tuple[Bar, ...]
    points: list[Point]
    ticks: list[bool]  # which points are pushed as ticks
    lacked: bool  # the venue has no candle of 5m and shorter for it; what is longer has it all


class Lack(NamedTuple):
    """The fault `missing` from a time on."""

    since_ms: int
    missing: float
    seed: int


class Market:
    """Candles by symbol index and slot (a slot is a 5m open time divided by 5 minutes)."""

    def __init__(self, recording: Recording, seed: int, loop: bool) -> None:
        self.recording = recording
        self.seed = seed
        self.symbols = [tape.symbol for tape in recording.tapes]
        self.index = {symbol: index for index, symbol in enumerate(self.symbols)}
        self.delisted: dict[str, int] = {}  # symbol → since when, venue ms
        self.changed: dict[str, dict[str, str]] = {}  # symbol → fields of its contract
        self.cadence = Cadence(POINTS_MIN, 5 * POINTS_MIN, 1)
        self._loop = loop
        self._lacking: list[Lack] = []  # by time; the last that has begun holds
        self._origin_slot = recording.origin_ms // SLOT_MS
        self._ways: dict[int, dict[int, Way | None]] = {}  # slot → index → way
        self._closed: dict[tuple[int, str, int], Bar | None] = {}
        self._parts: dict[tuple[int, str], tuple[int, Bar | None]] = {}  # by index and spacing
        self._minutes: tuple[int, int, tuple[Bar, ...]] = (-1, -1, ())  # the last ones asked for
        self._extremes: dict[tuple[int, int], tuple[int, int]] = {}

    def lack(self, missing: float, seed: int, since_ms: int = 0) -> None:
        """From `since_ms` on the venue lacks this share of its 5m candles; before, as it was.

        Longer candles are made of the whole recording: the trades were there.
        """
        self._lacking = [one for one in self._lacking if one.since_ms < since_ms]
        self._lacking.append(Lack(since_ms, missing, seed))
        self._ways.clear()
        self._minutes = (-1, -1, ())

    def lacks(self, index: int, slot: int) -> bool:
        """Whether the fault `missing` takes this slot; never a symbol's first candle."""
        open_ms = slot * SLOT_MS
        lack = next((one for one in reversed(self._lacking) if one.since_ms <= open_ms), None)
        if lack is None or not lack.missing or open_ms <= self.first_open_ms(index):
            return False
        return is_missing(lack.seed, self.symbols[index], open_ms, lack.missing)

    def first_open_ms(self, index: int) -> int:
        """Open time of a symbol's first candle."""
        return (self._origin_slot + self.recording.tapes[index].first) * SLOT_MS

    def recorded(self, index: int, slot: int) -> Bar | None:
        """The recorded candle of a slot, moved to its round; None: there is none."""
        place = slot - self._origin_slot
        if place < 0 or (not self._loop and place >= self.recording.slots):
            return None
        place %= self.recording.slots
        tape = self.recording.tapes[index]
        opened = tape.open[place]
        if opened != opened:
            return None
        high, low, close = tape.high[place], tape.low[place], tape.close[place]
        volume = tape.volume[place]
        quote = typical_quote_volume(high, low, close, volume)
        return Bar(slot * SLOT_MS, opened, high, low, close, volume, quote)

    def candle(self, index: int, slot: int) -> Bar | None:
        """The final candle of a slot as the venue has it; None: the venue lacks it."""
        bar = self.recorded(index, slot)
        return None if bar is None or self.lacks(index, slot) else bar

    def way(self, index: int, slot: int) -> Way | None:
        """The path through a slot's recorded candle; kept for the slots that are played now."""
        ways = self._ways.get(slot)
        if ways is None:
            for old in [key for key in self._ways if abs(key - slot) > 2]:
                del self._ways[old]
            ways = self._ways[slot] = {}
        if index not in ways:
            ways[index] = self._make_way(index, slot)
        return ways[index]

    def minutes(self, index: int, slot: int) -> tuple[Bar, ...]:
        """The five 1m candles of a slot, none if the venue lacks it."""
        candle = self.candle(index, slot)
        if candle is None:
            return ()
        return split(candle, self.recording.tapes[index].decimals, self._seed(index, slot))

    def closed_part(self, index: int, spacing: Spacing, slot: int) -> Bar | None:
        """A longer bar up to the beginning of the slot; None: it begins there, or nothing came."""
        start = spacing.open_of(slot * SLOT_MS) // SLOT_MS
        if start == slot:
            return None
        kept, part = self._parts.get((index, spacing.name), (-1, None))
        if kept == slot:
            return part
        if kept == slot - 1 and part is not None and part.open_ms == start * SLOT_MS:
            latest = self.recorded(index, slot - 1)
            part = part if latest is None else joined(part, latest)
        else:
            rows = (self.recorded(index, each) for each in range(start, slot))
            bars = resample_by(filter(None, rows), spacing.interval_ms, spacing.anchor_ms)
            part = bars[0] if bars else None
        self._parts[index, spacing.name] = (slot, part)
        return part

    def forming(self, index: int, spacing: Spacing, now_ms: int) -> Bar | None:
        """The bar that is open at `now_ms`, up to then; None: nothing came in it yet."""
        slot = now_ms // SLOT_MS
        way = self.way(index, slot)
        if way is not None and way.lacked and spacing.interval_ms <= SLOT_MS:
            return None
        point = _point(way, now_ms)
        if spacing.interval_ms < SLOT_MS:
            if point is None or point.minute.open_ms != spacing.open_of(now_ms):
                return None
            return point.minute
        before = self.closed_part(index, spacing, slot)
        return extended(before, None if point is None else point.five, spacing)

    def bars(
        self, index: int, spacing: Spacing, end_ms: int, limit: int, now_ms: int, from_ms: int = 0
    ) -> list[Bar]:
        """The newest `limit` finished bars with from_ms <= open < end_ms, ascending."""
        oldest = max(from_ms, self.recording.origin_ms - spacing.interval_ms)
        stop = min(end_ms, spacing.open_of(now_ms))  # exclusive
        step = spacing.interval_ms
        open_ms = spacing.open_of(stop - 1)
        found: list[Bar] = []
        while open_ms >= oldest and len(found) < limit:
            bar = self._finished(index, spacing, open_ms)
            if bar is not None:
                found.append(bar)
            open_ms -= step
        found.reverse()
        return found

    def last_price(self, index: int, now_ms: int) -> float:
        """The newest price, also over candles that the venue lacks."""
        slot = now_ms // SLOT_MS
        point = _point(self.way(index, slot), now_ms)
        if point is not None:
            return point.five.close
        slot -= 1
        while slot >= self._origin_slot:
            bar = self.recorded(index, slot)
            if bar is not None:
                return bar.close
            slot -= 1
        tape = self.recording.tapes[index]
        return tape.open[tape.first]

    def _finished(self, index: int, spacing: Spacing, open_ms: int) -> Bar | None:
        slot = open_ms // SLOT_MS
        if spacing.interval_ms == SLOT_MS:
            return self.candle(index, slot)
        if spacing.interval_ms < SLOT_MS:
            minutes = self._minutes_kept(index, slot)
            return minutes[open_ms % SLOT_MS // MINUTE_MS] if minutes else None
        key = (index, spacing.name, open_ms)
        if key not in self._closed:
            rows = (self.recorded(index, slot + i) for i in range(spacing.interval_ms // SLOT_MS))
            bars = resample_by(filter(None, rows), spacing.interval_ms, spacing.anchor_ms)
            self._keep(key, bars[0] if bars else None)
        return self._closed[key]

    def _minutes_kept(self, index: int, slot: int) -> tuple[Bar, ...]:
        way = self._ways.get(slot, {}).get(index)
        if way is not None:
            return () if way.lacked else way.minutes
        if self._minutes[:2] != (index, slot):
            self._minutes = (index, slot, self.minutes(index, slot))
        return self._minutes[2]

    def _keep(self, key: tuple[int, str, int], bar: Bar | None) -> None:
        if len(self._closed) >= CACHED_BARS_MAX:
            self._closed.clear()
        self._closed[key] = bar

    def _seed(self, index: int, slot: int) -> str:
        return f"{self.seed}|{self.symbols[index]}|{slot}"

    def _make_way(self, index: int, slot: int) -> Way | None:
        candle = self.recorded(index, slot)
        if candle is None:
            return None
        decimals, seed = self.recording.tapes[index].decimals, self._seed(index, slot)
        minutes = split(candle, decimals, seed)
        count = self.cadence.minute_points
        path = points(candle, minutes, count, decimals, f"{seed}|points")
        ticks = self._ticks(index, slot, candle, path)
        return Way(candle, minutes, path, ticks, self.lacks(index, slot))

    def _ticks(self, index: int, slot: int, candle: Bar, path: list[Point]) -> list[bool]:
        cadence = self.cadence
        last = len(path) - 1
        if not candle.volume:
            return [place in (0, last) and cadence.frame_slots == 1 for place in range(last + 1)]
        if cadence.slot_ticks >= 5 * POINTS_MIN:
            return [True] * (last + 1)
        high = next(i for i, p in enumerate(path) if p.five.close == candle.high)
        low = next(i for i, p in enumerate(path) if p.five.close == candle.low)
        if cadence.frame_slots == 1:
            chosen = {0, high, low, last}
            inner = [i for i in range(1, last) if i % POINTS_MIN not in (0, POINTS_MIN - 1)]
            spare = max(cadence.slot_ticks - len(chosen), 0)
            chosen |= {inner[i * len(inner) // spare] for i in range(spare)}
        else:
            start = slot - slot % cadence.frame_slots
            top, bottom = self._frame_extremes(index, start)
            chosen = {high} if slot == top else set()
            chosen |= {low} if slot == bottom else set()
            chosen |= {0} if slot == start else set()
            chosen |= {last} if slot == start + cadence.frame_slots - 1 else set()
        return [place in chosen for place in range(last + 1)]

    def _frame_extremes(self, index: int, start: int) -> tuple[int, int]:
        """The slots with the highest and the lowest price of the frame that begins at `start`."""
        key = (index, start)
        if key not in self._extremes:
            if len(self._extremes) > CACHED_BARS_MAX:
                self._extremes.clear()
            slots = range(start, start + self.cadence.frame_slots)
            bars = [(slot, bar) for slot in slots if (bar := self.recorded(index, slot))]
            top = max(bars, key=lambda pair: pair[1].high)[0]
            bottom = min(bars, key=lambda pair: pair[1].low)[0]
            self._extremes[key] = (top, bottom)
        return self._extremes[key]


def _point(way: Way | None, now_ms: int) -> Point | None:
    """The newest point of the way that has been reached."""
    points_back = reversed(way.points) if way is not None else ()
    return next((point for point in points_back if point.at_ms <= now_ms), None)


def extended(before: Bar | None, five: Bar | None, spacing: Spacing) -> Bar | None:
    """A bar's closed part and the forming 5m candle together."""
    if five is None:
        return before
    if before is None:
        return five._replace(open_ms=spacing.open_of(five.open_ms))
    return joined(before, five)


def start_ms(config: SimulatorConfig, recording: Recording) -> int:
    """Venue time at which the first run begins."""
    if config.start:
        try:
            moment = datetime.datetime.fromisoformat(config.start)
        except ValueError:
            raise SimulatorError(
                f"simulator.start is {config.start!r}: expected ISO 8601, as in 2024-01-05T00:00:00"
            ) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        begin = int(moment.timestamp() * 1000)
        if not 0 <= begin - recording.origin_ms < recording.length_ms:
            raise SimulatorError(
                f"simulator.start is {config.start}: expected a time within the recording"
            )
        return begin
    if recording.length_ms > 2 * BACKFILL_MS:
        return recording.origin_ms + BACKFILL_MS
    return _sparse_start(recording)


def _sparse_start(recording: Recording) -> int:
    """A fifth of what is recorded in from the first candle, for short recordings."""
    first = min(tape.first for tape in recording.tapes)
    last = max(
        index for tape in recording.tapes for index, price in enumerate(tape.open) if price == price
    )
    return recording.origin_ms + (first + (last + 1 - first) // 5) * SLOT_MS
