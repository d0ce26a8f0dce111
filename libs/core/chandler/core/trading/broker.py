"""The broker port: what the executor asks of a venue. Paper and Bitget answer it.

A venue's own words stay behind it. Money is Decimal. Times are the venue's, ms.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from chandler.core.events import Symbol
from chandler.core.trading.events import Direction, OrderRequested, Quote

VALID_MS = 30_000  # a signed request is refused by the venue when it is older (40008)


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue took the order."""

    id: str
    venue_id: str
    at: int


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue said no, for certain: there is no such order."""

    id: str
    code: str
    reason: str
    at: int


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A timeout or an ambiguous error: the order may be there."""

    id: str
    reason: str
    at: int


class VenueFill(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A fill as the venue tells it."""

    id: str  # our clientOid; "" for one that is not ours
    venue_id: str
    trade: str
    symbol: Symbol
    buys: bool
    price: Decimal
    size: Decimal
    fee: Decimal  # paid is positive
    at: int


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order as the venue tells it."""

    id: str
    venue_id: str
    symbol: Symbol
    state: Literal["open", "filled", "cancelled"]
    buys: bool
    reduce_only: bool
    size: Decimal
    filled: Decimal
    at: int  # last change


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An open position, one-way mode."""

    symbol: Symbol
    side: Direction
    size: Decimal
    entry: Decimal  # average price
    mark: Decimal
    unrealised: Decimal
    liquidation: Decimal | None
    leverage: int


class VenueBalance(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The account in quote coin."""

    wallet: Decimal  # without unrealised PnL
    available: Decimal
    equity: Decimal
    at: int


class VenueStop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A stop that the venue holds, so that it works while we are down."""

    id: str  # our clientOid
    venue_id: str
    symbol: Symbol
    trigger: Decimal


class VenueFunding(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A funding payment. Paid is positive."""

    bill: str  # venue's id
    symbol: Symbol
    amount: Decimal
    at: int


class StreamBroken(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The private stream was cut or is back: what was pushed meanwhile has to be asked for."""

    back: bool
    reason: str


Reply = Accepted | Refused | Unknown
Push = VenueFill | VenueOrder | VenueFunding | StreamBroken


class BrokerError(Exception):
    """A question could not be answered: one line. Orders never raise it, they are Unknown."""


class AccountError(BrokerError):
    """The account can't be traded with as it is: keys, rights, modes. People have to look."""


class AccountAwaited(BrokerError):  # noqa: N818 - says what happened
    """The account is still being made, by a simulator that starts. Nobody has to look."""


class Broker(Protocol):
    """One account at one venue."""

    async def open(self) -> None:
        """Checks keys, rights, account generation and modes; AccountError says what is wrong."""

    async def close(self) -> None: ...

    async def place(self, request: OrderRequested) -> Reply:
        """Sends the request once, signed with its `sent_ms`; never signs it anew."""

    async def cancel(self, symbol: Symbol, order: str) -> Reply: ...

    async def find_by_client_oid(self, symbol: Symbol, order: str) -> VenueOrder | None:
        """The order, wherever it is: open, in history, in fills. None: the venue has none."""

    async def fills(self, symbol: Symbol, order: str) -> list[VenueFill]:
        """The fills of one order, oldest first."""

    async def fills_since(self, since_ms: int) -> list[VenueFill]:
        """All fills of the account, oldest first."""

    async def fundings_since(self, since_ms: int) -> list[VenueFunding]: ...

    async def open_orders(self) -> list[VenueOrder]: ...

    async def positions(self) -> list[VenuePosition]: ...

    async def balance(self) -> VenueBalance: ...

    async def quote(self, symbol: Symbol, *, buys: bool, size: Decimal) -> Quote: ...

    async def set_leverage(self, symbol: Symbol, leverage: int) -> None: ...

    async def place_stop(
        self, symbol: Symbol, side: Direction, trigger: Decimal, order: str
    ) -> VenueStop:
        """A stop for the whole position, at the venue."""

    async def cancel_stop(self, stop: VenueStop) -> None: ...

    async def stops(self) -> list[VenueStop]: ...

    def stream(self) -> AsyncIterator[Push]:
        """Fills and orders as they happen, until the broker is closed."""

    async def skew_ms(self) -> int:
        """Venue's wall clock less ours: what signatures are measured by."""
