"""How the desk stands: each agent's newest state, and the newest marks of what is open.

A fold over records of `desk.state`, `positions` and `tickers`, in any order of them; what is asked
for often is kept as bytes and read when it is shown. A symbol has one mark, whoever holds it: that
of its newest ticker, and where none is known the newest that a position of it was given.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal
from typing import NamedTuple

import msgspec

from chandler.core.desk.state import AgentState, Holding, day_of, pending
from chandler.core.events import Symbol, Ticker
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import (
    PositionClosed,
    PositionMarked,
    PositionOpened,
    PositionUpdated,
)
from chandler.core.trading.money import ZERO, AmountError, minus, plus, positive
from chandler.core.trading.position import Position, average, unrealised
from chandler.streams.exact.journal import DeskOffsets
from chandler.streams.exact.restore import OFFSETS_KEY
from chandler.streams.reader import Record, follow_batches, read_topics
from chandler.streams.settings import Installation

STATES, MARKS, TICKERS = "desk.state", "positions", "tickers"
MARKS_NEWEST = 2_000  # offsets of each partition that are looked at first
TICKERS_NEWEST = 500  # likewise: some of each symbol are among them
OVERLAP_MS = 5_000  # that a watch reads again
WATCH_S = 0.5  # between two pictures of a watch
OWN_KEYS = OFFSETS_KEY[0]  # what the desk's own keys begin with


class Row(NamedTuple):
    """One agent, for people and programs. Amounts are in quote coin."""

    agent: str
    mode: str  # paper, live
    account: str
    trading_mode: str
    engines: list[str]  # empty: all
    switches: dict[str, bool]  # as they stand; of a symbol: "trading|BTCUSDT"
    paused: list[str]  # engines
    balance: Decimal | None  # None: the desk has not begun with it
    pnl_today: Decimal | None
    pnl: Decimal | None  # realised - fees - funding
    unrealised: Decimal | None  # None: a mark is not known yet
    positions: int
    orders: int  # whose outcome is open
    entries_today: int
    blocked: str  # why it makes no entries; "": it may


class OpenRow(NamedTuple):
    """One open position. Amounts are in quote coin, sizes in base coin."""

    agent: str
    account: str
    symbol: Symbol
    side: str
    size: Decimal
    entry: Decimal  # average, for display
    mark: Decimal | None  # of the symbol, the newest; None: not known yet
    marked_ms: int  # venue's time of the mark; 0: not known yet
    unrealised: Decimal | None  # at this mark
    stop: Decimal | None
    targets: list[Decimal]
    leverage: int
    adds: int
    source: str
    fees: Decimal
    funding: Decimal
    closing: bool
    age_ms: int  # venue's time
    id: str
    cost: Decimal  # Σ price × size of what is open
    peak: Decimal | None  # best price since the first fill; None: not known yet
    opened_ms: int


class Mark(NamedTuple):
    """A symbol's mark price."""

    price: Decimal
    at: int  # venue's time


class _Raw(NamedTuple):
    value: bytes
    partition: int
    timestamp_ms: int


