"""An instrument, its tickers and funding rates, for the tests of money."""

from decimal import Decimal

from chandler.core.events import FundingRate, Instrument, Symbol, Ticker
from chandler.core.trading.terms import terms_of

BTC = Symbol("BTCUSDT")
INSTRUMENT = Instrument(
    symbol=BTC,
    price_step="0.1",
    size_step="0.001",
    size_min="0.002",
    notional_min="5",
    maker_fee="0.0002",
    taker_fee="0.0006",
    leverage_max=50,
    status="normal",
    seen_at=1,
)
TERMS = terms_of(INSTRUMENT)
HOUR_MS = 3_600_000


def dec(text: str) -> Decimal:
    return Decimal(text)


def ticker(price: str, at: int, *, spread: str = "0", mark: str = "", symbol=BTC) -> Ticker:
    """A ticker around a price; mark is the price unless said."""
    half = Decimal(spread)
    return Ticker(
        symbol=symbol,
        at=at,
        last=price,
        bid=str(Decimal(price) - half),
        ask=str(Decimal(price) + half),
        mark=mark or price,
        minute_open_ms=at // 60_000 * 60_000,
        minute_volume=0.0,
    )


def rate(text: str, next_ms: int = 8 * HOUR_MS, interval_h: int = 8) -> FundingRate:
    return FundingRate(symbol=BTC, rate=text, interval_h=interval_h, next_ms=next_ms, seen_at=0)
