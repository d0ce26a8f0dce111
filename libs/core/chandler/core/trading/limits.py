"""Limits that people may set on an agent while it trades; the profile's hold until then."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from chandler.core.trading.agents import LEVERAGE_MAX, AgentConfig
from chandler.core.trading.money import shown


class Limit(NamedTuple):
    """One of an agent's settings that a command may change."""

    words: str  # for people
    least: Decimal
    most: Decimal
    whole: bool = False  # a count
    is_float: bool = False  # of the configuration; a Decimal otherwise


NONE, HUNDRED, MUCH = Decimal(0), Decimal(100), Decimal(1_000_000_000)

LIMITS: dict[str, Limit] = {
    "positions_max": Limit("positions at once", NONE, Decimal(1_000), whole=True),
    "orders_per_symbol_day_max": Limit(
        "entries in a symbol a day", NONE, Decimal(10_000), whole=True
    ),
    "daily_loss_max_percent": Limit(
        "loss of a day, % of its first balance (0: none)", NONE, HUNDRED
    ),
    "size": Limit("an entry's notional, quote coin (0: size_percent counts)", NONE, MUCH),
    "size_percent": Limit("an entry's margin, % of the balance", NONE, HUNDRED),
    "leverage": Limit("leverage", Decimal(1), Decimal(LEVERAGE_MAX), whole=True),
    "strength_min": Limit("least strength of a signal", NONE, Decimal(1), is_float=True),
    "impact_max_percent": Limit("impact of an order, % of the price (0: none)", NONE, HUNDRED),
}


def fault_of(name: str, value: Decimal | None) -> str:
    """Why a limit can't be set to a value, one line; "" where it can. None: the profile's."""
    limit = LIMITS.get(name)
    if limit is None:
        return f"unknown limit {name[:40]!r}: expected one of {' '.join(LIMITS)}"
    if value is None:
        return ""
    between = f"expected {'a whole number ' if limit.whole else ''}from {shown(limit.least)} to "
    if not value.is_finite() or not limit.least <= value <= limit.most:
        return f"{name} is {str(value)[:40]}: {between}{shown(limit.most)}"
    if limit.whole and value != value.to_integral_value():
        return f"{name} is {str(value)[:40]}: {between}{shown(limit.most)}"
    return ""


def limited(config: AgentConfig, limits: Mapping[str, Decimal]) -> AgentConfig:
    """The configuration with the limits that were set."""
    values = {name: _value(LIMITS[name], value) for name, value in limits.items()}
    return replace(config, **values) if values else config


def _value(limit: Limit, value: Decimal) -> int | float | Decimal:
    if limit.whole:
        return int(value)
    return float(value) if limit.is_float else value
