"""The recorded exits and positions of paper money against those that the stage makes again.

Knows nothing of Kafka. The order is that of things (DESIGN.md §5.10): a ticker comes after every
fill of an earlier time and before those of its own. Live accounts are watched by arrival, an order
that no topic holds: their exits are not compared.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from chandler.core.events import Symbol, Ticker
from chandler.core.positions.stage import Watching, step
from chandler.core.positions.state import SymbolPositions
from chandler.core.trading import events as tr
from chandler.core.watermarks import ShardMarks
from chandler.replay.audit.pairing import (
    Excuse,
    Following,
    Made,
    Pairing,
    Sides,
    of_places,
)
from chandler.replay.audit.verdict import (
    EVER,
    EXPLAINED,
    FOR_EVER_MS,
    NOT_COMPARED,
    Bounds,
    Checked,
    Read,
)

TOPIC, POSITIONS = "exits", "positions"
LIVE = "live account: by arrival"
GONE = "its position is older than the tickers that are kept"
OTHER = "other code or configuration"
LATE_ORDER = "an event of its orders came late"
LATE_TICKER = "a ticker came late"

Told = tr.PositionOpened | tr.PositionUpdated | tr.PositionClosed
# What the watch reads of orders.
_READ = (
    tr.OrderRequested
    | tr.OrderFilled
    | tr.OrderCancelled
    | tr.OrderRefused
    | tr.OrderExpired
    | tr.Refusal
    | tr.FundingPaid
    | tr.Liquidated
)


class Streams(NamedTuple):
    """One partition's records, each topic's in its order."""

    tickers: Iterator[Read]
    orders: Iterator[Read]
    exits: Iterator[Read]
    positions: Iterator[Read]


class Watched(NamedTuple):
    """What is known of how positions were watched."""

    watching: Watching  # paper's, as it is today
    since_ms: int = 0  # Kafka's time from which on code and configuration were today's
    tickers_from_ms: int = 0  # event time of the first ticker, where older ones are gone; else 0


class _Orders:
    """Orders by symbol, in the order of things; read as far as their watermark has to come."""

    def __init__(self, orders: Iterator[Read], belongs: Callable[[str], bool]) -> None:
        self._orders = Following(orders)
        self._belongs = belongs
        self._marks = ShardMarks()
        self._waiting: defaultdict[str, list[tuple[int, str, int, Read]]] = defaultdict(list)
        self.late: set[str] = set()  # positions; what has none: symbols

    def before(self, symbol: str, at: int) -> Iterator[Read]:
        """The symbol's events of before `at`."""
        while self._marks.at < at and self._orders.head is not None:
            self._take(self._orders.next())
        waiting = self._waiting.get(symbol)
        while waiting and waiting[0][0] < at:
            yield heapq.heappop(waiting)[3]

    def rest(self) -> Iterator[Read]:
        """What no ticker comes after."""
        while self._orders.head is not None:
            self._take(self._orders.next())
        for waiting in self._waiting.values():
            while waiting:
                yield heapq.heappop(waiting)[3]

    def _take(self, read: Read) -> None:
        event = read.event
        if isinstance(event, tr.OrdersOut):
            self._marks.note(event.shard, event.shards, event.at)
        elif isinstance(event, _READ) and self._belongs(event.account):
            if event.at <= self._marks.at:
                self.late.add(getattr(event, "position", "") or event.symbol)
            place = (event.at, event.agent, read.offset, read)
            heapq.heappush(self._waiting[event.symbol], place)


