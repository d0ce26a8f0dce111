"""What a desk shard does between fetch and commit: puts in order, looks at the market, folds.

Knows nothing of Kafka's clients. Wall time decides one thing here, and that is journalled: how
long an input is waited for (WindowClosed).
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from chandler.core.events import DeadLetter, Event, FundingRate, Instrument, Symbol, Ticker
from chandler.core.stage import Output
from chandler.core.trading.events import Command, OrderFilled, PumpState, Seen, WindowClosed
from chandler.core.watermarks import AHEAD_MS_MAX, Held, Market
from chandler.streams.exact.arrived import Arrived
from chandler.streams.exact.fetched import Ahead, Next, Offset, OrderKept, decoded, letter
from chandler.streams.exact.journal import (
    Batch,
    DeskOffsets,
    DeskRestored,
    Fold,
    MarketSnapshot,
)
from chandler.streams.exact.order import Ordered, Patience, needs_guard
from chandler.streams.points import point

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)

WAITED = ("tickers", "signals", "exits")
INPUTS = (
    *WAITED,
    "matrix",
    "signals.external",
    "pumps",
    "commands",
    "instruments",
    "funding",
)
SEEN = ("tickers", "pumps", "instruments", "funding")  # the market: read again on restore
BATCH_MAX = 500  # takes in one transaction
FOLD_S_MAX = 0.05  # then the consumer gets its turn
BEAT_S = 0.01  # of wall time, at least, between two tellings of a clock that moves
LIVE_BEAT_S = 1.0  # and between two keepings of a live shard's offsets
SNAPSHOT_S = 5.0  # between two snapshots of the market

_encode_state = msgspec.json.Encoder().encode


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One shard of the desk."""

    number: int  # partition of desk and desk.state
    shards: int  # of paper money
    live: bool = False
    window_s_max: float = 5.0
    guarded: bool = True  # signals wait for the pump guard
    # How long a shard that never ran waits for signals to come to where the tickers are, while
    # none come. What it would begin without is late, and a backtest would decide it in its place.
    patience_s: float = 0.0
    # How far ahead of a paper shard's clock what people send may be: further is a wrong clock, and
    # nearer a shard that is behind. Event time: longer on an accelerated clock.
    ahead_ms_max: int = AHEAD_MS_MAX


class Inbox:
    """Inputs of a live shard that come by no topic."""

    def __init__(self) -> None:
        self._inputs: deque[msgspec.Struct] = deque()
        self.wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._inputs)

    def put(self, event: msgspec.Struct) -> None:
        """Adds an input."""
        self._inputs.append(event)
        self.wake.set()

    def drain(self) -> Sequence[msgspec.Struct]:
        """All that is there."""
        found = list(self._inputs)
        self._inputs.clear()
        return found


class Effects(Protocol[S_contra]):
    """The outside world of a live shard. Nothing here is called within a transaction."""

    @property
    def inbox(self) -> Inbox: ...

    def restored(self, states: Mapping[str, S_contra], clock: int) -> None:
        """The shard starts anew from these states: what is unresolved in them is to be asked.

        `states` is kept up to date by the loop; `clock` is where it stands, -1 at the very first.
        """

    async def look(
        self, states: Mapping[str, S_contra], event: msgspec.Struct, seen: Seen, at: int
    ) -> Seen:
        """Adds what the venue says to what is seen: quotes, its clock."""

    def committed(self, states: Mapping[str, S_contra], outputs: Sequence[Output]) -> None:
        """A transaction is done, perhaps without outputs. These stand in the topics now: send."""


class DeskObserver(Protocol[S_contra]):
    """Where a shard reports what it does."""

    def committed(
        self,
        takes: int,
        outputs: Sequence[Output],
        states: Mapping[str, S_contra],
        seconds: float,
    ) -> None:
        """One transaction: how many inputs it took, and the states after them."""

    def decided(self, records: int) -> None:
        """So many of the inputs are in the journal."""

    def closed(self, window: WindowClosed) -> None: ...

    def late(self, topic: str) -> None: ...

    def stands(self, clock: int, newest: int) -> None:
        """Where the shard's clock is, and the newest ticker that was read."""

    def dead_letter(self, letter: DeadLetter) -> None: ...

    def restarted(self, cause: str) -> None: ...


class _Waited(NamedTuple):
    mark: int
    since: float  # perf_counter: since when it holds at this mark


