"""What of a series may go out after what the topic holds: a lane only ever grows at its end.

Readers stop at a hole and drop what is older than what they know, so a lane is contiguous and
ascending. What is there already has to be the same. Knows nothing of Kafka.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chandler.core.events import Candle, CandleSealed
from chandler.core.granularity import DAY_MS, Granularity, interval_ms, slot_open, utc
from chandler.core.resample import Bar, resample
from chandler.replay.history.checks import once, shown
from chandler.replay.history.series import Series
from chandler.replay.history.sheet import HistoryError

ELSEWHERE = "use another CHANDLER_DATA or CHANDLER_TOPIC_PREFIX"


class Plan(NamedTuple):
    """What goes out of a series."""

    series: Series
    next_ms: int  # the first slot that goes out
    sealed: int  # rows that go out
    missing: int  # slots that go out as missing
    same: int  # rows that are out already


def joined(parts: Sequence[Series]) -> tuple[Series, int]:
    """Series of one symbol and granularity out of several files, and how many rows were repeated.

    HistoryError where two files have other values for a slot.
    """
    if len(parts) == 1:
        return parts[0], 0
    ordered = sorted(parts, key=lambda part: int(part.open_ms[0]))
    times = np.concatenate([part.open_ms for part in ordered])
    values = np.concatenate([part.values for part in ordered])
    order = np.argsort(times, kind="stable")
    times, values, repeated = once(times[order], values[order])
    source = f"{ordered[0].source} and {len(parts) - 1} more"
    typical = any(part.typical for part in parts)
    whole = ordered[0]._replace(source=source, open_ms=times, values=values, typical=typical)
    return whole, repeated


class Present:
    """Compares a lane of the topic with the series that is to go there: `take` its candles."""

    def __init__(self, series: Series, tail_ms: int = DAY_MS) -> None:
        self.first_ms: int | None = None
        self.last_ms = -1
        self.same = 0
        self.differing = 0
        self.difference = ""  # the first one
        interval = interval_ms(series.granularity)
        # The newest slots that are out; None: missing.
        self.tail: deque[tuple[int, Bar | None]] = deque(maxlen=max(1, tail_ms // interval))
        self._series = series
        self._opens = series.open_ms.tolist()
        self._place = 0

    def take(self, candle: Candle) -> None:
        """The lane's next candle."""
        open_ms = candle.open_ms
        if self.first_ms is None:
            self.first_ms = open_ms
        self.last_ms = open_ms
        bar = None
        if isinstance(candle, CandleSealed):
            prices = (candle.open, candle.high, candle.low, candle.close)
            bar = Bar(open_ms, *prices, candle.volume, candle.quote_volume)
        self.tail.append((open_ms, bar))
        while self._place < len(self._opens) and self._opens[self._place] < open_ms:
            self._place += 1
        if self._place < len(self._opens) and self._opens[self._place] == open_ms:
            self._compare(open_ms, bar)

    def _compare(self, open_ms: int, bar: Bar | None) -> None:
        ours = self._series.values[self._place]
        # A quote volume that is made up says nothing against one that was recorded.
        counted = 5 if self._series.typical else 6
        if bar is not None and tuple(ours[:counted].tolist()) == tuple(bar[1 : counted + 1]):
            self.same += 1
            return
        self.differing += 1
        if not self.difference:
            there = "missing at the venue" if bar is None else shown(np.array(bar[1:]))
            self.difference = f"{utc(open_ms)}: there {there}, in the file {shown(ours)}"


def plan(series: Series, present: Present | None, *, record_missing: bool) -> Plan:
    """What goes out; HistoryError where the lane would not stay whole and as it is."""
    first, interval = int(series.open_ms[0]), interval_ms(series.granularity)
    topic = f"candles.{series.granularity}"
    next_ms, same = first, 0
    if present is not None and present.first_ms is not None:
        if present.differing:
            raise HistoryError(
                f"{present.differing} candles are in {topic} with other values, the first "
                f"{present.difference}: what is out never changes, {ELSEWHERE}"
            )
        if first < present.first_ms:
            raise HistoryError(
                f"it begins {utc(first)}, and {topic} has candles from {utc(present.first_ms)} on: "
                f"older ones can't be put before them, {ELSEWHERE} and import the oldest first"
            )
        next_ms, same = present.last_ms + interval, present.same
    rest = series.open_ms[np.searchsorted(series.open_ms, next_ms) :]
    if not len(rest):
        return Plan(series, next_ms, 0, 0, same)
    missing = (int(rest[-1]) - next_ms) // interval + 1 - len(rest)
    if missing and not record_missing:
        raise HistoryError(_hole(series, rest.tolist(), next_ms, missing))
    return Plan(series, next_ms, len(rest), missing, same)


def _hole(series: Series, opens: list[int], next_ms: int, missing: int) -> str:
    interval = interval_ms(series.granularity)
    holes: list[tuple[int, int]] = []
    for open_ms in opens:
        if open_ms > next_ms:
            holes.append((next_ms, open_ms))
        next_ms = open_ms + interval
    start, end = holes[0]
    of = f"{missing} {series.granularity} candles are missing (holes: {len(holes)})"
    return (
        f"{of}, first from {utc(start)} to {utc(end)}: get the files that fill them, or "
        "--missing records them as missing at the venue"
    )


def longer(
    base: Series, present: Present | None, granularity: Granularity, last_ms: int | None
) -> Series | None:
    """The complete slots of a longer granularity, by core's rule; None where there is none.

    The newest candles of the topic complete what a file begins in the middle of. `last_ms`: the
    newest slot of the longer lane that is out.
    """
    interval, step = interval_ms(granularity), interval_ms(base.granularity)
    assert interval > step, f"{granularity} isn't longer than {base.granularity}"
    begins = slot_open(int(base.open_ms[0]), granularity)
    if last_ms is not None:
        begins = min(begins, last_ms + interval)
    known = set(base.open_ms.tolist())
    tail = [] if present is None else present.tail
    before = [bar for at, bar in tail if bar is not None and at >= begins and at not in known]
    bars = sorted([*before, *base.bars()])
    counts = np.unique(
        np.array([slot_open(bar.open_ms, granularity) for bar in bars]), return_counts=True
    )
    whole = {
        at
        for at, count in zip(*(each.tolist() for each in counts), strict=True)
        if count == interval // step
    }
    found = [bar for bar in resample(bars, granularity) if bar.open_ms in whole]
    if not found:
        return None
    return base._replace(
        granularity=granularity,
        open_ms=np.array([bar.open_ms for bar in found], dtype=np.int64),
        values=np.array([bar[1:] for bar in found], dtype=np.float64),
    )
