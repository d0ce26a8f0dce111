"""Agents, what they have open, and their money, as the desk has them now."""

from typing import Any

from pydantic import Field

from services.gateway.shapes.forms import Amount, Form, Known
from services.gateway.shapes.traded import Fill


class Agent(Form):
    """An isolated sub-portfolio. Amounts are in quote coin."""

    agent: str
    mode: str = Field(description="paper, live")
    account: str
    trading_mode: str
    engines: list[str] = Field(description="that it follows; empty: all")
    switches: dict[str, bool] = Field(
        description="trading, buying, selling; of a symbol: trading|BTCUSDT"
    )
    paused: list[str] = Field(description="engines")
    balance: Amount | None = Field(description="null: the desk has not begun with it")
    pnl_today: Amount | None
    pnl: Amount | None
    unrealised: Amount | None = Field(description="null: a mark is not known yet")
    equity: Amount | None = Field(description="balance and unrealised")
    positions: int
    orders: int = Field(description="whose outcome is open")
    entries_today: int
    blocked: str = Field(description="why it makes no entries; empty: it may")


class Limit(Form):
    """A limit that a command may change."""

    value: Amount
    profile: Amount = Field(description="what the profile says")
    least: Amount
    most: Amount
    whole: bool
    words: str


class AgentWhole(Agent):
    """An agent with its settings."""

    enabled: bool
    symbols: list[str] = Field(description="that it trades; empty: all")
    sides: list[str]
    on_opposite: str
    set: dict[str, Any] = Field(description="its trading mode's own settings")
    limits: dict[str, Limit]
    at_ms: int
    stale: str


class OpenPosition(Form):
    """A position that is open. Sizes are in base coin, amounts in quote coin."""

    id: str
    agent: str
    account: str
    symbol: str
    side: str = Field(description="long, short")
    size: Amount
    cost: Amount = Field(description="Σ price × size of what is open")
    entry: Amount = Field(description="average, for display")
    mark: Amount | None = Field(description="the symbol's newest; null: not known yet")
    marked_ms: int = Field(description="of the mark; 0: not known yet")
    unrealised: Amount | None
    stop: Amount | None = Field(description="where it stands now; null: none")
    targets: list[Amount]
    peak: Amount | None = Field(description="best price since the first fill")
    leverage: int
    adds: int
    source: str = Field(description="who opened it: an engine, a sender's name, person")
    fees: Amount
    funding: Amount
    closing: bool = Field(description="all of it is to be closed")
    opened_ms: int
    age_ms: int


class Position(Form):
    """A position, open or closed, with its fills."""

    id: str
    agent: str
    account: str
    symbol: str
    state: str = Field(description="open, closed")
    side: str
    size: Amount
    cost: Amount
    mark: Amount
    peak: Amount
    unrealised: Amount
    realised: Amount
    fees: Amount
    funding: Amount
    stop: Amount | None
    targets: list[Amount]
    leverage: int
    adds: int
    source: str
    reason: str = Field(description="of the end: the last exit's kind; empty: open")
    exit_notional: Amount | None
    opened_ms: int
    changed_ms: int
    marked_ms: int
    closed_ms: int | None
    fills: list[Fill]


class Balance(Form):
    """An agent's money. Amounts are in quote coin."""

    agent: str
    mode: str
    account: str
    balance: Amount | None
    pnl_today: Amount | None
    pnl: Amount | None
    unrealised: Amount | None
    equity: Amount | None


class Total(Form):
    """Of all agents of a mode: money on paper and real money are never summed up."""

    mode: str
    agents: int
    balance: Amount
    pnl_today: Amount
    pnl: Amount
    unrealised: Amount | None
    equity: Amount | None


class Balances(Known[Balance]):
    """Money by agent, and by mode."""

    totals: list[Total]
