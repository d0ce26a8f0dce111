"""What a live shard takes in that is on no topic: it stands in its journal alone.

Beside these the broker's own words are inputs: Accepted, Refused, Unknown, VenueFill, VenueOrder,
VenueFunding. `at` is the venue's time, ms; wall times say so.
"""

import msgspec

from chandler.core.events import FundingRate, Signal, Symbol, Ticker
from chandler.core.trading.broker import (
    Accepted,
    Refused,
    Unknown,
    VenueBalance,
    VenueFill,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueStop,
)
from chandler.core.trading.events import Command, ExitRequested, WindowClosed


class AccountOpened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Keys, rights and modes of a live account are as they have to be."""

    account: str
    detail: str = ""
    at: int


class AccountLost(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A live account can't be traded with: keys, rights, modes, or it doesn't answer."""

    account: str
    reason: str
    at: int


class Sent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The request was handed to the venue."""

    id: str
    at: int


class NotFound(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue, asked by clientOid, has no such order: not open, not in history, not in fills."""

    id: str
    asked_ms: int  # venue's wall clock when it was asked, at the earliest
    at: int


class StopPlaced(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue holds a stop for the position."""

    position: str
    stop: VenueStop
    at: int


class StopRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue would not hold the stop."""

    position: str
    symbol: Symbol
    reason: str
    at: int


class StopGone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A stop that the venue held is there no more: cancelled by us, or triggered."""

    id: str  # its clientOid
    symbol: Symbol
    at: int


class Reconciled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The account as the venue tells it, after all of its fills and funding were taken in."""

    account: str
    positions: list[VenuePosition]
    orders: list[VenueOrder]  # open ones
    balance: VenueBalance
    known_ms: int  # where the shard's clock stood when they were asked for
    at: int


VenueInput = (
    AccountOpened
    | AccountLost
    | Sent
    | Accepted
    | Refused
    | Unknown
    | VenueFill
    | VenueOrder
    | VenueFunding
    | NotFound
    | StopPlaced
    | StopRefused
    | StopGone
    | Reconciled
)
# All that `take` takes.
Input = Signal | ExitRequested | Command | Ticker | FundingRate | WindowClosed | VenueInput
