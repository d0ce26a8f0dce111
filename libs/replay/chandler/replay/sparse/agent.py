"""One agent through time: the live folds of executor and positions, in the order of things.

The folds are called where something happens: at a signal, an exit, a command, and at the prices
that matter to an order or an open position (watch.py finds them). So a backtest is what the paper
desk would have done, decided by the same code. Agents are isolated, so each can run by itself.
"""

import gc
import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from chandler.core.desk.books import involved
from chandler.core.desk.config import Desk, ResolvedAgent
from chandler.core.desk.sizing import terms_in
from chandler.core.desk.state import AgentState
from chandler.core.desk.step import take
from chandler.core.events import Event, Symbol, Ticker
from chandler.core.granularity import HOUR_MS
from chandler.core.positions import legs
from chandler.core.positions.rules import Rules
from chandler.core.positions.stage import Watching, step
from chandler.core.positions.state import Open, SymbolPositions
from chandler.core.trading.events import (
    BalanceChanged,
    ExitRequested,
    OrderFilled,
    PositionClosed,
    Refusal,
    Seen,
)
from chandler.core.watermarks.places import EXIT, FILL, TICK
from chandler.replay.sparse.entries import Entry
from chandler.replay.sparse.market import Market
from chandler.replay.sparse.watch import (
    NEVER,
    NO_LIMITS,
    NO_TRAIL,
    both,
    brought_up,
    limits,
    liquidated,
    next_row,
    trail,
)

COLLECT_EVERY = 100_000  # objects that are there more than at the last look for cycles
SIDES = ("long", "short")
Queued = tuple[int, int, float, str, str, int, Any]  # a place, its number, and what stands there


class Course(NamedTuple):
    """What came of an agent."""

    agent: ResolvedAgent
    state: AgentState | None  # at the end; None: nothing ever came to it
    fills: list[OrderFilled]
    events: list[Event]  # of topic orders, but refusals, in their order
    closed: list[PositionClosed]
    open: list[Open]
    refusals: Counter[str]
    looked: int  # prices at which the folds were asked


class _Place:
    """One symbol: how far its prices were looked at, and the positions fold's state."""

    __slots__ = ("due", "row", "skips", "state")

    def __init__(self, symbol: Symbol) -> None:
        self.row = -1  # newest price that was looked at
        self.state = SymbolPositions(symbol=symbol)
        self.due = 0  # number of the price that is queued; older ones are void
        self.skips = False  # prices between `row` and the one that is queued


