"""What the desk knows of one agent: money, positions, intents, the day, switches.

Frozen, encodes to JSON and back exactly. balance = start + Σ realised - Σ fees - Σ funding.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from chandler.core.events import Signal, Symbol
from chandler.core.granularity import DAY_MS
from chandler.core.trading.broker import VenueFill, VenueStop
from chandler.core.trading.events import Direction, OrderRequested, PositionMarked
from chandler.core.trading.money import ZERO, minus, places, plus, ratio, times, total
from chandler.core.trading.paper import PaperAccount
from chandler.core.trading.position import Position, margin, unrealised

# "waiting": paper, for the position before it to be closed; "done" is kept for a while (live).
Phase = Literal["waiting", "intended", "accepted", "unknown", "done"]
SWITCHES = ("trading", "buying", "selling")


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one UTC day of `at`."""

    start_ms: int = 0
    balance: Decimal = ZERO  # first of the day
    entries: dict[Symbol, int] = {}


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """An order request that was committed, and what is known of it."""

    request: OrderRequested
    phase: Phase = "intended"
    retry: int = 0  # how many intents of the same leg came before
    venue_id: str = ""
    filled: Decimal = ZERO
    known: Decimal | None = None  # the venue says that so much was filled, and no more will be
    abandoned: bool = False  # what it opens is to be closed at once
    sent: bool = False  # live: the venue was asked
    done_ms: int = 0

    @property
    def left(self) -> Decimal:
        return max(minus(self.request.size, self.filled), ZERO)

    @property
    def pending(self) -> bool:
        return self.phase != "done"


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """An open position of the agent."""

    id: str
    position: Position
    source: str  # of its entry
    stop: Decimal | None  # as its orders said it; a trailing one moves in positions
    targets: list[Decimal] = []
    adds: int = 0
    exits: list[str] = []  # ids of the exits that were acted on
    closing: bool = False  # all of it is to be closed


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's books differ from ours: no new entries until that is resolved."""

    reason: str  # one line
    sizes: dict[Symbol, Decimal] = {}  # of the differing symbols as the venue has them, signed
    orders: list[Symbol] = []  # in which the venue has open orders that are not ours
    marks: dict[Symbol, Decimal] = {}
    wallet: Decimal | None = None  # where it differs
    since_ms: int


class AgentState(msgspec.Struct, frozen=True, kw_only=True):
    """One agent between two inputs."""

    agent: str
    account: str
    start: Decimal  # quote coin
    begun_ms: int = 0  # the first input's place; event time
    realised: Decimal = ZERO
    fees: Decimal = ZERO  # paid is positive
    funding: Decimal = ZERO  # paid is positive
    day: Day = Day()
    holdings: dict[Symbol, Holding] = {}
    intents: dict[str, Intent] = {}  # by clientOid
    processed: dict[str, int] = {}  # id → when it may be forgotten, ms
    switches: dict[str, bool] = {}  # "trading" or "trading|BTCUSDT": what commands changed
    paused: list[str] = []  # engines
    limits: dict[str, Decimal] = {}  # what commands set, by LIMITS' names
    paper: PaperAccount | None = None
    fault: str = ""  # why the account can't be used
    blocked: Block | None = None
    known_ms: int = -1  # live: the venue's fills and funding up to it were taken in; event time
    wallet_free: Decimal | None = None  # live: what of the wallet is no agent's balance
    foreign: dict[Symbol, Decimal] = {}  # live: accepted as not ours, signed
    stops: dict[Symbol, VenueStop] = {}  # live: that the venue holds
    reversals: dict[Symbol, Signal] = {}  # live: to be entered once the position is closed
    early: list[VenueFill] = []  # live: they may close what an order on its way has opened

    @property
    def balance(self) -> Decimal:
        return minus(plus(self.start, self.realised), self.fees, self.funding)


def day_of(state: AgentState, at: int) -> Day:
    """The figures of the day that holds `at`: kept ones, or a new day's."""
    start_ms = at - at % DAY_MS
    if start_ms <= state.day.start_ms:
        return state.day
    return Day(start_ms=start_ms, balance=state.balance)


def pending(state: AgentState, symbol: Symbol | None = None) -> list[Intent]:
    """Intents whose outcome is open, oldest first."""
    return [
        each
        for each in state.intents.values()
        if each.pending and symbol in (None, each.request.symbol)
    ]


def opening(state: AgentState, symbol: Symbol) -> list[Intent]:
    """Entries and adds on their way."""
    return [each for each in pending(state, symbol) if not each.request.reduce_only]


def closable(state: AgentState, symbol: Symbol) -> Decimal:
    """What of the position no close on its way is about."""
    holding = state.holdings.get(symbol)
    if holding is None:
        return ZERO
    closing = total(each.left for each in pending(state, symbol) if each.request.reduce_only)
    return max(minus(holding.position.size, closing), ZERO)


def slots(state: AgentState) -> set[Symbol]:
    """Symbols with a position, or an entry on its way."""
    entering = {each.request.symbol for each in pending(state) if not each.request.reduce_only}
    return {*state.holdings, *entering}


def available(state: AgentState) -> Decimal:
    """The balance less what positions and entries on their way bind, without unrealised PnL."""
    bound = [margin(each.position) for each in state.holdings.values()]
    for each in pending(state):
        request = each.request
        if not request.reduce_only:
            notional = times(request.price, each.left)
            bound.append(places(ratio(notional, Decimal(request.leverage))))
    return minus(state.balance, *bound)


def is_on(state: AgentState, switch: str, symbol: Symbol, *, default: bool) -> bool:
    """A switch as it stands: the agent's and the symbol's both have to be on."""
    of_agent = state.switches.get(switch, default)
    return of_agent and state.switches.get(f"{switch}|{symbol}", True)


def marked(holding: Holding, state: AgentState, price: Decimal) -> PositionMarked:
    """The position at a price, as trading modes see it."""
    position = holding.position
    return PositionMarked(
        id=holding.id,
        account=state.account,
        agent=state.agent,
        symbol=position.symbol,
        side=position.side,
        size=position.size,
        cost=position.cost,
        leverage=position.leverage,
        stop=holding.stop,
        targets=holding.targets,
        adds=holding.adds,
        opened_ms=position.opened_ms,
        source=holding.source,
        mark=price,
        peak=price,
        unrealised=unrealised(position, price),
        realised=position.realised,
        fees=position.fees,
        funding=position.funding,
    )


def signed(side: Direction, size: Decimal) -> Decimal:
    """Above 0 for a long."""
    return size if side == "long" else size.copy_negate()
