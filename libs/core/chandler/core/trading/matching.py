"""The one matching model: what a market order gets, on paper, in backtests and at the simulator.

Buying pays the ask, selling gets the bid, each moved by the slippage and rounded to the price
step against the order. Knows nothing of accounts.
"""

from collections.abc import Sequence
from decimal import Decimal

from chandler.core.events import Ticker
from chandler.core.trading.events import Quote
from chandler.core.trading.money import (
    ONE,
    PERCENT,
    ZERO,
    AmountError,
    against,
    minus,
    places,
    plus,
    positive,
    ratio,
    times,
)
from chandler.core.trading.terms import Terms

HUNDRED = Decimal(100)


def touch(ticker: Ticker, *, buys: bool) -> Decimal | None:
    """The best price of the other side: ask for buying, bid for selling.

    None: the ticker says none, as before a pair's opening.
    """
    try:
        return positive(ticker.ask if buys else ticker.bid)
    except AmountError:
        return None


def mark_of(ticker: Ticker) -> Decimal | None:
    """The mark price; the last one where the ticker has none."""
    for text in (ticker.mark, ticker.last):
        try:
            return positive(text)
        except AmountError:
            continue
    return None


def last_of(ticker: Ticker) -> Decimal | None:
    """The last price; None: there is none."""
    try:
        return positive(ticker.last)
    except AmountError:
        return None


def quote(
    ticker: Ticker, *, buys: bool, size: Decimal, terms: Terms, slippage_percent: Decimal
) -> Quote | None:
    """What a market order of this size costs at this ticker; None: it has no price."""
    best = touch(ticker, buys=buys)
    if best is None:
        return None
    slip = times(slippage_percent, PERCENT)
    moved = times(best, plus(ONE, slip) if buys else minus(ONE, slip))
    price = against(moved, terms.price_step, buys=buys)
    return Quote(price=price, best=best, size=size)


def fee_of(price: Decimal, size: Decimal, rate: Decimal) -> Decimal:
    """Fee of one fill: price × size × rate, 8 places half even."""
    return places(times(price, size, rate))


def depth_quote(levels: Sequence[tuple[str, str]], *, size: Decimal) -> Quote | None:
    """What `size` costs in a book's side: levels of (price, size), best first, venue's strings.

    The average price is rounded to 8 places. None: the side doesn't hold as much, or is rubbish.
    """
    if size <= 0:
        return None
    left, paid, best = size, ZERO, None
    try:
        for price_text, size_text in levels:
            price, here = positive(price_text), positive(size_text)
            best = price if best is None else best
            taken = min(left, here)
            paid, left = plus(paid, times(price, taken)), minus(left, taken)
            if not left:
                return Quote(price=places(ratio(paid, size)), best=best, size=size)
    except AmountError:
        return None
    return None


def impact_percent(found: Quote) -> Decimal:
    """How far the average lies from the best price, percent of the best, 8 places."""
    return places(ratio(times(abs(minus(found.price, found.best)), HUNDRED), found.best))
