"""What watermarks rest on: who has said that everything up to a time is out.

Knows nothing of who waits for it. Both kinds can be kept as JSON and come back as they were.
"""

import msgspec

from chandler.core.events import MatrixRow, Signal
from chandler.core.granularity import Granularity, interval_ms

UNKNOWN = -1  # nothing is said yet
NOBODY = 2**62  # nobody has to be waited for

_SIGNALLED = ("long", "short", "flat")  # verdicts with a signal in the same transaction


class ShardMarks(msgspec.Struct):
    """Several writers of one partition: it is out what is out with all of them."""

    said: dict[int, int] = {}  # shard → at
    shards: int = 0  # how many there are, as the newest record says

    def note(self, shard: int, shards: int, at: int) -> int:
        """Takes in one writer's word; the watermark afterwards."""
        self.shards = shards
        self.said[shard] = max(at, self.said.get(shard, UNKNOWN))
        return self.at

    @property
    def at(self) -> int:
        if not self.shards:
            return UNKNOWN
        return min(self.said.get(shard, UNKNOWN) for shard in range(self.shards))


class _Row(msgspec.Struct):
    """An evaluated close, and the engines whose signals for it have not come yet."""

    close_ms: int
    missing: list[str]


class CloseMarks(msgspec.Struct, dict=True):
    """One partition of signals, by its matrix rows: a close is out when all symbols have it.

    Row and signals of an evaluation are in one transaction but are fetched each by itself: a
    row with a verdict counts when the signal is there, too. A symbol is waited for from the row
    on with which it has caught up: for what lies behind the clock nobody has to wait any more.
    """

    closes: dict[str, int] = {}  # symbol|granularity → newest close that is out
    rows: dict[str, list[_Row]] = {}  # waiting for signals
    early: dict[str, dict[int, list[str]]] = {}  # signals before their row: close → engines

    def __post_init__(self) -> None:
        self._floor = UNKNOWN  # the least of all slots, where `_lowest` says how many are there
        self._lowest = 0  # 0: it isn't known

    def row(self, row: MatrixRow, clock: int) -> None:
        """Takes in an evaluated close."""
        slot = f"{row.symbol}|{row.granularity}"
        if row.close_ms <= self.closes.get(slot, UNKNOWN) or self._lags(slot, row.close_ms, clock):
            return
        if slot not in self.closes:
            self._lowest = 0
            self.closes[slot] = row.close_ms - interval_ms(row.granularity)
        there = self.early.get(slot, {}).get(row.close_ms, [])
        missing = [
            engine
            for engine, verdict in row.verdicts.items()
            if verdict in _SIGNALLED and engine not in there
        ]
        self.rows.setdefault(slot, []).append(_Row(row.close_ms, missing))
        self._settle(slot)

    def signal(self, signal: Signal, clock: int) -> None:
        """Takes in that a signal has come."""
        slot = f"{signal.symbol}|{signal.granularity}"
        close_ms = signal.close_ms
        if close_ms <= self.closes.get(slot, UNKNOWN) or self._lags(slot, close_ms, clock):
            return
        for row in self.rows.get(slot, ()):
            if row.close_ms == signal.close_ms and signal.source in row.missing:
                row.missing.remove(signal.source)
                self._settle(slot)
                return
        self.early.setdefault(slot, {}).setdefault(signal.close_ms, []).append(signal.source)

    def _lags(self, slot: str, close_ms: int, clock: int) -> bool:
        return slot not in self.closes and close_ms + _interval(slot) - 1 < clock

    def _settle(self, slot: str) -> None:
        waiting, before = self.rows[slot], self.closes[slot]
        while waiting and not waiting[0].missing:
            self.closes[slot] = waiting.pop(0).close_ms
        if self._lowest and before != self.closes[slot]:
            self._lowest -= before + _interval(slot) - 1 == self._floor
        if not waiting:
            del self.rows[slot]
        early = self.early.get(slot)
        if early is not None:
            newest = self.closes.get(slot, UNKNOWN)
            early = {close: engines for close, engines in early.items() if close > newest}
            self.early[slot] = early
            if not early:
                del self.early[slot]

    @property
    def at(self) -> int:
        """Up to where all signals are out; NOBODY while no symbol is evaluated here."""
        if not self.closes:
            return NOBODY
        if not self._lowest:  # once per close, not once per row: there may be hundreds of slots
            every = [close + _interval(slot) - 1 for slot, close in self.closes.items()]
            self._floor = min(every)
            self._lowest = every.count(self._floor)
        return self._floor

    def forget(self, at: int) -> None:
        """No longer waits for who has not come to `at`; the next row brings it back."""
        late = [slot for slot, close in self.closes.items() if close + _interval(slot) - 1 < at]
        self._lowest = 0
        for slot in late:
            del self.closes[slot]
            self.rows.pop(slot, None)
            self.early.pop(slot, None)


def _interval(slot: str) -> int:
    return interval_ms(Granularity(slot.rpartition("|")[2]))
