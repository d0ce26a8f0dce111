"""What a backtest gives: trades, equity, refusals, and what it was made from.

Money is Decimal where it was booked (fills, fees, PnL of trades, balances). Equity over time is
float64: it is looked at and measured, nothing is booked by it.
"""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chandler.core.events import Event, Symbol
from chandler.core.trading.events import Direction, OrderFilled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """A round trip: from a position's first fill to its last."""

    id: str  # the position's
    agent: str
    symbol: Symbol
    side: Direction
    source: str  # the engine that opened it, "external", "person"
    opened_ms: int
    closed_ms: int  # 0: still open at the end of the period; money is what is booked so far
    entered: Decimal  # Σ price × size of all that was opened, quote coin
    exited: Decimal  # Σ price × size of all that was closed
    size: Decimal  # of all that was opened, base coin
    leverage: int
    adds: int
    realised: Decimal  # price differences alone
    fees: Decimal  # paid is positive
    funding: Decimal  # paid is positive
    reason: str  # of the last exit: "stop", "take_profit", …; "" while open
    order: str  # clientOid of the order that opened it

    @property
    def pnl(self) -> Decimal:
        """Realised, less fees and funding."""
        return self.realised - self.fees - self.funding


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's money at each time of `Result.at_ms`."""

    start: Decimal
    balance: Decimal  # at the end, exact
    equity: Floats  # balance and unrealised PnL, quote coin
    exposure: Floats  # Σ |size| × price of what is open, quote coin


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a result was made from."""

    profile: str
    config: str  # hash over engines and agents
    code: str
    candles: int  # that were read, of all granularities
    ticks: int  # prices there were: recorded tickers, or four for each of the shortest candles
    source: str  # "topics", or files' names
    from_tickers: bool  # False: each candle became four prices
    digest: str  # over all fills and balances: the same on each run and each machine


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest's outcome."""

    origin: Origin
    from_ms: int
    to_ms: int
    at_ms: Ints  # of the samples of all curves: closes of the shortest candles, ascending
    curves: dict[str, Curve]  # by agent
    trades: list[Trade]  # by the time they were opened, then symbol
    fills: list[OrderFilled]  # in the order in which they happened
    events: list[Event]  # of topic orders but refusals, each agent's in its order
    refusals: dict[str, dict[str, int]]  # agent → reason → how often
    signals: dict[str, int]  # engine → how many
    benchmarks: dict[str, Floats]  # "BTCUSDT", "universe": value of 1.0 held from the start
    bars: dict[Symbol, dict[str, Any]]  # for pictures: arrays open_ms open high low close
    notes: list[str]  # for people: what ran interpreted, what was assumed
    timings: dict[str, float]  # seconds by part: "compile", "dense", "sparse" …
