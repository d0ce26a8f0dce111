"""What a paper venue keeps of an account, and what it says has happened: see paper.py."""

from decimal import Decimal
from typing import Literal

import msgspec

from chandler.core.events import Symbol
from chandler.core.trading.agents import PaperConfig
from chandler.core.trading.events import Direction
from chandler.core.trading.money import PERCENT, ZERO, minus, plus, times, total
from chandler.core.trading.position import Position, margin, unrealised

RefusedCode = Literal[
    "duplicate",  # an order of this id is pending
    "suspended",  # the instrument is not traded now, or may be closed only
    "leverage",  # not within 1 and the instrument's highest
    "size_step",  # not above 0, or no multiple of the step
    "size_min",
    "notional_min",
    "price_step",  # limit or trigger price off the grid
    "no_price",  # no ticker yet, or one without prices
    "no_position",  # reduce-only, and nothing to reduce
    "margin",  # margin and fee are more than what is available
]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How the venue behaves, the same for all symbols."""

    slippage_percent: Decimal = Decimal("0.01")  # beyond bid or ask
    maintenance: Decimal = Decimal("0.01")  # margin rate, fraction of the value at mark


def rules_of(config: PaperConfig) -> Rules:
    """The profile's paper venue."""
    return Rules(
        slippage_percent=config.slippage_percent,
        maintenance=times(config.maintenance_percent, PERCENT),
    )


class PaperOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that waits: at market, with a limit, or for a trigger (a stop)."""

    id: str  # the caller's; unique among what is pending
    symbol: Symbol
    buys: bool
    size: Decimal | None  # base coin; None (with a trigger only): all that is open then
    leverage: int = 1  # of the position that it opens or adds to
    reduce_only: bool = False  # never more than the position; dropped where there is none
    ready_ms: int = 0  # the first ticker with at >= it may fill it; triggers: may fire it
    limit: Decimal | None = None  # quote coin; None: at market
    trigger: Decimal | None = None  # rests until the price has come to it, then is at market
    above: bool = False  # the trigger fires at or above it; else at or below
    by: Literal["last", "mark"] = "last"  # the price that a trigger watches
    of_position: bool = False  # a trigger that goes with its position
    filled: Decimal = ZERO  # base coin, so far
    fills: int = 0  # so far
    fired: bool = False  # its trigger was come to: what is left is at market
    rested: bool = False  # a limit order that a ticker has passed by: it fills as maker
    reserved: Decimal = ZERO  # margin and fee that it binds, set by `place`

    @property
    def left(self) -> Decimal:
        assert self.size is not None
        return minus(self.size, self.filled)


class PaperAccount(msgspec.Struct, frozen=True, kw_only=True):
    """All that the venue knows of one account. Encodes to JSON and back exactly."""

    deposited: Decimal  # quote coin, at the start and since
    realised: Decimal = ZERO
    fees: Decimal = ZERO  # paid is positive
    funding: Decimal = ZERO  # paid is positive
    positions: dict[Symbol, Position] = {}
    orders: dict[str, PaperOrder] = {}  # by id: what waits, triggers too

    @property
    def wallet(self) -> Decimal:
        """The balance without unrealised PnL."""
        return minus(plus(self.deposited, self.realised), self.fees, self.funding)


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The account did not take the order; nothing changed."""

    id: str
    code: RefusedCode
    reason: str  # one line: what was expected and found


class Fill(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order was filled, wholly or in part."""

    id: str  # of the order
    trade: str  # the order's id and the number of its fill
    symbol: Symbol
    buys: bool
    price: Decimal
    size: Decimal
    fee: Decimal
    realised: Decimal
    done: bool  # nothing of the order is left
    reduce_only: bool
    maker: bool
    triggered: bool  # by a stop
    position: Position | None  # afterwards
    ended: Position | None  # the round trip that it ended: its last figures, size 0
    at: int  # the ticker's


class Dropped(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What was left of an order will not be filled: there is nothing (more) to reduce."""

    id: str
    symbol: Symbol
    filled: Decimal
    reason: str
    at: int


class Funding(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A settlement of funding. Paid is positive."""

    symbol: Symbol
    rate: Decimal
    mark: Decimal
    size: Decimal
    amount: Decimal
    settled_ms: int
    position: Position  # afterwards
    at: int


class Liquidation(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue closed a position at mark, as taker: its margin was gone."""

    symbol: Symbol
    side: Direction
    price: Decimal
    size: Decimal
    fee: Decimal
    realised: Decimal
    ended: Position
    at: int


Happening = Fill | Dropped | Funding | Liquidation


def open_account(balance: Decimal) -> PaperAccount:
    """An account with nothing but money."""
    return PaperAccount(deposited=balance)


def transfer(account: PaperAccount, change: Decimal) -> PaperAccount:
    """Money from or to the outside."""
    return msgspec.structs.replace(account, deposited=plus(account.deposited, change))


def available(account: PaperAccount) -> Decimal:
    """The wallet less what positions and orders bind. Below 0 after heavy losses."""
    bound = total(margin(each) for each in account.positions.values())
    reserved = total(each.reserved for each in account.orders.values())
    return minus(account.wallet, bound, reserved)


def equity(account: PaperAccount, marks: dict[Symbol, Decimal]) -> Decimal:
    """The wallet and what the positions would realise at these marks (at cost where none is)."""
    return plus(
        account.wallet,
        total(
            unrealised(each, marks[symbol])
            for symbol, each in account.positions.items()
            if symbol in marks
        ),
    )