@contextmanager
def few_collections() -> Iterator[None]:
    """The folds make no cycles, but hundreds of objects at each fill: looking for some is dear."""
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_EVERY, 20, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Simulation:
    """One agent of a paper shard. `retry_ms`, `latency_ms`: as positions has them."""

    def __init__(self, desk: Desk, agent: str, market: Market, *, retry_ms: int) -> None:
        self.agent = desk.agents[agent]
        self.desk = replace(desk, agents={agent: self.agent})
        self.market = market
        settings, mode = self.agent.settings, self.agent.mode
        self.rules: Rules | None = mode.rules(settings) if mode.rules is not None else None
        self.watching = Watching(
            name="positions",
            judges={agent: partial(mode.watch, settings)},
            belongs=lambda _: True,
            latency_ms=desk.latency_ms,
            mark_every_ms=NEVER,
            retry_ms=retry_ms,
        )
        self.states: dict[str, AgentState] = {}
        self.places: dict[Symbol, _Place] = {}
        self.queue: list[Queued] = []
        self.number = 0
        self.given = 0  # entries that were taken
        self.seq = 0
        self.fills: list[OrderFilled] = []
        self.events: list[Event] = []
        self.closed: list[PositionClosed] = []
        self.refusals: Counter[str] = Counter()
        self.looked = 0

    def run(self, entries: Sequence[Entry], until_ms: int) -> Course:
        """Takes the entries (in the order of things) and all that comes of them up to a time.

        May be called again with the same entries and a later time: it goes on.
        """
        with few_collections():
            while self._next_thing(entries, until_ms):
                pass
        return Course(
            agent=self.agent,
            state=self.states.get(self.agent.name),
            fills=self.fills,
            events=self.events,
            closed=self.closed,
            open=[each for place in self.places.values() for each in place.state.open.values()],
            refusals=self.refusals,
            looked=self.looked,
        )

    def _next_thing(self, entries: Sequence[Entry], until_ms: int) -> bool:
        """What was queued, or the next entry, whichever is first; False: it is later than that."""
        queue = self.queue
        head = entries[self.given] if self.given < len(entries) else None
        if queue and (head is None or queue[0][:5] < head[:5]):
            if queue[0][0] > until_ms:
                return False
            at, rank, _, symbol, _, number, event = heapq.heappop(queue)
            self._queued(at, rank, Symbol(symbol), number, event)
            return True
        if head is None or head.at > until_ms:
            return False
        self.given += 1
        self._take(head.event, Symbol(head.symbol), head.at)
        return True

    def why_not(self, source: str, symbol: Symbol) -> str:
        """Why the agent refuses every signal of that source and symbol, whatever else is; or ""."""
        config = self.agent.config
        if config.engines and source not in config.engines:
            return "engine_not_followed"
        if config.symbols and symbol not in config.symbols:
            return "symbol_not_followed"
        return ""

    @property
    def follows_by_name(self) -> bool:
        """Whether nothing that is asked before `why_not` can refuse a signal, if none commands."""
        config = self.agent.config
        switched = config.enabled and config.trading and config.buying and config.selling
        return switched and len(set(config.sides)) == len(SIDES)

    def _queued(self, at: int, rank: int, symbol: Symbol, number: int, event: Any) -> None:
        if rank == TICK:
            place = self.places[symbol]
            if number == place.due:
                self._price(symbol, place, event)
        elif rank == FILL:
            for said in event:
                self._to_positions(symbol, said, at)
            if self.queue and self.queue[0][0] == at and self.queue[0][3] == symbol:
                return  # more of the kind: looked for once
            self._look_ahead(symbol, at)
        else:
            self._take(event, symbol, at)

    def _price(self, symbol: Symbol, place: _Place, row: int) -> None:
        """A price that matters: positions judge it, then the desk meets it."""
        prices = self.market.prices[symbol]
        ticker = prices.tickers.ticker(row)
        self.looked += 1
        self._bring_up(symbol, place, ticker.at - 1)
        place.row = row
        if place.state.open:
            place.state, made = step(self.watching, place.state, ticker)
            for output in made:
                if isinstance(output.event, ExitRequested):
                    exit_ = output.event
                    self._push(exit_.due_ms, EXIT, symbol, exit_.id, exit_)
        state = self.states.get(self.agent.name)
        if state is not None and involved(state, symbol):
            self._take(ticker, symbol, ticker.at)
        else:
            self._look_ahead(symbol, ticker.at)

    def _bring_up(self, symbol: Symbol, place: _Place, at: int) -> None:
        """The watch's state as of a time, where prices up to it were skipped."""
        rules, skipped = self.rules, place.skips
        place.skips = False
        if not skipped or rules is None or not rules.trail:
            return
        prices = self.market.prices[symbol]
        after = {}
        for name, position in place.state.open.items():
            follows = trail(rules, position, prices.places)
            assert follows is not None, "prices are skipped where the trail can be followed"
            every = len(prices.at)
            found = next_row(prices, place.row + 1, at + 1, NO_LIMITS, follows, every)
            after[name] = brought_up(rules, position, found, prices.places)
        place.state = replace(place.state, open=after)
        place.row = max(place.row, prices.row_at(at))

    def _take(self, event: Any, symbol: Symbol, at: int) -> None:
        """The desk takes an input; what it says is for positions, at the end of this time."""
        self.seq += 1
        ticks = isinstance(event, Ticker)
        if ticks:
            seen = self.market.met(event)
        else:
            seen = self.market.seen(symbol, at, guarded=self._asks_guard(event))
        taken = take(self.desk, self.states, event, seen, at=at, seq=self.seq)
        self.states.update(taken.states)
        waiting: list[Event] = []
        for output in taken.outputs:
            said = output.event
            if isinstance(said, Refusal):
                self.refusals[said.reason] += 1
            elif output.topic == "orders":
                self.events.append(said)
            if isinstance(said, OrderFilled):
                self.fills.append(said)
            if output.topic == "orders" and not isinstance(said, BalanceChanged):
                waiting.append(said)
        if waiting:
            self._push(at, FILL, symbol, self.agent.name, waiting)
        elif ticks or taken.states:
            self._look_ahead(symbol, at)

    def _asks_guard(self, event: Any) -> bool:
        guard = self.desk.guard
        return guard.enabled and (guard.mirror or getattr(event, "side", "short") != "long")

    def _to_positions(self, symbol: Symbol, event: Event, at: int) -> None:
        place = self._place(symbol)
        self._bring_up(symbol, place, at)
        place.state, made = step(self.watching, place.state, event)
        for output in made:
            if isinstance(output.event, PositionClosed):
                self.closed.append(output.event)

    def _place(self, symbol: Symbol) -> _Place:
        if symbol not in self.places:
            self.places[symbol] = _Place(symbol)
        return self.places[symbol]

    def _look_ahead(self, symbol: Symbol, at: int) -> None:
        """Queues the symbol's next price that matters; nothing where none does."""
        prices = self.market.prices.get(symbol)
        state = self.states.get(self.agent.name)
        if prices is None or state is None:
            return
        place = self._place(symbol)
        self._bring_up(symbol, place, at)
        first = max(place.row, prices.row_at(at)) + 1
        place.due = -1
        if not (place.state.open or involved(state, symbol)) or first >= len(prices.at):
            return
        row = self._next(symbol, place, state, first, at)
        place.skips = row > first
        if row < len(prices.at):
            place.due = self._push(int(prices.at[row]), TICK, symbol, "", row)

    def _next(self, symbol: Symbol, place: _Place, state: AgentState, first: int, at: int) -> int:
        """The next row that matters, from `first` on."""
        prices = self.market.prices[symbol]
        if self.rules is None and place.state.open:
            return first
        until_ms, around, follows = self._until(symbol, state, at), NO_LIMITS, NO_TRAIL
        if until_ms <= prices.at[first]:
            return first
        assert state.paper is not None
        held = state.paper.positions.get(symbol)
        if held is not None:
            terms = terms_in(Seen(instrument=self.market.instrument(symbol, at)))
            if terms is None:
                return first
            maintenance = self.desk.rules.maintenance
            around = liquidated(held, maintenance, terms.taker_fee, prices.places)
        for position in place.state.open.values():
            assert self.rules is not None
            if not self._is_quiet(place, position, at):
                return first
            around = both(limits(self.rules, position, prices.places), around)
            trailing = trail(self.rules, position, prices.places)
            if trailing is None:
                return first
            follows = trailing
        return next_row(prices, first, until_ms, around, follows).row

    def _is_quiet(self, place: _Place, position: Open, at: int) -> bool:
        """Whether nothing is under way, and the watch has seen it since it changed."""
        if position.orders or place.state.newest_ms <= position.money.changed_ms:
            return False
        return True not in legs.unable(position, at, self.watching.retry_ms).values()

    def _until(self, symbol: Symbol, state: AgentState, at: int) -> int:
        """When, whatever the price, the desk has to look: an order is ready, funding is due."""
        assert state.paper is not None
        until = self.market.changes_after(symbol, at)
        for order in state.paper.orders.values():
            if order.symbol == symbol:
                until = min(until, order.ready_ms)
        held = state.paper.positions.get(symbol)
        rates = self.market.funding.get(symbol)
        rate = rates.at(at) if rates is not None and held is not None else None
        if held is not None and rate is not None and rate.interval_h > 0:
            interval = rate.interval_h * HOUR_MS
            since = max(held.opened_ms, held.funded_ms)
            due = rate.next_ms - (rate.next_ms - since) // interval * interval
            until = min(until, due + interval if due <= since else due)
        return until

    def _push(self, at: int, rank: int, symbol: Symbol, name: str, event: Any) -> int:
        self.number += 1
        heapq.heappush(self.queue, (at, rank, 0.0, symbol, name, self.number, event))
        return self.number
