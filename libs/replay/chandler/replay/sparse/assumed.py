"""Instruments where nobody has said what they are like: a file of candles says prices alone."""

from math import floor, log10

from chandler.core.events import Instrument, Symbol
from chandler.replay.sparse.prices import Prices, decimal

STEP_NOTIONAL = 0.5  # quote coin that one size step is worth, about
NOTIONAL_MIN = "5"
MAKER_FEE, TAKER_FEE = "0.0002", "0.0006"
LEVERAGE_MAX = 50


def instrument(prices: Prices) -> Instrument:
    """Steps as a venue's are: the prices' finest digit, and a size worth half a coin or less.

    Fees are the venue's standard ones.
    """
    price = float(prices.last[0]) / 10.0**prices.places if len(prices.last) else 1.0
    digits = floor(log10(STEP_NOTIONAL / price))
    step = decimal(1, -digits) if digits < 0 else str(10**digits)
    return Instrument(
        symbol=Symbol(prices.symbol),
        price_step=decimal(1, prices.places),
        size_step=step,
        size_min=step,
        notional_min=NOTIONAL_MIN,
        maker_fee=MAKER_FEE,
        taker_fee=TAKER_FEE,
        leverage_max=LEVERAGE_MAX,
        status="normal",
        seen_at=0,
    )
