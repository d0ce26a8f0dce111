"""What was traded, refused and earned, as the ledger has it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from services.gateway.shapes.forms import Amount, Asked, Form, Listed, Name, SymbolName, Whole


class OfAgents(Asked):
    """What lists of what agents did may be asked with."""

    agent: Name = ""
    symbol: SymbolName = ""


class OrdersAsked(OfAgents):
    source: Annotated[
        Name, Field(description="an engine, a sender's name, person, an exit's kind")
    ] = ""
    state: Name = ""
    cause: Annotated[Name, Field(description="id of a signal, exit or command")] = ""


class FillsAsked(OfAgents):
    source: Name = ""
    order: Name = ""
    trade: Annotated[Name, Field(description="id of the round trip")] = ""


class TradesAsked(OfAgents):
    source: Name = ""
    side: Literal["", "long", "short"] = ""
    reason: Annotated[Name, Field(description="of the last exit")] = ""
    state: Literal["closed", "open"] = "closed"


class RefusalsAsked(OfAgents):
    source: Name = ""
    reason: Name = ""
    cause: Name = ""


class CountsAsked(Form):
    """Which refusals are counted."""

    agent: Name = ""
    symbol: SymbolName = ""
    source: Name = ""
    since_ms: Whole = 0
    until_ms: Whole = 0


class PnlAsked(CountsAsked):
    by: Literal["agent", "symbol", "source", "day"] = "agent"


class EquityAsked(Form):
    agent: Name = ""
    since_ms: Whole = 0
    until_ms: Whole = 0
    points: Annotated[int, Field(ge=10, le=1_000, description="of each agent, at most")] = 500


class Order(Form):
    """An order as it stands. Sizes are in base coin, amounts in quote coin."""

    id: str
    agent: str
    account: str
    symbol: str
    state: str = Field(description="requested, sent, accepted, filled, cancelled, refused, …")
    position: str | None
    leg: str | None = Field(description="entry, add-1, stop, take_profit-1, …")
    action: str | None = Field(description="open, add, close; null: it is the venue's own")
    side: str | None = Field(description="of the position")
    size: Amount | None
    filled: Amount
    price: Amount | None = Field(description="at which it was decided")
    fill_price: Amount | None = Field(description="average of its fills, for display")
    notional: Amount = Field(description="Σ price × size of its fills")
    fees: Amount
    leverage: int | None
    stop: Amount | None
    targets: list[Amount] | None
    cause: str | None = Field(description="id of the signal, exit or command")
    source: str | None
    reason: str | None
    venue_id: str
    code: str = Field(description="the venue's, of a refusal")
    told: str = Field(description="the reason of a cancellation, refusal or unknown")
    requested_ms: int | None
    sent_ms: int = Field(description="0: not yet")
    changed_ms: int


class OrderEvent(Form):
    """One event of an order's life."""

    type: str
    state: str = Field(description="of the order, afterwards")
    fault: str = Field(description="what must not happen, by its name; empty: it is as it should")
    detail: str
    at: int
    place: str = Field(description="orders:partition:offset")


class Fill(Form):
    """A part of an order that was traded."""

    trade: str = Field(description="the venue's id of the fill")
    trade_id: str = Field(description="the round trip")
    order_id: str | None = Field(description="null: the venue liquidated")
    agent: str
    account: str
    symbol: str
    position: str
    leg: str
    action: str
    side: str = Field(description="of the position")
    price: Amount
    size: Amount
    fee: Amount
    realised: Amount
    source: str
    at: int
    place: str = Field(description="orders:partition:offset")


class OrderWhole(Order):
    """An order with its life."""

    events: list[OrderEvent]
    fills: list[Fill]


class Trade(Form):
    """A round trip. Sizes are in base coin, amounts in quote coin."""

    id: str
    agent: str
    account: str
    symbol: str
    side: str
    source: str = Field(description="of the entry: an engine, a sender's name, person")
    cause: str = Field(description="id of the signal or command that opened it")
    leverage: int
    size: Amount = Field(description="open now; 0 once it is closed")
    size_max: Amount
    entry_price: Amount = Field(description="average, for display")
    exit_price: Amount = Field(description="average, for display; 0: nothing was closed yet")
    entry_notional: Amount
    exit_notional: Amount
    realised: Amount = Field(description="price differences alone")
    fees: Amount
    funding: Amount
    pnl: Amount = Field(description="realised - fees - funding")
    stop: Amount | None
    targets: list[Amount]
    legs: list[str]
    reason: str = Field(description="of the last exit; empty: open")
    entry_order: str
    exit_order: str
    opened_ms: int
    closed_ms: int | None = Field(description="null: open")
    duration_ms: int | None


class TradeWhole(Trade):
    """A round trip with its fills, and what it was for."""

    filled: list[Fill]
    signal: dict[str, Any] | None = Field(description="as in /v1/signals; null: none is known")


class Refused(Form):
    """An order that was not made."""

    agent: str
    account: str
    symbol: str
    side: str
    cause: str = Field(description="id of the signal, exit or command")
    source: str
    reason: str
    detail: str
    at: int


class RefusalCount(Form):
    agent: str
    reason: str
    count: int


class Earned(Form):
    """Closed round trips of an agent, a symbol, a source; or of a day, with fees of open ones."""

    name: str = Field(description="the agent, symbol or source; the day: 2024-01-31")
    agent: str = Field(description="of a day; else empty")
    trades: int
    wins: int
    pnl: Amount
    realised: Amount
    fees: Amount
    funding: Amount
    best: Amount | None = Field(description="null: not known of a day")
    worst: Amount | None
    profit_factor: float | None = Field(description="null: nothing was lost yet, or of a day")
    minutes: float | None = Field(description="a trade's mean")


class EquityPoint(Form):
    """What an agent's balance had come to."""

    at: int
    equity: Amount = Field(description="the balance; of the last point with what is open")
    drawdown: float = Field(description="below the best so far, a fraction: 0.1 is 10 %")


class EquityCurve(Form):
    agent: str
    mode: str
    start: Amount = Field(description="before the first point")
    drawdown_max: float
    open: bool = Field(description="whether the last point is now, with what is open")
    points: list[EquityPoint]


Orders = Listed[Order]
Fills = Listed[Fill]
Trades = Listed[Trade]
Refusals = Listed[Refused]
Curves = Listed[EquityCurve]
Earnings = Listed[Earned]
Counts = Listed[RefusalCount]
