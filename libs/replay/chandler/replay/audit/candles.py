"""Checks sealed candles: each slot once, in order, without gaps, equal to a recording.

Takes events in the order of their topic's partitions. Knows nothing of Kafka or files.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from chandler.core.events import Candle, CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import MINUTE_MS, Granularity, interval_ms, utc
from chandler.core.resample import Bar, resample

FAULTS_SHOWN = 20
BEHIND_SLOTS_MIN = 3  # of a close, some symbols come before others
BASE = Granularity("5m")  # of a recording
BASE_MS = 5 * MINUTE_MS

# The recorded base candle of a symbol's slot; None: the recording has none there.
Recorded = Callable[[Symbol, int], Bar | None]


class Fault(NamedTuple):
    """What is wrong with one slot."""

    kind: str  # resealed, gap, out of order, misaligned, differing
    symbol: Symbol
    granularity: Granularity
    open_ms: int
    detail: str = ""

    @property
    def line(self) -> str:
        """For people."""
        more = f": {self.detail}" if self.detail else ""
        return f"{self.kind} {self.symbol} {self.granularity} {utc(self.open_ms)}{more}"


class Behind(NamedTuple):
    """Series of a granularity that end before its newest slot."""

    granularity: Granularity
    series: int
    symbol: Symbol  # of the one that is furthest behind
    slots: int  # by how many
    newest_ms: int

    @property
    def line(self) -> str:
        """For people."""
        return (
            f"behind: of {self.granularity}, {self.series} symbols end before the newest candle "
            f"({utc(self.newest_ms)}), {self.symbol} by {self.slots} candles: they are still to "
            "come, or this machine is too slow for the speed"
        )


class _Series:
    """One symbol's slots of one granularity."""

    def __init__(self, open_ms: int) -> None:
        self.first_ms = self.newest_ms = open_ms
        self.absent: list[tuple[int, int]] = []  # ranges [start, end) that were stepped over


class CandleAudit:
    """`take` every event, then read the counts and `finish`."""

    def __init__(self) -> None:
        self.candles = 0
        self.missing_at_venue = 0
        self.resealed = 0
        self.out_of_order = 0
        self.misaligned = 0
        self.by_granularity: dict[Granularity, int] = {}
        self.symbols: set[Symbol] = set()
        self.faults: list[Fault] = []  # the first of them
        self._series: dict[tuple[Symbol, Granularity], _Series] = {}

    def take(self, event: Candle) -> None:
        """The next event of a partition."""
        interval = interval_ms(event.granularity)
        if isinstance(event, CandleMissing):
            self.missing_at_venue += 1
        else:
            self.candles += 1
            counts = self.by_granularity
            counts[event.granularity] = counts.get(event.granularity, 0) + 1
        self.symbols.add(event.symbol)
        if event.open_ms % interval:
            self.misaligned += 1
            self._fault("misaligned", event)
            return
        key = (event.symbol, event.granularity)
        series = self._series.get(key)
        if series is None:
            self._series[key] = _Series(event.open_ms)
            return
        expected = series.newest_ms + interval
        if event.open_ms >= expected:
            if event.open_ms > expected:
                series.absent.append((expected, event.open_ms))
            series.newest_ms = event.open_ms
        else:
            self._late(event, series, interval)

    def _late(self, event: Candle, series: _Series, interval: int) -> None:
        at = event.open_ms
        if at < series.first_ms:
            if at + interval < series.first_ms:
                series.absent.append((at + interval, series.first_ms))
            series.first_ms = at
        else:
            hole = next((hole for hole in series.absent if hole[0] <= at < hole[1]), None)
            if hole is None:
                self.resealed += 1
                self._fault("resealed", event)
                return
            series.absent.remove(hole)
            rest = ((hole[0], at), (at + interval, hole[1]))
            series.absent += [part for part in rest if part[0] < part[1]]
        self.out_of_order += 1
        self._fault("out of order", event)

    def _fault(self, kind: str, event: Candle) -> None:
        if len(self.faults) < FAULTS_SHOWN:
            self.faults.append(Fault(kind, event.symbol, event.granularity, event.open_ms))

    @property
    def gaps(self) -> int:
        """Slots between a series' first and newest that were never published."""
        return sum(
            (end - start) // interval_ms(granularity)
            for (_, granularity), series in self._series.items()
            for start, end in series.absent
        )

    def gap_faults(self) -> list[Fault]:
        """The first gaps."""
        found = [
            Fault("gap", symbol, granularity, start, f"up to {utc(end)}")
            for (symbol, granularity), series in self._series.items()
            for start, end in series.absent
        ]
        return found[:FAULTS_SHOWN]

    def behind(self) -> list[Behind]:
        """By granularity: series that end well before its newest slot; no gap, they may come."""
        ends: dict[Granularity, list[tuple[int, Symbol]]] = {}
        for (symbol, granularity), series in self._series.items():
            ends.setdefault(granularity, []).append((series.newest_ms, symbol))
        found = []
        for granularity, each in ends.items():
            newest = max(each)[0]
            least = BEHIND_SLOTS_MIN * interval_ms(granularity)
            late = [end for end in each if newest - end[0] >= least]
            if late:
                first, symbol = min(late)
                slots = (newest - first) // interval_ms(granularity)
                found.append(Behind(granularity, len(late), symbol, slots, newest))
        return found

    @property
    def well(self) -> bool:
        """Whether something was looked at and nothing is wrong."""
        wrong = self.resealed + self.out_of_order + self.misaligned + self.gaps
        return self.candles > 0 and wrong == 0

    @property
    def line(self) -> str:
        """candles=N resealed=0 gaps=0 out_of_order=0 missing_at_venue=M"""
        more = f" misaligned={self.misaligned}" if self.misaligned else ""
        return (
            f"candles={self.candles} resealed={self.resealed} gaps={self.gaps} "
            f"out_of_order={self.out_of_order} missing_at_venue={self.missing_at_venue}{more}"
        )


