"""Services, topics, dead letters; backtests; the chain behind an order."""

from typing import Annotated, Any, Literal

from pydantic import Field

from services.gateway.shapes.forms import Amount, Asked, Form, Listed, Name


class Service(Form):
    """One worker of a service."""

    worker: str = Field(description="indicators, indicators-1")
    service: str
    ready: bool
    state: str
    lag: int | None = Field(description="records not taken yet")
    age_s: float | None = Field(description="wall time since the newest record that it took")
    behind_s: float
    restarts: int | None = Field(description="of the last day; null: the ledger is away")
    elsewhere: bool = Field(description="on another machine: as its events tell")


class InfraEvent(Form):
    service: str
    instance: str = Field(description="host:pid:shard; empty where you don't see all agents")
    kind: str
    detail: str
    at: int = Field(description="wall time")


class Infra(Form):
    """How the system runs."""

    items: list[Service]
    next: str = ""
    ready: bool = Field(description="whether all services are")
    clock_ms: int = Field(description="the venue's time that is known; 0: none")
    close_ms: int = Field(description="the newest close of any candle")
    now_ms: int = Field(description="wall time of the answer")
    events: list[InfraEvent] = Field(description="the newest of each service")
    stale: str
    profile: str
    mode: Literal["paper", "live"]
    venue: str = Field(description="simulator, or the venue's name")
    pace: float = Field(description="venue's seconds in a second of wall time")


class InfraAsked(Asked):
    service: Name = ""
    kind: Name = ""


class DeadLettersAsked(Form):
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    after: Annotated[str, Field(max_length=400)] = ""
    source: Annotated[Name, Field(description="a service")] = ""


class DeadLetter(Form):
    """What could not be read or done."""

    source: str
    cause: str
    detail: str
    topic: str
    partition: int
    offset: int
    raw: str = Field(description="the message, base64 where it is no text; only for who sees all")
    written_ms: int
    place: str


class DeadLetters(Listed[DeadLetter]):
    stale: str


class TopicShown(Form):
    """A topic as it is on the cluster."""

    name: str
    doc: str
    key: str
    writers: list[str]
    partitions: int
    begin: list[int] = Field(description="first offset, by partition")
    end: list[int] = Field(description="next offset, by partition")
    records: int
    bytes: int | None = Field(description="null: the cluster is not ours to look into")
    compacted: bool
    retention_ms: int = Field(description="-1: for ever")


class LinkShown(Form):
    """A link of the chain from an order back to its candles."""

    name: str = Field(description="order, fill, request, desk, guard, signal, matrix, candle 5m, …")
    place: str = Field(description="topic/partition/offset; empty: not known")
    says: list[str]
    faults: list[str] = Field(description="what differs")
    unchecked: list[str]
    data: dict[str, Any] | None = Field(description="the event itself; null: none")


class Why(Form):
    """Why an order was made."""

    order: str
    differing: int
    links: list[LinkShown]


class BacktestsAsked(Form):
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    after: Annotated[str, Field(max_length=400)] = ""
    profile: Name = ""


class Backtest(Form):
    """A run in a line."""

    id: str = Field(description="its folder")
    profile: str
    made_ms: int = Field(description="wall time")
    from_ms: int
    to_ms: int
    agents: list[str]
    candles: int
    digest: str
    config: str
    code: str
    start: Amount
    balance: Amount
    trades: int
    pnl: Amount
    win_rate: float | None
    profit_factor: float | None
    total_return: float | None
    drawdown: float | None
    sharpe: float | None
    sortino: float | None


class Curve(Form):
    """Equity over time, thinned: every peak and trough is there."""

    name: str
    kind: str = Field(description="portfolio, agent, benchmark")
    start: float
    t: list[int] = Field(description="times, ms")
    v: list[float]


class BacktestTradesAsked(Form):
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    after: Annotated[str, Field(max_length=400)] = ""
    symbol: Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9]*$")] = ""


class BacktestTrade(Form):
    id: str
    agent: str
    symbol: str
    side: str
    source: str
    opened_ms: int
    closed_ms: int = Field(description="0: still open at the end")
    entered: Amount = Field(description="Σ price × size of what was opened")
    exited: Amount
    size: Amount
    leverage: int
    adds: int
    realised: Amount
    fees: Amount
    funding: Amount
    pnl: Amount
    reason: str


class BacktestWhole(Backtest):
    """A run with its figures."""

    starts: dict[str, Amount]
    balances: dict[str, Amount]
    metrics: dict[str, Any] = Field(description="portfolio, agents, benchmarks, breakdowns")
    refusals: dict[str, dict[str, int]] = Field(description="agent → reason → how often")
    signals: dict[str, int] = Field(description="engine → how many")
    notes: list[str]
    timings: dict[str, float]
    curves: list[Curve] = Field(description="empty: it was written before runs kept them")


Events = Listed[InfraEvent]
Topics = Listed[TopicShown]
Backtests = Listed[Backtest]
BacktestTrades = Listed[BacktestTrade]
