"""What an account of the venue consists of: orders, plans, fills, bills, settings.

Every record is kept whole in the store. Times are the venue's, ms, where not said otherwise.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from chandler.core.trading.paper import PaperAccount
from chandler.core.trading.position import Position

ZERO = Decimal(0)
Side = Literal["buy", "sell"]
OrderStatus = Literal["live", "partially_filled", "filled", "canceled"]
PlanStatus = Literal["live", "executed", "fail_execute", "cancelled"]
PlanType = Literal[
    "normal_plan",
    "track_plan",
    "profit_plan",
    "loss_plan",
    "moving_plan",
    "pos_profit",
    "pos_loss",
]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Who an account is and how it is set up; its money is core's `PaperAccount`."""

    name: str
    uid: str
    start: Decimal  # what it began with, quote coin
    pos_mode: Literal["one_way_mode", "hedge_mode"] = "one_way_mode"
    unified: bool = False  # a unified account: the classic endpoints answer 40085
    leverages: dict[str, int] = {}  # by symbol
    margin_modes: dict[str, str] = {}  # by symbol


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """An account's money: core's, and the venue's ids of the open positions."""

    paper: PaperAccount
    positions: dict[str, int] = {}  # by symbol


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to have placed."""

    symbol: str
    side: Side
    size: Decimal
    price: Decimal | None = None  # None: at market
    force: Literal["gtc", "ioc", "fok", "post_only", ""] = ""
    reduce_only: bool = False
    client_oid: str = ""  # empty: the venue gives one
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    source: str = "normal"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order, from its receipt to its end."""

    id: int
    client_oid: str
    symbol: str
    side: Side
    kind: Literal["market", "limit"]
    force: Literal["gtc", "ioc", "fok", "post_only", ""]
    price: Decimal | None
    size: Decimal
    reduce_only: bool
    leverage: int
    margin_mode: str
    status: OrderStatus = "live"
    filled: Decimal = ZERO
    quote: Decimal = ZERO  # Σ price × size of its fills
    fee: Decimal = ZERO
    profit: Decimal = ZERO
    cancel_reason: str = ""
    take_profit: Decimal | None = None  # preset trigger
    stop_loss: Decimal | None = None
    source: str = "normal"  # or what made it: a plan, a liquidation
    trade_side: str
    point: str = "API"  # where it was entered
    created: int
    updated: int

    @property
    def open(self) -> bool:
        return self.status in ("live", "partially_filled")

    @property
    def rest(self) -> Decimal:
        return self.size - self.filled


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an order that met its price."""

    id: int
    order: int
    client_oid: str
    symbol: str
    side: Side
    kind: Literal["market", "limit"]
    price: Decimal
    size: Decimal
    fee: Decimal
    profit: Decimal
    maker: bool
    trade_side: str
    at: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """An order that waits for a price: a trigger, a stop, a take profit, a trailing one."""

    id: int
    client_oid: str
    symbol: str
    type: PlanType
    side: Side  # of the order that it becomes
    size: Decimal  # 0: the whole position
    trigger: Decimal
    trigger_type: Literal["mark_price", "fill_price"]
    rising: bool  # fires when the price is at the trigger or above; else at or below
    execute_price: Decimal | None = None  # None: market
    reduce_only: bool = True
    margin_mode: str = "crossed"
    callback: Decimal = ZERO  # percent of the peak, of trailing ones
    peak: Decimal | None = None  # best price since a trailing one was activated
    take_profit: Decimal | None = None  # of the position that a normal plan opens
    stop_loss: Decimal | None = None
    status: PlanStatus = "live"
    executed: int = 0  # id of the order
    created: int
    updated: int

    @property
    def of_position(self) -> bool:
        """Whether it lives and dies with the position."""
        return self.type not in ("normal_plan", "track_plan")


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A round trip that is over."""

    id: int
    position: Position  # its last figures, size 0
    size: Decimal  # that was closed, and so was opened; for display
    margin_mode: str
    at: int


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of money. Received is positive."""

    id: int
    symbol: str
    amount: Decimal
    fee: Decimal  # negative: paid
    type: str
    balance: Decimal
    at: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A request to place an order, as it came in. For the tests' bookkeeping."""

    account: str  # "": nobody's
    client_oid: str
    wall_ms: int  # when it came in
    signed_ms: int  # what it was signed with
    outcome: str  # "00000", or the code that it was refused with
    answered: str  # what the client was told: "00000", a code, "nothing"
    order: int = 0
