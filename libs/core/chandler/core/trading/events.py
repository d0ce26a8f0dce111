"""Events of trading, and the desk's journal.

Money, prices and sizes are Decimal: strings on the wire, never made from floats (DESIGN.md §8).
`at` is event time, ms; `*_ms` are event times too, except where wall time is said.
"""

from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from chandler.core.events import Event, FundingRate, Instrument, Symbol, Ticker
from chandler.core.trading.quote import Quote as Quote

Direction = Literal["long", "short"]
Action = Literal["open", "add", "close"]
ExitKind = Literal[
    "liquidation_risk", "stop", "trailing", "take_profit", "stale", "dca", "opposite", "person"
]
Switch = Literal["trading", "buying", "selling"]
Deed = Literal["force", "close", "close_all", "pause", "resume", "resolve", "limit", "restart"]


class TickersOut(Event, frozen=True, kw_only=True):
    """All tickers of one ingest shard up to `at` are out. In every partition of `tickers`."""

    shard: int
    shards: int  # how many there are now: 0 to shards - 1
    at: int


class PumpState(Event, frozen=True, kw_only=True):
    """Whether a symbol is pumped; every record is the whole state, up to `at`."""

    symbol: Symbol
    at: int
    kind: Literal["started", "ended", "heartbeat"]
    pump: Literal["none", "up", "down"]  # "down": the mirror, a crash
    since_ms: int = 0  # when it started; 0 where there is none
    change: float = 0.0  # over the window, fraction
    volume_ratio: float = 0.0  # window's volume by the usual; 0 where no usual is known
    both: bool = False  # a pump and a crash at once: the second came before the first had cooled

    def blocks(self, side: Direction) -> bool:
        """Whether nothing may be opened on `side`: no short in a pump, no long in a crash."""
        return self.pump == ("up" if side == "short" else "down") or self.both


class OrderRequested(Event, frozen=True, kw_only=True):
    """An intent: committed before any venue is asked. Market orders only."""

    id: str  # clientOid: at most 32 of [A-Za-z0-9], derived from the decision
    shard: int
    seq: int  # of the desk record that explains it
    account: str
    agent: str
    symbol: Symbol
    position: str  # derived from agent, symbol and the cause that opened it
    leg: str  # "entry", "add-1", "stop", "take_profit-1" …
    action: Action
    side: Direction  # of the position: closing a long sells
    size: Decimal  # base coin, a multiple of the venue's step
    leverage: int
    price: Decimal  # at which it was decided, quote coin
    stop: Decimal | None = None  # of the position that it opens
    targets: list[Decimal] = []
    cause: str  # id of the signal, exit or command
    source: str  # engine, "external", "person", or the exit's kind
    reason: str  # one line for people
    at: int
    ready_ms: int  # paper: filled by the first ticker at or after it
    sent_ms: int = 0  # live: wall time that is signed; the venue refuses it 30 s later

    @property
    def reduce_only(self) -> bool:
        return self.action == "close"

    @property
    def buys(self) -> bool:
        """Whether the order buys: opens a long or closes a short."""
        return (self.side == "long") != (self.action == "close")


class OrderSent(Event, frozen=True, kw_only=True):
    """The venue was asked."""

    id: str
    account: str
    agent: str
    symbol: Symbol
    at: int


class OrderAccepted(Event, frozen=True, kw_only=True):
    """The venue knows the order."""

    id: str
    account: str
    agent: str
    symbol: Symbol
    venue_id: str
    at: int


class OrderFilled(Event, frozen=True, kw_only=True):
    """A fill. Each (id, trade) once."""

    id: str  # the order's
    trade: str  # venue's trade id; paper: the order's id and a number
    account: str
    agent: str
    symbol: Symbol
    position: str
    leg: str
    action: Action
    side: Direction
    price: Decimal
    size: Decimal  # of this fill
    fee: Decimal  # quote coin, paid is positive; 8 places
    done: bool  # nothing of the order is left
    leverage: int
    stop: Decimal | None = None  # of the position, from the request
    targets: list[Decimal] = []
    source: str
    at: int  # venue's time; paper: the ticker's

    @property
    def buys(self) -> bool:
        return (self.side == "long") != (self.action == "close")


