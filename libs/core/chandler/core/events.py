"""Every event of Chandler: frozen records, JSON on the wire, `type` and `v` in each.

`v` is the schema's version. Times are Unix milliseconds, UTC. `at` is the event's time
(DESIGN.md §5.9): the venue's time for ticks, the close for candles and what derives from them.
"""

from typing import ClassVar, Literal, NewType, Protocol, cast

import msgspec

from chandler.core.granularity import Granularity, interval_ms
from chandler.core.hashing import digest

Symbol = NewType("Symbol", str)
Side = Literal["long", "short", "flat"]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """What every event has. `version` is the newest schema that this code knows."""

    version: ClassVar[int] = 1

    v: int = 1  # schema version of this record


class CandleSealed(Event, frozen=True, kw_only=True):
    """A closed, final candle. Published once for each symbol, granularity and open time."""

    symbol: Symbol
    granularity: Granularity
    open_ms: int  # start of the slot
    open: float
    high: float
    low: float
    close: float
    volume: float  # base coin
    quote_volume: float  # quote coin

    @property
    def close_ms(self) -> int:
        """End of the slot: the open time of the next one, ms."""
        return self.open_ms + interval_ms(self.granularity)

    @property
    def at(self) -> int:
        return self.close_ms

    @property
    def hash(self) -> str:
        """Content hash: the same candle has it wherever and however it was received."""
        numbers = (self.open, self.high, self.low, self.close, self.volume, self.quote_volume)
        return digest(self.symbol, self.granularity, str(self.open_ms), *map(repr, numbers))


class CandleMissing(Event, frozen=True, kw_only=True):
    """A slot that the venue itself has no candle for, confirmed over REST."""

    symbol: Symbol
    granularity: Granularity
    open_ms: int

    @property
    def close_ms(self) -> int:
        return self.open_ms + interval_ms(self.granularity)

    @property
    def at(self) -> int:
        return self.close_ms

    @property
    def hash(self) -> str:
        return digest(self.symbol, self.granularity, str(self.open_ms), "missing")


class CandleCorrected(Event, frozen=True, kw_only=True):
    """The venue shows other values than the sealed ones. For audit only; no fold reads it."""

    symbol: Symbol
    granularity: Granularity
    open_ms: int
    sealed_hash: str  # of the candle that was published
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    seen_at: int  # venue's time at which the difference was seen, ms

    @property
    def at(self) -> int:
        return self.seen_at


class CandlesOut(Event, frozen=True, kw_only=True):
    """How far a symbol's candles of one granularity are published. Key: symbol|granularity."""

    symbol: Symbol
    granularity: Granularity
    open_ms: int  # of the newest candle that is out
    hash: str  # of that candle

    @property
    def at(self) -> int:
        return self.open_ms + interval_ms(self.granularity)


class Instrument(Event, frozen=True, kw_only=True):
    """A perpetual's steps, sizes and fees as the venue states them. Decimals are strings."""

    symbol: Symbol
    price_step: str  # quote coin
    size_step: str  # base coin
    size_min: str  # base coin
    notional_min: str  # quote coin
    maker_fee: str  # fraction of notional
    taker_fee: str  # fraction of notional
    leverage_max: int
    status: str  # the venue's: normal, maintain, limit_open, off …
    seen_at: int  # venue's time, ms

    @property
    def at(self) -> int:
        return self.seen_at


class FundingRate(Event, frozen=True, kw_only=True):
    """Funding rate in force for a symbol."""

    symbol: Symbol
    rate: str  # fraction of position value per interval, decimal string
    interval_h: int
    next_ms: int  # next settlement
    seen_at: int

    @property
    def at(self) -> int:
        return self.seen_at


class Ticker(Event, frozen=True, kw_only=True):
    """Last prices of a symbol at the venue's time. Prices are the venue's strings."""

    symbol: Symbol
    at: int  # venue's time of the push, ms
    last: str
    bid: str
    ask: str
    mark: str
    minute_open_ms: int  # open time of the forming 1m candle
    minute_volume: float  # its volume so far, base coin; 0 where 1m is not subscribed


class InputRef(msgspec.Struct, frozen=True, kw_only=True):
    """Names one input of a derived event by content, not by place."""

    symbol: Symbol
    granularity: Granularity
    close_ms: int
    hash: str


class IndicatorRow(Event, frozen=True, kw_only=True):
    """All indicator values of one symbol at one close. What is not warm yet is absent."""

    symbol: Symbol
    granularity: Granularity
    close_ms: int
    values: dict[str, float]  # "rsi(14)" → 28.4; several outputs: "macd(12,26,9).signal"
    candle: InputRef
    missing: bool = False  # the slot is a CandleMissing: values is empty
    config: str  # hash of the indicator list that was computed
    code: str  # hash of the code that computed it

    @property
    def at(self) -> int:
        return self.close_ms


