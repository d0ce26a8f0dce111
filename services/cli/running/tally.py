"""Counts what passes through the topics while `up` runs, and notes the first live signal."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from chandler.core.events import Signal
from chandler.core.granularity import INTERVAL_MS
from chandler.streams.reader import ReadError, Record, follow_batches
from chandler.streams.settings import Installation

NEWEST_MAX = 200
AGAIN_S = 1.0


class Tally:
    """Candles and signals since the start."""

    def __init__(self, began: float) -> None:
        self.began = began  # monotonic
        self.venue_start_ms: int | None = None  # the venue's time at the start
        self.candles = 0
        self.missing = 0
        self.signals = 0  # of candles that closed after the start
        self.signals_before = 0  # of backfilled ones
        self.first_signal_s: float | None = None
        self.newest: deque[Signal] = deque(maxlen=NEWEST_MAX)
        self.newest_close_ms = 0
        self._seen: dict[str, None] = {}

    def take(self, record: Record) -> Signal | None:
        """Counts a record; a live signal is handed back, once by id."""
        if record.topic != "signals":
            self.candles += 1
            return None
        signal = record.event
        if not isinstance(signal, Signal) or signal.id in self._seen:
            return None
        self._seen[signal.id] = None
        if len(self._seen) > 10 * NEWEST_MAX:
            del self._seen[next(iter(self._seen))]
        if self.venue_start_ms is None or signal.close_ms <= self.venue_start_ms:
            self.signals_before += 1
            return None
        self.signals += 1
        self.newest_close_ms = max(self.newest_close_ms, signal.close_ms)
        if self.first_signal_s is None:
            self.first_signal_s = time.monotonic() - self.began
        self.newest.append(signal)
        return signal

    async def run(self, installation: Installation, on_signal: Callable[[Signal], None]) -> None:
        """Follows the topics until it is cancelled, over losses of Kafka."""
        names = [*(f"candles.{granularity}" for granularity in INTERVAL_MS), "signals"]
        newest_ms: int | None = None  # CreateTime of the newest record
        while True:
            start = "end" if newest_ms is None else newest_ms + 1
            try:
                async for batch in follow_batches(installation, names, start):
                    for record in batch:
                        newest_ms = max(newest_ms or 0, record.timestamp_ms)
                        if (signal := self.take(record)) is not None:
                            on_signal(signal)
            except (ReadError, OSError):
                await asyncio.sleep(AGAIN_S)