class OrderCancelled(Event, frozen=True, kw_only=True):
    """The rest of an order will not be filled."""

    id: str
    account: str
    agent: str
    symbol: Symbol
    filled: Decimal
    reason: str
    at: int


class OrderRefused(Event, frozen=True, kw_only=True):
    """The venue refused the request: nothing of it exists there."""

    id: str
    account: str
    agent: str
    symbol: Symbol
    code: str  # the venue's
    reason: str
    at: int


class OrderUnknown(Event, frozen=True, kw_only=True):
    """Nobody knows whether the venue took the request; it is looked up by its id."""

    id: str
    account: str
    agent: str
    symbol: Symbol
    reason: str
    at: int


class OrderExpired(Event, frozen=True, kw_only=True):
    """The venue never took the request, and cannot any more (DESIGN.md §5.6)."""

    id: str
    account: str
    agent: str
    symbol: Symbol
    at: int


class Refusal(Event, frozen=True, kw_only=True):
    """An order that was not made, with the reason."""

    agent: str
    account: str
    symbol: Symbol
    side: Literal["long", "short", "flat"]
    cause: str  # id of the signal, exit or command
    source: str
    reason: str  # one of chandler.core.desk.eligibility.REASONS
    detail: str  # one line for people: what was expected and found
    seq: int
    at: int


class FundingPaid(Event, frozen=True, kw_only=True):
    """Funding of a position at its mark. Paid is positive, received negative; 8 places."""

    account: str
    agent: str
    symbol: Symbol
    position: str
    rate: Decimal
    mark: Decimal
    size: Decimal
    amount: Decimal
    settled_ms: int  # the mark: 00:00, 08:00 …
    at: int


class Liquidated(Event, frozen=True, kw_only=True):
    """The venue closed a position because its margin was gone."""

    account: str
    agent: str
    symbol: Symbol
    position: str
    side: Direction
    price: Decimal
    size: Decimal
    fee: Decimal
    at: int


class BalanceChanged(Event, frozen=True, kw_only=True):
    """An agent's balance: what it started with, and realised PnL, fees and funding since."""

    account: str
    agent: str
    kind: Literal["start", "fill", "funding", "liquidation", "transfer"]
    change: Decimal
    balance: Decimal  # afterwards
    cause: str  # the trade, position or command; "" for the start
    symbol: Symbol = Symbol("")
    at: int


class OrdersOut(Event, frozen=True, kw_only=True):
    """All order events of one executor shard up to `at` are out. In every partition of `orders`."""

    shard: int
    shards: int
    at: int


class PositionMarked(msgspec.Struct, frozen=True, kw_only=True):
    """A position's whole figures."""

    id: str
    account: str
    agent: str
    symbol: Symbol
    side: Direction
    size: Decimal  # base coin, 0 when closed
    cost: Decimal  # Σ price × size of what is open: entry notional, never an average
    leverage: int
    stop: Decimal | None  # where it stands now
    targets: list[Decimal]
    adds: int
    opened_ms: int
    source: str
    mark: Decimal
    peak: Decimal  # best price seen since the first fill
    unrealised: Decimal
    realised: Decimal  # price differences alone
    fees: Decimal
    funding: Decimal


class PositionOpened(Event, frozen=True, kw_only=True):
    """A position's first fill."""

    position: PositionMarked
    symbol: Symbol
    at: int


class PositionUpdated(Event, frozen=True, kw_only=True):
    """A position changed: more fills, funding, a moved stop, or a new mark (at a bounded pace)."""

    position: PositionMarked
    symbol: Symbol
    why: Literal["fill", "funding", "stop", "mark"]
    at: int