class _Watch:
    """The stage over one partition, and what both topics hold of it."""

    def __init__(self, watched: Watched, orders: _Orders, bounds: Bounds) -> None:
        self._watched = watched
        self._orders = orders
        self._states: dict[Symbol, SymbolPositions] = {}
        self._opened: dict[str, int] = {}  # position → event time
        self._other: set[str] = set()  # positions that other code or configurations opened
        self._late: set[str] = set()  # positions that were open when a ticker came late
        self.pairings = {
            topic: Pairing(topic, bounds=bounds, owes=True, explain=self._explain, cause=of_places)
            for topic in (TOPIC, POSITIONS)
        }

    def order(self, read: Read) -> None:
        symbol: Symbol = getattr(read.event, "symbol")  # noqa: B009 - all of _READ have one
        self._step(symbol, read)

    def ticker(self, read: Read, ticker: Ticker, *, late: bool) -> None:
        state = self._states.get(ticker.symbol)
        if state is None or not state.open:
            return
        if late:
            self._late.update(state.open)
        self._step(ticker.symbol, read)

    def _step(self, symbol: Symbol, read: Read) -> None:
        state = self._states.get(symbol) or SymbolPositions(symbol=symbol)
        self._states[symbol], outputs = step(self._watched.watching, state, read.event)
        for output in outputs:
            event = output.event
            if isinstance(event, tr.PositionOpened):
                self._opened[event.position.id] = event.at
                if read.written_ms < self._watched.since_ms:
                    self._other.add(event.position.id)
            if isinstance(event, tr.ExitRequested):
                made = Made(event.at, event, read.place)
                self.pairings[TOPIC].recomputed(event.position, event.id, made)
            elif isinstance(event, Told):
                made = Made(event.at, event, read.place)
                self.pairings[POSITIONS].recomputed(event.position.id, _key(event), made)

    def recorded(self, read: Read) -> None:
        event = read.event
        if isinstance(event, tr.ExitRequested):
            account, at = event.account, event.at
            lane, key, pairing = event.position, event.id, self.pairings[TOPIC]
        elif isinstance(event, Told):
            account, at = event.position.account, event.at
            lane, key, pairing = event.position.id, _key(event), self.pairings[POSITIONS]
        else:
            return
        if self._watched.watching.belongs(account):
            pairing.recorded(lane, key, at, read)
        else:
            pairing.checked.excused(NOT_COMPARED, LIVE)

    def _explain(self, sides: Sides) -> Excuse | None:
        opened = self._opened.get(sides.lane)
        if opened is not None and opened < self._watched.tickers_from_ms:
            return Excuse(NOT_COMPARED, GONE)
        written_ms = sides.recorded.written_ms if sides.recorded else FOR_EVER_MS
        if written_ms < self._watched.since_ms or sides.lane in self._other:
            return Excuse(NOT_COMPARED, OTHER)
        either = sides.recorded or sides.made
        symbol = str(getattr(either.event, "symbol", "")) if either else ""
        if {sides.lane, symbol} & self._orders.late:
            return Excuse(EXPLAINED, LATE_ORDER)
        return Excuse(EXPLAINED, LATE_TICKER) if sides.lane in self._late else None


def audit_exits(streams: Streams, watched: Watched, *, bounds: Bounds = EVER) -> list[Checked]:
    """One partition's `exits` and `positions` against its tickers and orders.

    What was judged up to the last ExitsOut has to be there.
    """
    orders = _Orders(streams.orders, watched.watching.belongs)
    watch = _Watch(watched, orders, bounds)
    exits, positions = Following(streams.exits), Following(streams.positions)
    out_ms = -1

    def compare(until_ms: int) -> None:
        nonlocal out_ms
        for read in exits.until(until_ms):
            if isinstance(read.event, tr.ExitsOut):
                out_ms = max(out_ms, read.event.at)
            watch.recorded(read)
        for read in positions.until(until_ms):
            watch.recorded(read)

    marks = ShardMarks()
    newest: dict[Symbol, int] = {}
    last_ms = -1
    for read in streams.tickers:
        event = read.event
        if isinstance(event, tr.TickersOut):
            marks.note(event.shard, event.shards, event.at)
        if not isinstance(event, Ticker) or event.at <= newest.get(event.symbol, -1):
            continue
        newest[event.symbol] = event.at
        for order in orders.before(event.symbol, event.at):
            watch.order(order)
        watch.ticker(read, event, late=event.at <= marks.at)
        if event.at > last_ms:
            last_ms = event.at
            compare(last_ms)
    for order in orders.rest():
        watch.order(order)
    compare(FOR_EVER_MS)
    clock_ms = out_ms - watched.watching.latency_ms
    return [pairing.finish(lambda made: made.at <= clock_ms) for pairing in watch.pairings.values()]


def _key(event: Told) -> str:
    why = event.why if isinstance(event, tr.PositionUpdated) else ""
    money = event.position
    return f"{type(event).__name__} {why} {event.at} {money.size} {money.fees} {money.funding}"