class Standing:
    """What the records come to so far."""

    def __init__(self) -> None:
        self._states: dict[str, _Raw] = {}
        self._offsets: dict[int, bytes] = {}
        self._marks: dict[tuple[str, Symbol], PositionMarked] = {}
        self._of_positions: dict[Symbol, Mark] = {}
        self._of_tickers: dict[Symbol, Mark] = {}
        self._tickers: dict[Symbol, Ticker] = {}
        self.ticked_ms = 0  # venue's time of the newest ticker; 0: none came

    def take(self, record: Record) -> None:
        """Takes in a record of these topics; of an older one than is known nothing."""
        event = record.event
        if isinstance(event, Ticker):
            self._ticker(event)
        elif isinstance(event, PositionOpened | PositionUpdated):
            self._marks[event.position.agent, event.symbol] = event.position
            marked = self._of_positions.get(event.symbol)
            if marked is None or event.at >= marked.at:
                self._of_positions[event.symbol] = Mark(event.position.mark, event.at)
        elif isinstance(event, PositionClosed):
            self._marks.pop((event.position.agent, event.symbol), None)
        elif record.topic == STATES and record.raw is not None:
            if record.key == OFFSETS_KEY:
                self._offsets[record.partition] = record.raw
            elif not record.key.startswith(OWN_KEYS):
                known = self._states.get(record.key)
                if known is None or record.timestamp_ms >= known.timestamp_ms:
                    raw = _Raw(record.raw, record.partition, record.timestamp_ms)
                    self._states[record.key] = raw

    def mark(self, symbol: Symbol) -> Mark | None:
        """A symbol's newest mark, the same for everybody who holds it."""
        return self._of_tickers.get(symbol) or self._of_positions.get(symbol)

    def ticker(self, symbol: Symbol) -> Ticker | None:
        """A symbol's newest ticker."""
        return self._tickers.get(symbol)

    def states(self) -> dict[str, AgentState]:
        """Each agent's, by name."""
        return {
            name: msgspec.json.decode(raw.value, type=AgentState)
            for name, raw in sorted(self._states.items())
        }

    def clock(self, agent: str) -> int:
        """Event time that the agent's shard has come to; 0: unknown."""
        known = self._states.get(agent)
        raw = self._offsets.get(known.partition) if known is not None else None
        if raw is None:
            return 0
        order = msgspec.json.decode(raw, type=DeskOffsets).order
        return max(order.clock, order.merged.clock, 0)

    def newest_ms(self) -> int:
        """Event time that the furthest shard has come to; 0: unknown."""
        return max(map(self.clock, self._states), default=0)

    def unmarked(self) -> bool:
        """Whether something is open without a mark that is known."""
        return any(
            self._mark(state, symbol) is None
            for state in self.states().values()
            for symbol in state.holdings
        )

    def rows(self, configured: dict[str, AgentConfig]) -> list[Row]:
        """All agents of the profile, and those that the desk still knows, by name."""
        states = self.states()
        return [
            self._row(name, configured.get(name), states.get(name))
            for name in sorted({*configured, *states})
        ]

    def open_rows(self, agent: str = "", symbol: str = "") -> list[OpenRow]:
        """What is open, by agent and symbol."""
        return [
            self._open_row(state, holding)
            for name, state in self.states().items()
            for key, holding in sorted(state.holdings.items())
            if agent in ("", name) and symbol in ("", key)
        ]

    def _row(self, name: str, config: AgentConfig | None, state: AgentState | None) -> Row:
        shown = config or AgentConfig(enabled=False)
        switches = {switch: getattr(shown, switch) for switch in ("trading", "buying", "selling")}
        row = Row(
            agent=name,
            mode=shown.mode,
            account=shown.account or name,
            trading_mode=shown.trading_mode if config else "-",
            engines=shown.engines,
            switches=switches,
            paused=[],
            balance=None,
            pnl_today=None,
            pnl=None,
            unrealised=None,
            positions=0,
            orders=0,
            entries_today=0,
            blocked=_inactive(config),
        )
        if state is None:
            return row
        day = day_of(state, max(self.clock(name), state.day.start_ms))
        marks = [self._unrealised(each.position) for each in state.holdings.values()]
        known = [each for each in marks if each is not None]
        return row._replace(
            mode="paper" if state.paper is not None else "live",
            account=state.account,
            switches=switches | state.switches,
            paused=state.paused,
            balance=state.balance,
            pnl_today=minus(state.balance, day.balance),
            pnl=minus(state.balance, state.start),
            unrealised=plus(ZERO, *known) if len(known) == len(marks) else None,
            positions=len(state.holdings),
            orders=len(pending(state)),
            entries_today=sum(day.entries.values()),
            blocked=_blocked(state) or row.blocked,
        )

    def _open_row(self, state: AgentState, holding: Holding) -> OpenRow:
        position = holding.position
        marked = self._mark(state, position.symbol)
        mark = self.mark(position.symbol)
        clock = self.clock(state.agent)
        return OpenRow(
            agent=state.agent,
            account=state.account,
            symbol=position.symbol,
            side=position.side,
            size=position.size,
            entry=average(position),
            mark=None if mark is None else mark.price,
            marked_ms=0 if mark is None else mark.at,
            unrealised=self._unrealised(position),
            stop=holding.stop if marked is None else marked.stop,
            targets=holding.targets,
            leverage=position.leverage,
            adds=holding.adds,
            source=holding.source,
            fees=position.fees,
            funding=position.funding,
            closing=holding.closing,
            age_ms=max(0, clock - position.opened_ms) if clock else 0,
            id=holding.id,
            cost=position.cost,
            peak=None if marked is None else marked.peak,
            opened_ms=position.opened_ms,
        )

    def _mark(self, state: AgentState, symbol: Symbol) -> PositionMarked | None:
        """The newest figures of the position that the desk has open, not of one before it."""
        mark = self._marks.get((state.agent, symbol))
        return mark if mark is not None and mark.id == state.holdings[symbol].id else None

    def _unrealised(self, position: Position) -> Decimal | None:
        mark = self.mark(position.symbol)
        return None if mark is None else unrealised(position, mark.price)

    def _ticker(self, ticker: Ticker) -> None:
        self.ticked_ms = max(self.ticked_ms, ticker.at)
        known = self._of_tickers.get(ticker.symbol)
        if known is not None and ticker.at < known.at:
            return
        try:
            price = positive(ticker.mark)
        except AmountError:
            return  # it marks nothing: what was known before stays
        self._of_tickers[ticker.symbol] = Mark(price, ticker.at)
        self._tickers[ticker.symbol] = ticker


def _inactive(config: AgentConfig | None) -> str:
    if config is None:
        return "it is not in the profile"
    return "" if config.enabled else "it is not enabled in the profile"


def _blocked(state: AgentState) -> str:
    if state.blocked is not None:
        return f"{state.blocked.reason}; see desk resolve"
    return state.fault


async def standing(installation: Installation) -> Standing:
    """As the topics have it now."""
    found = Standing()
    async for record in read_topics(installation, [STATES]):
        found.take(record)
    async for record in read_topics(installation, [MARKS], newest=MARKS_NEWEST):
        found.take(record)
    if found.unmarked():
        async for record in read_topics(installation, [MARKS]):
            found.take(record)
    async for record in read_topics(installation, [TICKERS], newest=TICKERS_NEWEST):
        found.take(record)
    return found


async def watched(installation: Installation) -> AsyncGenerator[Standing, None]:
    """The same, again and again as records come, until the caller leaves."""
    began_ms = round(time.time() * 1_000) - OVERLAP_MS
    found = await standing(installation)
    yield found
    shown = time.monotonic()
    followed = [STATES, MARKS, TICKERS]
    async with aclosing(follow_batches(installation, followed, began_ms)) as batches:
        async for batch in batches:
            for record in batch:
                found.take(record)
            if time.monotonic() - shown >= WATCH_S:
                shown = time.monotonic()
                yield found
