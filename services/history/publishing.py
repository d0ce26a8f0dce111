"""Publishes candles as ingest does, under its name: in transactions with `candles.last`.

What a transaction that failed left behind is read back before the next one, so a candle is out
once whatever dies, this process included: the next run goes on after what is out.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from chandler.core.events import Candle, CandlesOut, Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.streams.settings import Installation
from chandler.streams.writing import LostError, Outbox, Record
from services.ingest.output import Out, read_out

CANDLES_FIRST, CANDLES_MAX, CANDLES_MIN = 1_000, 5_000, 25  # in one transaction
SYMBOL_CANDLES_MAX = 600  # of one symbol in one transaction
SLOW_S, QUICK_S = 1.5, 0.5  # the broker ends a transaction after 5 s
LOST_MAX = 8  # transactions in a row
REOPEN_S = 1.0


class Publisher:
    """Holds the transactional ids of `shards` ingest shards. `source`: the records' header.

    ReplacedError: an ingest (or another import) took over; LostError: Kafka doesn't come back.
    """

    def __init__(self, installation: Installation, shards: int, source: str) -> None:
        self.out: Out = {}
        self.candles_max = CANDLES_FIRST
        self._installation = installation
        self._outboxes = [Outbox(installation, f"ingest-{number}") for number in range(shards)]
        self._header = (("source", source.encode()),)
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Fences older holders; what is out is read after that."""
        for outbox in self._outboxes:
            await outbox.open()
        self.out = await read_out(self._installation)

    async def close(self) -> None:
        """Gives the names back."""
        for outbox in self._outboxes:
            await outbox.close()

    async def publish(self, candles: Sequence[Candle]) -> int:
        """All of them in one transaction, each symbol's in order; how many were not out yet."""
        async with self._turn:
            failures = 0
            while True:
                fresh = [each for each in candles if self._is_next(each)]
                try:
                    await self._write(fresh)
                    return len(fresh)
                except LostError:
                    failures += 1
                    if failures >= LOST_MAX:
                        raise
                    await self._reopen()

    def newest(self, symbol: Symbol, granularity: Granularity) -> int | None:
        """Open time of the newest candle that is out."""
        return self.out.get(symbol, {}).get(granularity)

    def _is_next(self, candle: Candle) -> bool:
        newest = self.newest(candle.symbol, candle.granularity)
        return newest is None or candle.open_ms > newest

    async def _write(self, candles: Sequence[Candle]) -> None:
        if not candles:
            return
        ends = {(each.symbol, each.granularity): each for each in candles}
        records = [
            Record(f"candles.{each.granularity}", each.symbol, each, self._header)
            for each in candles
        ]
        records += [
            Record("candles.last", f"{symbol}|{granularity}", _out(each))
            for (symbol, granularity), each in ends.items()
        ]
        self._check(candles)
        began = time.monotonic()
        await self._outboxes[0].write(records)
        self._took(time.monotonic() - began)
        for (symbol, granularity), each in ends.items():
            self.out.setdefault(symbol, {})[granularity] = each.open_ms

    def _check(self, candles: Sequence[Candle]) -> None:
        """No hole goes out, whatever the caller thinks."""
        newest: dict[tuple[Symbol, Granularity], int] = {}
        for each in candles:
            lane = (each.symbol, each.granularity)
            before = newest.get(lane, self.newest(*lane))
            expected = None if before is None else before + interval_ms(each.granularity)
            assert expected in (None, each.open_ms), f"{lane}: {each.open_ms} after {before}"
            newest[lane] = each.open_ms

    def _took(self, seconds: float) -> None:
        if seconds >= SLOW_S:
            self.candles_max = max(CANDLES_MIN, self.candles_max // 2)
        elif seconds < QUICK_S:
            self.candles_max = min(CANDLES_MAX, self.candles_max * 2)

    async def _reopen(self) -> None:
        self._took(SLOW_S)
        for failures in range(1, LOST_MAX + 1):
            await asyncio.sleep(REOPEN_S)
            try:
                await self.open()
                return
            except LostError:
                if failures == LOST_MAX:
                    raise


def _out(candle: Candle) -> CandlesOut:
    return CandlesOut(
        symbol=candle.symbol,
        granularity=candle.granularity,
        open_ms=candle.open_ms,
        hash=candle.hash,
    )


class Batches:
    """Takes from every symbol's candles in turn, so that no symbol runs far ahead of the others."""

    def __init__(self, lines: Iterable[Iterator[Candle]]) -> None:
        self._lines = list(lines)

    def take(self, most: int) -> list[Candle]:
        """The next ones, at most `most`; empty at the end."""
        batch: list[Candle] = []
        while self._lines and len(batch) < most:
            line = self._lines.pop(0)
            found = list(islice(line, min(SYMBOL_CANDLES_MAX, most - len(batch))))
            batch += found
            if found:
                self._lines.append(line)
        return batch
