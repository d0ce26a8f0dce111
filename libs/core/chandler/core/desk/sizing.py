"""How large an order is: the agent's part of its balance, the venue's steps.

Sizes are rounded down to the step; an order below a minimum is refused, never made larger.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from chandler.core.events import Instrument
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import Seen
from chandler.core.trading.matching import fee_of, last_of, touch
from chandler.core.trading.modes import Leg
from chandler.core.trading.money import (
    PERCENT,
    ZERO,
    AmountError,
    down_to_step,
    minus,
    places,
    plus,
    ratio,
    times,
    total,
)
from chandler.core.trading.terms import Terms, terms_of


class Sized(NamedTuple):
    """The order that a leg asks for, in the venue's steps."""

    leg: Leg
    size: Decimal  # base coin, 0 where the step swallows it
    margin: Decimal  # quote coin that it binds, with the fee


class Order(NamedTuple):
    """What an entry or an add comes to."""

    price: Decimal  # the touch, quote coin
    leverage: int
    legs: tuple[Sized, ...]

    @property
    def size(self) -> Decimal:
        return total(each.size for each in self.legs)

    @property
    def margin(self) -> Decimal:
        return total(each.margin for each in self.legs)


def terms_in(seen: Seen) -> Terms | None:
    """The instrument's steps and fees; None: there is no instrument, or it makes no sense."""
    return None if seen.instrument is None else _terms(seen.instrument)


@lru_cache(maxsize=4_096)
def _terms(instrument: Instrument) -> Terms | None:
    try:
        return terms_of(instrument)
    except AmountError:
        return None


def price_in(seen: Seen, *, buys: bool) -> Decimal | None:
    """The best price of the other side, else the last one; None: there is no price."""
    if seen.ticker is None:
        return None
    return touch(seen.ticker, buys=buys) or last_of(seen.ticker)


def leverage_of(config: AgentConfig, terms: Terms) -> int:
    """The agent's, as far as the instrument allows it."""
    return max(1, min(config.leverage, terms.leverage_max))


def entry_notional(config: AgentConfig, balance: Decimal, leverage: int) -> Decimal:
    """Quote coin of a whole entry: fixed, or a part of the balance as margin × leverage."""
    if config.size > 0:
        return config.size
    return max(times(balance, config.size_percent, PERCENT, Decimal(leverage)), ZERO)


def order_of(
    legs: Sequence[Leg],
    *,
    config: AgentConfig,
    balance: Decimal,
    price: Decimal,
    terms: Terms,
    notional: Decimal | None = None,
) -> Order:
    """The order for the legs of an entry or an add. `notional`: None: as the agent sizes it."""
    leverage = leverage_of(config, terms)
    notional = entry_notional(config, balance, leverage) if notional is None else notional
    sized = []
    for leg in legs:
        wanted = ratio(times(notional, leg.share), price) if leg.size is None else leg.size
        size = down_to_step(max(wanted, ZERO), terms.size_step)
        value = times(price, size)
        margin = places(ratio(value, Decimal(leverage)))
        sized.append(Sized(leg, size, plus(margin, fee_of(price, size, terms.taker_fee))))
    return Order(price, leverage, tuple(sized))


def closing_size(wanted: Decimal | None, closable: Decimal, terms: Terms | None) -> Decimal:
    """What a close is about: all that is closable, or a part of it in the venue's steps.

    A part below the venue's minimum becomes the minimum, and where less than the minimum would
    be left it becomes all: what is left has to be closable too.
    """
    if wanted is None or wanted >= closable:
        return closable
    if terms is None:
        return wanted
    least = max(terms.size_min, terms.size_step)
    size = max(down_to_step(wanted, terms.size_step), least)
    return closable if minus(closable, size) < least else size
