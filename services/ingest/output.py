"""A shard's candles on their way out: what is ready at once is one transaction."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Sequence

from chandler.core.events import CandleMissing, CandlesOut, Event, Symbol
from chandler.core.granularity import Granularity
from chandler.core.ingest.sequence import Ready
from chandler.streams.settings import Installation
from chandler.streams.telemetry.metrics import Metrics
from chandler.streams.writing import LostError, Outbox, Record, newest
from services.ingest.clock import Clock
from services.ingest.shard import Shard

LINGER_S = 0.004  # so that a close of all symbols becomes one transaction
CANDLES_MAX = 1_000  # in one transaction
CANDLES_MIN = 25  # to which it shrinks where transactions take long
SYMBOL_CANDLES_MAX = 600  # of one symbol in one transaction
SLOW_S, QUICK_S = 1.5, 0.5  # the broker ends a transaction after 5 s
REOPEN_S = 1.0
CLOSE_S_MAX = 4.0
LIVE_MS = 60_000  # of venue time after the close: later ones are repaired, not delayed

Out = dict[Symbol, dict[Granularity, int]]


async def read_out(installation: Installation) -> Out:
    """Open time of the newest candle that is out, by symbol and granularity. LostError."""
    return out_of((await newest(installation, "candles.last")).values())


def out_of(events: Iterable[Event]) -> Out:
    """The records of `candles.last` by symbol and granularity."""
    found: Out = {}
    for event in events:
        assert isinstance(event, CandlesOut)
        found.setdefault(event.symbol, {})[event.granularity] = event.open_ms
    return found


class Pace:
    """How many candles go into the next transaction: fewer after a slow one, else more again."""

    def __init__(self) -> None:
        self.candles_max = CANDLES_MAX

    def took(self, seconds: float) -> None:
        """A transaction took so long."""
        if seconds >= SLOW_S:
            self.candles_max = max(CANDLES_MIN, self.candles_max // 2)
        elif seconds < QUICK_S:
            self.candles_max = min(CANDLES_MAX, self.candles_max * 2)


class Output:
    """Owns the shard's outbox. A transaction never spans a call to the outside."""

    def __init__(
        self,
        installation: Installation,
        shard: Shard,
        clock: Clock,
        metrics: Metrics,
        log: logging.Logger,
    ) -> None:
        self.outbox = Outbox(installation, f"ingest-{shard.number}")
        self.sent_at = 0.0  # monotonic s of the newest commit
        self.newest_close: dict[Granularity, int] = {}
        self._installation = installation
        self._shard = shard
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._closed = asyncio.Event()
        self._pace = Pace()

    async def closed(self) -> None:
        """Returns when `run` has ended, with a bound."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._closed.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Publishes until `stop` is set. ReplacedError, ReadError and ValueError go through."""
        shard = self._shard
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await shard.stirred.wait()
            shard.stirred.clear()
            if not shard.ready_symbols and not shard.corrections:
                continue
            await asyncio.sleep(LINGER_S)
            try:
                while not stop.is_set() and await self._publish():
                    pass
            except LostError as error:
                self._log.warning("%s; opening it again and reading what is out", error)
                await self._reopen(stop)
        await self.outbox.close()
        self._closed.set()

    async def _publish(self) -> bool:
        """One transaction; whether there may be more."""
        shard = self._shard
        batch: list[Ready] = []
        asked = list(shard.ready_symbols)
        full: set[Symbol] = set()
        for symbol in asked:
            room = min(SYMBOL_CANDLES_MAX, self._pace.candles_max - len(batch))
            sequence = shard.sequences.get(symbol)
            found = sequence.ready(room) if sequence is not None and room > 0 else []
            batch += found
            if len(found) == room or room <= 0:
                full.add(symbol)
        shard.ready_symbols.difference_update(set(asked) - full)
        corrections = list(shard.corrections)
        if not batch and not corrections:
            return False
        records = _records(batch)
        records += [Record("candles.corrections", each.symbol, each) for each in corrections]
        began = time.monotonic()
        try:
            await self.outbox.write(records)
        except LostError:
            shard.ready_symbols.update(asked)
            self._pace.took(SLOW_S)
            raise
        self._pace.took(time.monotonic() - began)
        del shard.corrections[: len(corrections)]
        self._sent(batch)
        return bool(full)

    def _sent(self, batch: Sequence[Ready]) -> None:
        now, metrics = self._clock.now(), self._metrics
        out: Out = {}
        for candle, _ in batch:
            out.setdefault(candle.symbol, {})[candle.granularity] = candle.open_ms
            late_ms = now - candle.close_ms
            if late_ms < LIVE_MS:
                seconds = max(0.0, late_ms / 1_000 / self._clock.rate)
                metrics.observe("chandler_ingest_end_to_end_delay_seconds", seconds)
            if isinstance(candle, CandleMissing):
                metrics.add("chandler_ingest_missing_total")
            else:
                metrics.add("chandler_ingest_sealed_total", granularity=candle.granularity)
            close_ms = max(self.newest_close.get(candle.granularity, 0), candle.close_ms)
            self.newest_close[candle.granularity] = close_ms
        for symbol, newest_ms in out.items():
            sequence = self._shard.sequences.get(symbol)
            if sequence is not None:
                sequence.sent(newest_ms)
        self.sent_at = time.monotonic()

    def furthest(self) -> dict[Granularity, int]:
        """The newest close that is out of the symbol that is furthest behind, ms."""
        found: dict[Granularity, int] = {}
        for sequence in self._shard.sequences.values():
            for granularity, lane in sequence.lanes.items():
                found[granularity] = min(found.get(granularity, lane.cursor), lane.cursor)
        return found

    async def _reopen(self, stop: asyncio.Event) -> None:
        """Fences whoever holds the name, reads what is out, and goes on after that."""
        while not stop.is_set():
            try:
                await self.outbox.open()
                out = await read_out(self._installation)
            except LostError as error:
                self._log.warning("%s; trying again in %g s", error, REOPEN_S)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(REOPEN_S):
                        await stop.wait()
                continue
            for symbol, sequence in self._shard.sequences.items():
                sequence.sent(out.get(symbol, {}))
                self._shard.ready_symbols.add(symbol)
            self._shard.stirred.set()
            return