class MatrixRow(Event, frozen=True, kw_only=True):
    """All notes of one symbol at one evaluated close of one base granularity."""

    symbol: Symbol
    granularity: Granularity  # the base
    close_ms: int
    notes: dict[str, dict[str, float]]  # engine → evaluator → note in [-1, 1]
    absent: dict[str, dict[str, str]]  # engine → evaluator → why there is no note
    verdicts: dict[str, str]  # engine → what came of it: "long", "cooling down", "below threshold"
    inputs: list[InputRef]
    config: str
    code: str

    @property
    def at(self) -> int:
        return self.close_ms


class Signal(Event, frozen=True, kw_only=True):
    """An engine's (or a person's) wish to be long, short or flat in a symbol."""

    id: str  # derived from its cause, never random
    symbol: Symbol
    side: Side
    strength: float  # in (0, 1]
    source: str  # engine name
    granularity: Granularity  # the engine's base
    close_ms: int
    expires_ms: int  # older than this at the executor: recorded, not acted on
    stop: float | None = None  # quote coin
    targets: list[float] = []  # quote coin
    reason: str  # one line for people
    agents: list[str] = []  # empty: all that follow the source
    notes: dict[str, float] = {}  # evaluator → note
    inputs: list[InputRef]
    config: str
    code: str

    @property
    def at(self) -> int:
        return self.close_ms


class ConfigRecorded(Event, frozen=True, kw_only=True):
    """The text behind a configuration hash. Key: the hash."""

    hash: str
    text: str  # canonical JSON
    service: str


class MarketView(Event, frozen=True, kw_only=True):
    """The market over one window, from faust. Disposable: nothing that decides reads it."""

    window: str  # "5m", "1h", "24h"
    at: int  # greatest event time in it, ms
    symbols: int
    movers_up: list[tuple[Symbol, float]]  # change over the window, fraction
    movers_down: list[tuple[Symbol, float]]
    leaders: list[tuple[Symbol, float]]  # quote volume over the window
    volatility: list[tuple[Symbol, float]]  # standard deviation of 5m returns about 0
    up: float  # share of symbols that rose
    down: float
    above_ema: float  # share above their EMA(50)


class DeadLetter(Event, frozen=True, kw_only=True):
    """What could not be read or done, with its cause and where it stands."""

    source: str  # service
    cause: str  # short, stable: "undecodable", "impossible candle", "evaluator raised"
    detail: str  # one line
    topic: str = ""  # of the message, if there is one
    partition: int = -1
    offset: int = -1
    raw: str = ""  # the message, base64 where it is not text, cut at 4 KiB


class LogLine(Event, frozen=True, kw_only=True):
    """A line of a service's log. `at` is wall time."""

    service: str
    instance: str  # host:pid:shard
    level: Literal["debug", "info", "warning", "error"]
    text: str  # without secrets, cut
    at: int


class InfraEvent(Event, frozen=True, kw_only=True):
    """Something that happened to a service. `at` is wall time."""

    service: str
    instance: str  # host:pid:shard
    kind: Literal[
        "started",
        "ready",
        "stopping",
        "crashed",
        "restarted",
        "recovered",
        "connection_lost",
        "connection_back",
        "behind",  # its inputs come faster than it works
        "caught_up",
    ]
    at: int
    detail: str = ""


class TrialAsked(Event, frozen=True, kw_only=True):
    """A trial of an optimisation that any worker may make. Times are event times but `asked_ms`."""

    study: str
    run: str  # of the program that asks: an answer to another one's question is none to it
    number: int  # within the study
    target: str  # "engine:scalper", "agent:trend"
    profile: str
    agents: list[str]  # that trade
    changes: list[str]  # of the profile, in their order: "engines.scalper.cooldown=3"
    config: str  # hash over the engines and agents that come of it
    code: str  # hash of the code that asks
    data: str  # hash over the candles that are to be read
    symbols: list[Symbol]  # of them
    from_ms: int
    to_ms: int
    windows: list[tuple[int, int]]  # after, up to: of each a value is wanted
    step_ms: int  # of the returns
    objective: str
    bars: list[float | None] = []  # at each look before the end: below it, it goes no further
    asked_ms: int  # wall time


class TrialTold(Event, frozen=True, kw_only=True):
    """What came of a trial. Told twice it is the same; the first counts."""

    study: str
    run: str
    number: int
    values: list[float] = []  # of each window; [] where it was stopped
    standing: list[float] = []  # its score so far, at each look
    stopped: bool = False  # at the last look, below its bar
    trades: int = 0
    longest_ms: int = 0  # the longest time that a position was open
    total_return: float = 0.0  # over all that was read, fraction
    digest: str = ""  # of the backtest
    refused: str = ""  # why the profile can't be tried, one line
    unfit: str = ""  # why this worker can't try it: it is asked for again
    worker: str = ""  # host:pid
    code: str
    data: str


Candle = CandleSealed | CandleMissing


class Timed(Protocol):
    """An event with a time of its own."""

    @property
    def at(self) -> int: ...


def event_at(event: Event) -> int:
    """The event's time, ms; only for events that have one."""
    return cast(Timed, event).at
