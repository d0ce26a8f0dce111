"""A position as pure arithmetic: size and cost are kept, an average never.

Knows nothing of agents, ids or events: the desk, the positions and the venues name their own.
One-way mode: a symbol is long, short or flat.
"""

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

import msgspec

from chandler.core.events import Symbol
from chandler.core.trading.events import Direction
from chandler.core.trading.money import ZERO, minus, places, plus, ratio, times, to_step


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What is open in one symbol, and what came of it since it was opened."""

    symbol: Symbol
    side: Direction
    size: Decimal  # base coin, above 0; 0 once it has ended
    cost: Decimal  # quote coin, Σ price × size of what is open
    leverage: int
    opened_ms: int  # first fill
    changed_ms: int  # last fill
    entered: Decimal  # quote coin, Σ price × size of all that was opened
    exited: Decimal = ZERO  # quote coin, Σ price × size of all that was closed
    realised: Decimal = ZERO  # price differences alone, without fees and funding
    fees: Decimal = ZERO  # paid is positive
    funding: Decimal = ZERO  # paid is positive
    funded_ms: int = 0  # newest settlement mark that was paid; 0: none yet

    @property
    def direction(self) -> int:
        """+1 long, -1 short."""
        return 1 if self.side == "long" else -1


class Filled(NamedTuple):
    """What a fill made of a position."""

    position: Position | None  # what is open now; None: flat
    realised: Decimal  # by this fill
    ended: Position | None  # the round trip that this fill ended, with its last figures, size 0


def filled(
    position: Position | None,
    *,
    symbol: Symbol,
    buys: bool,
    price: Decimal,
    size: Decimal,
    fee: Decimal,
    leverage: int,
    at: int,
) -> Filled:
    """The position after a fill: opened, added to, reduced, ended, or flipped to the other side.

    A partial close removes cost × closed / size, rounded to 8 places half even; the last close all
    of it. realised = (proceeds - removed cost) × direction. A flip's fee is split by size.
    """
    assert min(price, size) > 0, f"a fill of {size} at {price}"
    side: Direction = "long" if buys else "short"
    if position is None:
        return Filled(_opened(symbol, side, price, size, fee, leverage, at), ZERO, None)
    if side == position.side:
        return Filled(_added(position, price, size, fee, leverage, at), ZERO, None)
    closed = min(size, position.size)
    closing_fee = fee if closed == size else places(ratio(times(fee, closed), size))
    rest, realised = _reduced(position, price, closed, closing_fee, at)
    if rest.size:
        return Filled(rest, realised, None)
    if closed == size:
        return Filled(None, realised, rest)
    over, over_fee = minus(size, closed), minus(fee, closing_fee)
    return Filled(_opened(symbol, side, price, over, over_fee, leverage, at), realised, rest)


def funded(position: Position, *, amount: Decimal, mark_ms: int) -> Position:
    """After a funding payment (paid is positive) of the settlement at `mark_ms`."""
    return msgspec.structs.replace(
        position, funding=plus(position.funding, amount), funded_ms=mark_ms
    )


def funding_amount(position: Position, *, rate: Decimal, mark: Decimal) -> Decimal:
    """Value at mark × rate: longs pay a positive rate, shorts receive it. 8 places half even."""
    return places(times(mark, position.size, rate, Decimal(position.direction)))


def unrealised(position: Position, mark: Decimal) -> Decimal:
    """What closing at `mark` would realise, exactly, without fees."""
    return times(minus(times(mark, position.size), position.cost), Decimal(position.direction))


def margin(position: Position) -> Decimal:
    """Quote coin that the position binds: cost / leverage, 8 places half even."""
    return _margin(position.cost, position.leverage)


@lru_cache(maxsize=16_384)
def _margin(cost: Decimal, leverage: int) -> Decimal:
    """Remembered: each order asks for those of all that is open."""
    return places(ratio(cost, Decimal(leverage)))


def average(position: Position) -> Decimal:
    """Entry price for display, 12 places at most; nothing is computed from it."""
    if not position.size:
        return ZERO
    return ratio(position.cost, position.size).quantize(Decimal("1E-12")).normalize()


def is_liquidated(
    position: Position, mark: Decimal, *, maintenance: Decimal, taker_fee: Decimal
) -> bool:
    """Whether the margin no longer covers maintenance and the fee of closing at `mark`.

    Isolated, as bitget-api.md §5 estimates it; no division, so it is exact.
    `maintenance` and `taker_fee` are fractions of the value at mark.
    """
    left = plus(margin(position), unrealised(position, mark))
    return left <= times(mark, position.size, plus(maintenance, taker_fee))


def liquidation_price(
    position: Position,
    *,
    maintenance: Decimal,
    taker_fee: Decimal,
    price_step: Decimal | None = None,
) -> Decimal | None:
    """Mark price at which `is_liquidated` turns true, for display; None: there is none above 0.

    (margin - cost × dir) / (size × (maintenance + taker fee - dir)), bitget-api.md §5.
    """
    if not position.size:
        return None
    sign = Decimal(position.direction)
    above = minus(margin(position), times(position.cost, sign))
    below = times(position.size, minus(plus(maintenance, taker_fee), sign))
    price = ratio(above, below)
    if price <= 0:
        return None
    return places(price) if price_step is None else to_step(price, price_step)


def _opened(
    symbol: Symbol,
    side: Direction,
    price: Decimal,
    size: Decimal,
    fee: Decimal,
    leverage: int,
    at: int,
) -> Position:
    cost = times(price, size)
    return Position(
        symbol=symbol,
        side=side,
        size=size,
        cost=cost,
        leverage=leverage,
        opened_ms=at,
        changed_ms=at,
        entered=cost,
        fees=fee,
    )


def _added(
    position: Position, price: Decimal, size: Decimal, fee: Decimal, leverage: int, at: int
) -> Position:
    cost = times(price, size)
    return msgspec.structs.replace(
        position,
        size=plus(position.size, size),
        cost=plus(position.cost, cost),
        entered=plus(position.entered, cost),
        fees=plus(position.fees, fee),
        leverage=leverage,
        changed_ms=at,
    )


def _reduced(
    position: Position, price: Decimal, closed: Decimal, fee: Decimal, at: int
) -> tuple[Position, Decimal]:
    proceeds = times(price, closed)
    whole = closed == position.size
    removed = position.cost if whole else places(ratio(times(position.cost, closed), position.size))
    realised = times(minus(proceeds, removed), Decimal(position.direction))
    rest = msgspec.structs.replace(
        position,
        size=ZERO if whole else minus(position.size, closed),
        cost=ZERO if whole else minus(position.cost, removed),
        exited=plus(position.exited, proceeds),
        realised=plus(position.realised, realised),
        fees=plus(position.fees, fee),
        changed_ms=at,
    )
    return rest, realised