class Taker(Generic[S]):
    """One shard from its restored state on; unusable after any error of a transaction."""

    def __init__(
        self,
        fold: Fold[S],
        shard: Shard,
        parts: Mapping[str, Sequence[int]],
        found: DeskRestored,
        observer: DeskObserver[S],
        effects: Effects[S] | None,
    ) -> None:
        self._fold = fold
        self._shard = shard
        self._observer = observer
        self._effects = effects
        offsets = found.offsets or DeskOffsets()
        self.seq = offsets.seq
        self.market = Market(found.snapshot.market)
        # What the snapshot had not read of the market is read from its topic's beginning.
        start = {
            topic: {p: found.snapshot.start.get(topic, {}).get(p, -1) for p in parts[topic]}
            for topic in SEEN
        }
        self.order = self._ordered(parts, offsets.order, start)
        self.states: dict[str, S] = {
            agent: msgspec.json.decode(raw, type=fold.state_type)
            for agent, raw in found.states.items()
        }
        self.newest = -1  # at of the newest ticker that was read
        self.newest_timestamp_ms = 0  # of the market: what follows from it is new, and as old as it
        self.told = -1  # the clock that was told last
        self._beat_at = 0.0
        self._snapshot_at = 0.0
        self._waited: dict[tuple[str, int, str], _Waited] = {}
        self._pumps = Ahead()
        self._patience = Patience(shard.patience_s)
        self._begun: int | None = None  # the clock of a fresh beginning, until it is told
        self.batch: Batch[S] = Batch()

    def _ordered(
        self, parts: Mapping[str, Sequence[int]], kept: OrderKept, start: Offset
    ) -> Ordered | Arrived:
        if self._shard.live:
            heeds = self._fold.heeds
            return Arrived(parts, kept, past=self.market.take, start=start, heeds=heeds)
        order = Ordered(
            parts,
            WAITED,
            kept,
            gated=self._gate,
            past=self.market.take,
            start=start,
            ahead_ms_max=self._shard.ahead_ms_max,
        )
        for symbol, at in self.market.guarded().items():
            order.open(symbol, at)
        return order

    def _gate(self, event: Event) -> str:
        """The symbol whose guard is waited for; a symbol that nobody knows has none."""
        symbol = needs_guard(event) if self._shard.guarded else ""
        return symbol if self.market.knows(symbol) else ""

    def feed(self, topic: str, record: Any) -> None:
        """Takes in a fetched record."""
        taken = decoded(topic, record)
        if isinstance(taken.event, Ticker):
            self.newest = max(self.newest, taken.at)
        elif isinstance(taken.event, PumpState):
            self._pumps.note(taken)
        self.order.feed(taken)

    def is_ready(self) -> bool:
        """Whether a turn may be taken: all is read again, and there is a place to start from."""
        if self.order.is_behind:
            return False
        if isinstance(self.order, Arrived) or self.order.clock >= 0:
            return True
        if not self.order.may_begin():
            return False
        waits = self._patience.waits(self.order.rows, time.perf_counter())
        if waits and not self.order.is_current():
            return False
        self._begun = self.order.begin()
        return True

    async def fill(self, *, closing: bool = False) -> bool:
        """Takes what may be taken now into the batch; whether there may be more.

        `closing`: only what the venue says of orders that are under way; nobody decides any more.
        """
        if not self.is_ready():
            return False
        until = time.perf_counter() + FOLD_S_MAX
        more = True
        while self.batch.takes < BATCH_MAX and time.perf_counter() < until:
            self._drain()
            turn = self._last() if closing else self.order.take()
            more = turn is not None
            if turn is None:
                break
            await self._take(turn)
            if self._effects is not None and self.batch.asks:
                return True  # an intent is sent before anything else is decided
        if not closing:
            self._close_windows()
        return more

    def _last(self) -> Next | None:
        return self.order.take_local() if isinstance(self.order, Arrived) else None

    def _drain(self) -> None:
        """Takes the venue's inputs in, once there is an event time to place them at."""
        if self._effects is not None and isinstance(self.order, Arrived) and self.order.clock >= 0:
            for event in self._effects.inbox.drain():
                self.order.local(event)

    async def _take(self, turn: Next) -> None:
        taken = turn.taken
        if taken.topic == "tickers" and not turn.late:
            self.newest_timestamp_ms = max(self.newest_timestamp_ms, taken.timestamp_ms)
        self.batch.started = self.batch.started or time.perf_counter()
        self.batch.takes += 1
        if turn.late:
            self._observer.late(taken.topic)
        if taken.event is None:
            self.batch.letters.append(letter(taken, "executor"))
        elif isinstance(taken.event, Instrument | FundingRate):
            self.market.take(taken.event)
        elif not (isinstance(taken.event, Ticker) and self._is_old(taken.event)):
            symbol = Symbol(getattr(taken.event, "symbol", ""))
            funding = isinstance(taken.event, Ticker) and not self._shard.live
            seen = self.market.seen(symbol, turn.at, funding=funding)
            if isinstance(taken.event, Command):
                seen = msgspec.structs.replace(seen, taken_ms=time.time_ns() // 1_000_000)
            if self._effects is not None:
                seen = await self._effects.look(self.states, taken.event, seen, turn.at)
            self._folded(taken.event, seen, turn.at, turn)
        self.order.passed(taken)

    def _is_old(self, ticker: Ticker) -> bool:
        known = self.market.tickers.get(ticker.symbol)
        self.market.take(ticker)
        return known is not None and ticker.at <= known.at

    def _folded(self, event: msgspec.Struct, seen: Seen, at: int, turn: Next | None) -> None:
        seq = self.seq + 1
        late = turn is not None and turn.late
        decided = self._fold.take(self.states, event, seen, at=at, seq=seq, late=late)
        if not (decided.outputs or decided.states) and turn is not None:
            return
        self.seq = seq
        self.states.update(decided.states)
        record = self._fold.record(self.states, event, seen, decided, at=at, seq=seq, late=late)
        self.batch.records.append((record, turn))
        self.batch.outputs += [(output, seq) for output in decided.outputs]
        self.batch.changed.update(decided.states)
        if any(isinstance(output.event, OrderFilled) for output in decided.outputs):
            point("fill.before")

    def _close_windows(self) -> None:
        """Goes on without what was waited for long enough; that is journalled."""
        now = time.perf_counter()
        held = {(each.topic, each.partition, each.gate): each for each in self.order.held()}
        for key, each in held.items():
            known = self._waited.get(key)
            if known is None or known.mark != each.mark:
                self._waited[key] = _Waited(each.mark, now)
        self._waited = {key: each for key, each in self._waited.items() if key in held}
        for key, each in held.items():
            waited = now - self._waited[key].since
            if waited >= self._shard.window_s_max:
                del self._waited[key]
                self._close(each, waited)

    def _close(self, held: Held, waited_s: float) -> None:
        assert isinstance(self.order, Ordered)
        window = WindowClosed(
            input=held.topic,
            partition=held.partition,
            symbol=Symbol(held.gate),
            waited_ms=round(waited_s * 1_000),
            at=self.order.clock + 1,
        )
        self.order.close(held)
        self._observer.closed(window)
        self._folded(window, Seen(), window.at, None)

    def due_in(self) -> float | None:
        """Seconds until the batch is to be committed; None while nothing has to be."""
        if self.batch.is_urgent or self.batch.takes >= BATCH_MAX:
            return 0.0
        if not self.is_ready():
            return None
        moved = self.batch.takes > 0 if self._shard.live else self.order.advance() > self.told
        return max(0.0, self._beat_at - time.perf_counter()) if moved else None

    def wait_s(self) -> float | None:
        """Seconds until something is to be done without a new record; None: nothing is."""
        now = time.perf_counter()
        ends = [each.since + self._shard.window_s_max - now for each in self._waited.values()]
        due = self.due_in()
        if due is not None:
            ends.append(due)
        return max(0.0, min(ends)) if ends else None

    def offsets(self) -> bytes:
        """How far the shard has come, as JSON."""
        return _encode_state(DeskOffsets(seq=self.seq, order=self.order.kept()))

    def snapshot(self) -> bytes | None:
        """The market as JSON, at a bounded pace."""
        now = time.perf_counter()
        if now < self._snapshot_at:
            return None
        self._snapshot_at = now + SNAPSHOT_S
        clock = self.order.clock
        self.market.forget(clock)
        low = self.order.kept().low
        start = {topic: low[topic] for topic in SEEN if topic in low}
        if "pumps" in start:
            start["pumps"] = {
                partition: self._pumps.first(partition, clock, offset)
                for partition, offset in start["pumps"].items()
            }
        return _encode_state(MarketSnapshot(market=self.market.kept(clock), start=start))

    def out(self) -> int | None:
        """The clock that is to be told with this transaction."""
        if self._begun is not None:
            return self._begun
        clock = self.order.advance()
        return clock if not self._shard.live and clock > self.told else None

    def committed(self, told: int | None) -> None:
        """The batch stands in the topics."""
        batch, self.batch = self.batch, Batch()
        self.told = self.told if told is None else told
        self._begun = None if told is not None else self._begun
        self._beat_at = time.perf_counter() + (LIVE_BEAT_S if self._shard.live else BEAT_S)
        outputs = [output for output, _ in batch.outputs]
        if any(isinstance(output.event, OrderFilled) for output in outputs):
            point("fill.after")
        seconds = time.perf_counter() - batch.started if batch.started else 0.0
        self._observer.committed(batch.takes, outputs, self.states, seconds)
        self._observer.decided(len(batch.records))
        self._observer.stands(self.order.clock, self.newest)
        for each in batch.letters:
            self._observer.dead_letter(each)
        if self._effects is not None:
            self._effects.committed(self.states, outputs)
