"""One connection's symbols: takes what the socket says into their sequences."""

import asyncio
import logging
from collections.abc import Callable

from chandler.core.events import CandleCorrected, Symbol
from chandler.core.granularity import Granularity
from chandler.core.ingest.lane import Answer
from chandler.core.ingest.sequence import FUTURE, Push, Sequence
from chandler.core.ingest.trust import Trust
from chandler.exchanges.bitget.feed import (
    Connected,
    Disconnected,
    Feed,
    FeedEvent,
    Malformed,
    Received,
)
from chandler.exchanges.bitget.parse import CandlePush, Refused, TickerPush
from chandler.exchanges.bitget.symbols import TICKER, channel_of
from chandler.streams.telemetry.metrics import Metrics
from services.declaration import Connection
from services.ingest.clock import Clock
from services.ingest.complaints import Complaints
from services.ingest.tickers import Tickers

RAW_SHOWN = 400
AHEAD_WALL_MS = 5_000  # by which a ticker may be ahead of our idea of the venue's clock


class Shard:
    """The sequences of one connection; `stirred` wakes whoever publishes, `asked` who asks REST."""

    def __init__(
        self,
        number: int,
        symbols: list[Symbol],
        granularities: list[Granularity],
        trust: Trust,
        *,
        clock: Clock,
        tickers: Tickers | None,
        complaints: Complaints,
        metrics: Metrics,
        connection: Connection,
        log: logging.Logger,
    ) -> None:
        self.number = number
        self.symbols = symbols
        self.granularities = granularities
        self.trust = trust
        self.sequences: dict[Symbol, Sequence] = {}
        self.corrections: list[CandleCorrected] = []
        self.ready_symbols: set[Symbol] = set()  # something may be ready to go out
        self.stirred = asyncio.Event()
        self.asked = asyncio.Event()
        self.clock_in_doubt: Callable[[], None] = lambda: None  # ours, of the venue's time
        self._clock = clock
        self._tickers = tickers
        self._complaints = complaints
        self._metrics = metrics
        self._connection = connection
        self._log = log
        self._down = False
        self._updates = 0

    def args(self, symbols: list[Symbol]) -> list[tuple[str, str]]:
        """What to subscribe to."""
        channels = [channel_of(each) for each in self.granularities]
        if self._tickers is not None:
            channels.append(TICKER)
        return [(symbol, channel) for symbol in symbols for channel in channels]

    async def listen(self, feed: Feed) -> None:
        """Takes all that the connection brings, until it is cancelled."""
        async for event in feed.events():
            self.take(event)

    def take(self, event: FeedEvent) -> None:
        """Takes one event of the feed."""
        if isinstance(event, Received):
            frame = event.frame
            if isinstance(frame, CandlePush):
                self._take_candles(frame)
            elif isinstance(frame, TickerPush):
                self._take_ticker(frame)
            elif isinstance(frame, Refused):
                self._refused(frame)
        elif isinstance(event, Malformed):
            raw = event.raw[:RAW_SHOWN].decode("utf-8", "backslashreplace")
            self._complaints.tell("malformed frame", event.detail, raw)
        elif isinstance(event, Connected):
            self._connected()
        else:
            self._disconnected(event)

    def _take_candles(self, push: CandlePush) -> None:
        self._updates += 1
        if push.rejected:
            for bad in push.rejected:
                detail = f"{push.symbol} {push.granularity}: {bad.raw}"
                self._complaints.tell(bad.cause, detail, bad.raw)
            self.trust.lost()
        sequence = self.sequences.get(push.symbol)
        if sequence is None or push.granularity not in sequence.lanes:
            if push.symbol not in self.symbols or push.granularity not in self.granularities:
                detail = f"{push.symbol} {push.granularity}: not subscribed to"
                self._complaints.tell("unknown symbol", detail)
            return
        faults = sequence.take(
            Push(push.granularity, push.rows, push.ts, push.snapshot),  # type: ignore[arg-type]
            self._clock.now(),
            self.trust,
        )
        for fault in faults:
            if fault.cause == FUTURE:
                self.clock_in_doubt()
            repeated = fault.cause == "repeated frame"
            self._complaints.tell(fault.cause, fault.detail, letter=not repeated)
        if sequence.stirred:
            sequence.stirred = False
            self.ready_symbols.add(push.symbol)
            self.stirred.set()
            self.asked.set()

    def _take_ticker(self, push: TickerPush) -> None:
        self._updates += 1
        if self._tickers is None:
            return
        if push.symbol not in self.symbols:
            self._complaints.tell("unknown symbol", f"{push.symbol}: a ticker nobody asked for")
            return
        ahead_ms = push.at - self._clock.now()
        if ahead_ms > AHEAD_WALL_MS * self._clock.rate:
            # It would make all others of the shard too late.
            self.clock_in_doubt()
            detail = f"{push.symbol}: a ticker {ahead_ms / 1_000:.1f} s after the venue's time"
            self._complaints.tell(FUTURE, detail)
            return
        self._tickers.take(push, self.sequences.get(push.symbol))

    def _refused(self, frame: Refused) -> None:
        detail = f"{frame.symbol} {frame.channel}: {frame.message} (code {frame.code})"
        self._complaints.tell("refused by the venue", detail)

    def _connected(self) -> None:
        self.trust.lost()
        self.clock_in_doubt()
        self._log.info("connection %d: open, %d symbols", self.number, len(self.symbols))
        self._connection.back()
        self._down = False

    def _disconnected(self, event: Disconnected) -> None:
        self.trust.lost()
        self._metrics.add("chandler_ingest_reconnects_total")
        if not self._down:
            level = logging.INFO if event.planned else logging.WARNING
            self._log.log(level, "connection %d lost: %s", self.number, event.reason)
        self._connection.lost(event.reason)
        self._down = True

    def answer(self, symbol: Symbol, answer: Answer) -> None:
        """Takes what REST said."""
        sequence = self.sequences.get(symbol)
        if sequence is None:
            return
        corrections = sequence.answer(answer)
        if corrections:
            self.trust.lost()
            self.corrections += corrections
            for one in corrections:
                detail = f"{symbol} {one.granularity} {one.open_ms}: REST says {one.close}"
                self._complaints.tell("corrected by the venue", detail, letter=False)
        self.ready_symbols.add(symbol)
        self.stirred.set()

    def add(self, sequence: Sequence) -> None:
        """A symbol is set up: from now on its rows count."""
        self.sequences[sequence.symbol] = sequence
        self.ready_symbols.add(sequence.symbol)
        self._count()
        self.stirred.set()
        self.asked.set()

    def drop(self, symbol: Symbol, feed: Feed) -> None:
        """Ends a symbol; the others go on."""
        feed.remove(self.args([symbol]))
        self.symbols = [each for each in self.symbols if each != symbol]
        self.sequences.pop(symbol, None)
        self.ready_symbols.discard(symbol)
        self._count()

    def _count(self) -> None:
        self.trust.lanes(dict.fromkeys(self.granularities, len(self.sequences)))

    def tick(self) -> None:
        """What happens because time passes."""
        now = self._clock.now()
        self.trust.tick(now)
        if self._tickers is not None:
            self._tickers.say(None if self.symbols else now)
        self._metrics.add("chandler_ingest_updates_total", self._updates)
        self._updates = 0
        self.asked.set()