class PositionClosed(Event, frozen=True, kw_only=True):
    """A position ended: its round trip is over."""

    position: PositionMarked
    symbol: Symbol
    reason: str  # the last exit's kind, "opposite", "person", "liquidated"
    exit_notional: Decimal  # Σ price × size of what was closed
    at: int


class ExitRequested(Event, frozen=True, kw_only=True):
    """The watch fired: a position is to be reduced, closed, or added to."""

    id: str  # derived from the position and the leg
    position: str
    account: str
    agent: str
    symbol: Symbol
    side: Direction
    kind: ExitKind
    leg: str  # "stop", "take_profit-1", "dca-2"
    action: Literal["close", "add"]
    size: Decimal | None  # None: all that is open; an add's: in the mode's units of base coin
    price: Decimal  # of the ticker that fired it
    reason: str
    at: int  # the ticker's time
    due_ms: int  # when the desk takes it: at + watch latency


class ExitsOut(Event, frozen=True, kw_only=True):
    """All exits that are due up to `at` are out. In its own partition of `exits`."""

    partition: int
    at: int


class Command(Event, frozen=True, kw_only=True):
    """Somebody asks for something. Carried out once, answered once."""

    version: ClassVar[int] = 2
    v: int = 2
    id: str
    who: str  # "cli", "telegram:NAME", "page"
    what: Literal[Switch, Deed]
    agent: str = ""  # empty: all
    symbol: Symbol = Symbol("")  # empty: all
    side: Literal["long", "short", ""] = ""  # of force
    on: bool = True  # of trading, buying, selling
    source: str = ""  # the engine of pause and resume
    notional: Decimal | None = None  # of force: quote coin; None: as the agent sizes its entries
    limit: str = ""  # of limit: which one, see chandler.core.trading.limits
    value: Decimal | None = None  # of limit; None: as the profile says
    service: str = ""  # of restart
    expires_ms: int = 0  # wall time from which on it is refused; 0: never
    at: int  # venue's time where it is known


class Answer(Event, frozen=True, kw_only=True):
    """What became of a command."""

    command: str
    outcome: Literal["done", "refused"]
    detail: str
    by: str  # service
    at: int


class NoticeAsked(Event, frozen=True, kw_only=True):
    """People are to be told something."""

    id: str
    level: Literal["info", "warning", "alarm"]
    agent: str
    text: str
    at: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """All that a decision looked at beside its input and its agent's state."""

    ticker: Ticker | None = None
    guard: PumpState | None = None
    instrument: Instrument | None = None
    funding: FundingRate | None = None  # newest of the symbol (a paper shard's tickers only)
    quotes: dict[str, Quote] = {}  # agent → of the order that it would make (live only)
    wall_ms: int = 0  # venue's wall clock, what an intent is signed with (live only)
    taken_ms: int = 0  # wall time at which a command was read (commands only)


class WindowClosed(Event, frozen=True, kw_only=True):
    """An input was waited for long enough, by wall time: the desk goes on without it."""

    input: str  # topic
    partition: int  # -1: the guard of one symbol
    symbol: Symbol = Symbol("")  # of the guard that was waited for
    waited_ms: int  # wall time
    at: int  # place in the order of things


class DeskTaken(Event, frozen=True, kw_only=True):
    """One record of the desk's journal: an input, what was seen, and what came of it."""

    version: ClassVar[int] = 2
    v: int = 2
    shard: int
    seq: int
    at: int  # place in the order of things: event time
    kind: str  # type of the input event
    late: bool = False  # came after its place had passed
    input: msgspec.Raw  # the event, as JSON
    seen: Seen
    outputs: list[msgspec.Raw]  # the events that it made, as JSON
    state: str  # hash over the touched agents' states afterwards
    config: str  # hash of the desk's configuration
    code: str
