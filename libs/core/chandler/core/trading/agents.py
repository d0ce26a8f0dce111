"""Configuration of the desk: agents, accounts, the paper venue, the pump guard.

An agent is an isolated sub-portfolio: its own balance, limits, engines and trading mode.
"""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from chandler.core.trading.events import Direction

LEVERAGE_MAX = 125
PRICE_AGE_MS = 10_000


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One agent."""

    mode: Literal["paper", "live"] = "paper"
    account: str = ""  # of [accounts]; empty: a paper account of the agent's own name
    balance: Decimal = Decimal(10_000)  # to start with, quote coin; what it may use of an account
    engines: list[str] = []  # that it follows; empty: all enabled ones
    symbols: list[str] = []  # empty: all
    sides: tuple[Direction, ...] = ("long", "short")
    size: Decimal = Decimal(0)  # of an entry, quote coin of notional; 0: size_percent counts
    size_percent: Decimal = Decimal(10)  # of the balance as margin; times leverage is the notional
    leverage: int = 3
    positions_max: int = 5
    orders_per_symbol_day_max: int = 10  # entries
    daily_loss_max_percent: Decimal = Decimal(10)  # of the day's first balance; 0: no limit
    strength_min: float = 0.0
    impact_max_percent: Decimal = Decimal("0.5")  # of the best price; 0: no limit
    on_opposite: Literal["ignore", "close", "reverse"] = "ignore"
    trading: bool = True
    buying: bool = True
    selling: bool = True
    trading_mode: str = "fixed"
    set: dict[str, Any] = {}  # the trading mode's own settings, see its `config`
    enabled: bool = True


class AccountConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account at a venue. Its keys come from the environment or a file, never from here."""

    broker: Literal["bitget"] = "bitget"
    keys: str = (
        ""  # CHANDLER_KEYS_<NAME>, or keys/<name>.toml of the data directory; empty: its name
    )
    demo: bool = False  # the venue's demo trading (paptrading)
    # The profile's simulator is the venue: no real money. Its keys then are those that the
    # simulator wrote, simulator/keys/<name>.toml of the data directory, and no others.
    on_simulator: bool = False
    margin_mode: Literal["crossed", "isolated"] = "crossed"


class PaperConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The paper venue. Times are of the venue's clock at 1x; an accelerated one multiplies them."""

    latency_ms: int = 250  # from a decision's cause to the earliest fill, and of the watch
    slippage_percent: Decimal = Decimal("0.01")  # beyond bid or ask, against the order
    maintenance_percent: Decimal = Decimal(1)  # margin rate, of the value at mark
    price_age_ms_max: int = PRICE_AGE_MS  # an older ticker decides nothing


class DeskConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all agents share."""

    shards: int = 1  # of the paper accounts; each other account is a shard of its own
    # Wall time that an input is waited for before the desk goes on without it. Paper fills are by
    # event time, so waiting costs nothing; what a backtest gives otherwise, it explains by this.
    window_s_max: float = 30.0
    guard_age_ms_max: int = 30_000  # an older guard refuses shorts; venue's clock at 1x
    reconcile_s: float = 60.0  # wall time between two comparisons with a venue


class PumpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a pump is: a rise within a window with unusual volume, until it has cooled down."""

    enabled: bool = True  # whether the guard runs; without it no side is ever blocked
    rise_percent: float = 3.0
    window_min: int = 5
    volume_ratio: float = 3.0  # the window's volume by the usual of as many minutes
    usual_min: int = 60  # minutes that "usual" is the mean of
    calm_percent: float = 1.5  # hysteresis: cooling begins when the rise is below it
    cool_down_min: int = 10  # of calm that end it
    mirror: bool = False  # a crash blocks longs
    heartbeat_ms: int = 2_500  # venue's clock at 1x
