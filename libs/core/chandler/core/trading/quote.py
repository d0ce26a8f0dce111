"""What an order would cost."""

from decimal import Decimal

import msgspec


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What an order of this size would cost now: the depth, or the matching model on paper."""

    price: Decimal  # average
    best: Decimal  # first level
    size: Decimal
