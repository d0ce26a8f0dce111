"""Symbols, candles, indicators, notes, signals and pumps."""

from typing import Annotated, Literal

from pydantic import Field

from services.gateway.shapes.forms import (
    ITEMS_MAX,
    Amount,
    Asked,
    Form,
    Known,
    Listed,
    Name,
    SymbolName,
    Whole,
)

Length = Literal["1m", "5m", "15m", "30m", "1H", "4H", "1D"]


class OfSymbol(Form):
    symbol: SymbolName = ""


class CandlesAsked(Form):
    symbol: Annotated[str, Field(max_length=40, pattern=r"^[A-Za-z0-9]+$")]
    granularity: Length = "5m"
    before_ms: Annotated[Whole, Field(description="opened before; 0: the newest")] = 0
    limit: Annotated[int, Field(ge=1, le=ITEMS_MAX)] = 200


class Candle(Form):
    """A sealed candle."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float = Field(description="base coin")
    quote_volume: float = Field(description="quote coin")


class Candles(Form):
    """In order of time; `before_ms` asks for those before."""

    symbol: str
    granularity: str
    items: list[Candle]
    before_ms: int = Field(description="?before_ms= of those before; 0: here there were none")


class Indicators(Form):
    """Values by close, as far as the topic keeps them."""

    close_ms: int
    values: dict[str, float] = Field(description="rsi(14): 28.4; what is not warm is absent")


class IndicatorRows(Form):
    symbol: str
    granularity: str
    items: list[Indicators]
    before_ms: int


class SymbolRow(Form):
    """A symbol that is followed. Amounts are the venue's own."""

    symbol: str
    status: str = Field(description="the venue's: normal, maintain, …; empty: not known yet")
    price_step: Amount | None
    size_step: Amount | None
    size_min: Amount | None
    notional_min: Amount | None
    taker_fee: Amount | None
    maker_fee: Amount | None
    leverage_max: int | None
    last: Amount | None
    bid: Amount | None
    ask: Amount | None
    mark: Amount | None
    at: int = Field(description="of the prices; 0: none yet")
    change: float | None = Field(description="over 24 h, a fraction; null: not known")
    pump: str = Field(description="none, up, down; empty: not known")


class Symbols(Known[SymbolRow]):
    granularities: list[str] = Field(description="of the candles that there are, shortest first")


class Ranked(Form):
    symbol: str
    value: float


class Window(Form):
    """The market over a window."""

    window: str
    at: int
    symbols: int
    movers_up: list[Ranked] = Field(description="change, a fraction")
    movers_down: list[Ranked]
    leaders: list[Ranked] = Field(description="quote volume")
    volatility: list[Ranked]
    up: float = Field(description="share of symbols that rose")
    down: float
    above_ema: float


class Noted(Form):
    """An engine's notes of a symbol at its newest close."""

    granularity: str
    close_ms: int
    score: float | None = Field(description="the weighted note in [-1, 1]; null: there is none")
    verdict: str
    notes: dict[str, float]
    absent: dict[str, str] = Field(description="evaluator → why there is no note")


class MatrixSymbol(Form):
    symbol: str
    close_ms: int = Field(description="the newest of its engines")
    engines: dict[str, Noted]


class MatrixAsked(OfSymbol):
    engine: Name = ""


class SignalsAsked(Asked):
    symbol: SymbolName = ""
    source: Name = ""
    side: Literal["", "long", "short", "flat"] = ""
    agent: Annotated[Name, Field(description="those that are for it: for all, or by name")] = ""
    external: Annotated[bool | None, Field(description="from outside only; engines' only")] = None


class Signalled(Form):
    """A wish to be long, short or flat."""

    id: str
    topic: str = Field(description="signals, signals.external")
    symbol: str
    side: str
    strength: float
    source: str
    granularity: str
    close_ms: int
    expires_ms: int
    stop: float | None
    targets: list[float]
    reason: str
    agents: list[str] = Field(description="empty: all that follow the source")
    notes: dict[str, float]
    orders: int = Field(description="that it led to, of agents that you see")
    refusals: int
    place: str = Field(description="topic:partition:offset")


class PumpsAsked(OfSymbol):
    all: Annotated[bool, Field(description="symbols without a pump, too")] = False


class Pump(Form):
    """How a symbol stands with the guard."""

    symbol: str
    pump: str = Field(description="none; up: no short is opened; down: no long")
    both: bool
    since_ms: int
    change: float = Field(description="over the guard's window, a fraction")
    volume_ratio: float
    at: int = Field(description="up to when the guard knows")


class PumpEventsAsked(Asked):
    symbol: SymbolName = ""


class PumpEvent(Form):
    """A pump that started or ended."""

    symbol: str
    kind: str
    pump: str
    both: bool
    since_ms: int
    change: float
    volume_ratio: float
    at: int


class EvaluatorShown(Form):
    name: str
    version: str
    weight: float
    required: bool = Field(description="an absent note of it blocks the signal")
    tunables: dict[str, float]
    reads: list[str] = Field(description="indicators: rsi(14)")
    doc: str


class EngineShown(Form):
    """An engine as it runs."""

    engine: str
    version: str
    doc: str
    granularity: str
    enabled: bool
    fault: str = Field(description="why it does not run; empty: it does, or is not enabled")
    evaluators: list[EvaluatorShown]
    long_threshold: float
    short_threshold: float
    cooldown: int = Field(description="candles after a signal in which there is no other one")
    sides: list[str]
    symbols: list[str] = Field(description="empty: all")
    freshness_s: int
    stop_atr: float
    target_atr: list[float]
    config: str = Field(description="hash; empty: it does not run")
    agents: list[str] = Field(description="that follow it, of those that you see")


Signals = Listed[Signalled]
PumpEvents = Listed[PumpEvent]