def _records(batch: Sequence[Ready]) -> list[Record]:
    """Candles in their order, then how far each lane is out."""
    records: list[Record] = []
    last: dict[tuple[Symbol, Granularity], CandlesOut] = {}
    for candle, source in batch:
        headers = (("source", source.encode()),)
        topic = f"candles.{candle.granularity}"
        records.append(Record(topic, candle.symbol, candle, headers))
    newest_by_lane = {(each.candle.symbol, each.candle.granularity): each.candle for each in batch}
    for candle in newest_by_lane.values():
        last[(candle.symbol, candle.granularity)] = CandlesOut(
            symbol=candle.symbol,
            granularity=candle.granularity,
            open_ms=candle.open_ms,
            hash=candle.hash,
        )
    records += [
        Record("candles.last", f"{symbol}|{granularity}", out)
        for (symbol, granularity), out in last.items()
    ]
    return records


def measured(outputs: Sequence[Output], now: int, metrics: Metrics) -> dict[Granularity, int]:
    """Sets the ages of what is out, at the venue's time `now`; the newest closes, ms."""
    newest: dict[Granularity, int] = {}
    furthest: dict[Granularity, int] = {}
    for output in outputs:
        for granularity, close_ms in output.newest_close.items():
            newest[granularity] = max(newest.get(granularity, 0), close_ms)
        for granularity, close_ms in output.furthest().items():
            furthest[granularity] = min(furthest.get(granularity, close_ms), close_ms)
    for name, closes in (("last", newest), ("furthest", furthest)):
        for granularity, close_ms in closes.items():
            age_s = max(0.0, (now - close_ms) / 1_000)
            metric = f"chandler_ingest_{name}_candle_age_seconds"
            metrics.set(metric, age_s, granularity=granularity)
    return newest