class Compared(NamedTuple):
    """How many candles of one granularity were compared, and what came of it."""

    candles: int
    differing: int


class Comparison:
    """Sealed candles against a recording: 5m itself, longer ones resampled from its 5m rows.

    A base slot that the venue lacked (`CandleMissing`) is in the longer candle all the same, as at
    the simulator: the trades were there. Shorter granularities than 5m, and symbols that the
    recording lacks, are only counted.
    """

    def __init__(self, symbols: Iterable[str], recorded: Recorded) -> None:
        self._symbols = frozenset(symbols)
        self._recorded = recorded
        self._longer: list[CandleSealed] = []
        self._newest: dict[Symbol, int] = {}  # newest base slot that is out
        self._counts: dict[Granularity, list[int]] = {}
        self.skipped_symbols: set[Symbol] = set()
        self.skipped = 0  # candles that nothing could be compared with
        self.faults: list[Fault] = []

    def take(self, event: Candle) -> None:
        """The next event, in any order."""
        if event.symbol not in self._symbols:
            self.skipped_symbols.add(event.symbol)
            self.skipped += 1
            return
        if event.granularity == BASE:
            self._newest[event.symbol] = max(self._newest.get(event.symbol, 0), event.open_ms)
            if isinstance(event, CandleSealed):
                self._compare(event, self._recorded(event.symbol, event.open_ms))
        elif isinstance(event, CandleSealed):
            if interval_ms(event.granularity) < BASE_MS:
                self.skipped += 1
            else:
                self._longer.append(event)

    def finish(self) -> dict[Granularity, Compared]:
        """Compares the longer candles and gives all counts."""
        for candle in self._longer:
            newest = self._newest.get(candle.symbol)
            if newest is not None and newest < candle.close_ms - BASE_MS:
                self.skipped += 1  # its last base candle isn't out yet
                continue
            self._compare(candle, self._resampled(candle))
        self._longer.clear()
        return {
            granularity: Compared(*self._counts[granularity])
            for granularity in sorted(self._counts, key=interval_ms)
        }

    def _resampled(self, candle: CandleSealed) -> Bar | None:
        slots = range(candle.open_ms, candle.close_ms, BASE_MS)
        rows = [row for slot in slots if (row := self._recorded(candle.symbol, slot)) is not None]
        bars = resample(rows, candle.granularity)
        return bars[0] if bars else None

    def _compare(self, candle: CandleSealed, bar: Bar | None) -> None:
        counts = self._counts.setdefault(candle.granularity, [0, 0])
        counts[0] += 1
        ours = (candle.open, candle.high, candle.low, candle.close, candle.volume)
        theirs = None if bar is None else (bar.open, bar.high, bar.low, bar.close, bar.volume)
        if ours == theirs:
            return
        counts[1] += 1
        if len(self.faults) < FAULTS_SHOWN:
            detail = f"sealed {ours}, recorded {theirs or 'nothing'}"
            fault = Fault("differing", candle.symbol, candle.granularity, candle.open_ms, detail)
            self.faults.append(fault)
