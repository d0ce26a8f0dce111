"""An instrument's steps, sizes and fees as Decimals: what every order is measured by."""

from decimal import Decimal

import msgspec

from chandler.core.events import Instrument, Symbol
from chandler.core.trading.money import AmountError, amount, positive

OPENING = ("normal", "listed")  # the venue's words for: everything may be traded
CLOSING = (*OPENING, "limit_open")  # the last one: positions may be closed only


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue demands of orders in one instrument."""

    symbol: Symbol
    price_step: Decimal  # quote coin
    size_step: Decimal  # base coin
    size_min: Decimal  # base coin
    notional_min: Decimal  # quote coin
    maker_fee: Decimal  # fraction of notional
    taker_fee: Decimal
    leverage_max: int
    opens: bool = True  # whether positions may be opened now
    closes: bool = True  # and closed


def terms_of(instrument: Instrument) -> Terms:
    """Read once from the venue's strings; AmountError names the first field that makes no sense."""
    terms = Terms(
        symbol=instrument.symbol,
        price_step=positive(instrument.price_step, f"{instrument.symbol}: price_step"),
        size_step=positive(instrument.size_step, f"{instrument.symbol}: size_step"),
        size_min=amount(instrument.size_min, f"{instrument.symbol}: size_min"),
        notional_min=amount(instrument.notional_min, f"{instrument.symbol}: notional_min"),
        maker_fee=amount(instrument.maker_fee, f"{instrument.symbol}: maker_fee"),
        taker_fee=amount(instrument.taker_fee, f"{instrument.symbol}: taker_fee"),
        leverage_max=instrument.leverage_max,
        opens=instrument.status in OPENING,
        closes=instrument.status in CLOSING,
    )
    for name in ("maker_fee", "taker_fee"):
        if abs(getattr(terms, name)) >= 1:
            raise AmountError(f"{instrument.symbol}: {name} is a fraction: expected below 1")
    return terms
