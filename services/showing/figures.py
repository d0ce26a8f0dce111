"""Amounts, prices and times of the ledger as text, for tables and pictures."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from chandler.core.trading.money import shown

CENT = Decimal("0.01")
WIDE = Context(prec=80)
AVERAGE = Context(prec=8)


def money(value: Decimal | None) -> str:
    """Two places, with thousands."""
    if value is None:
        return "-"
    return f"{value.quantize(CENT, rounding=ROUND_HALF_EVEN, context=WIDE):,}"


def price(value: Decimal | None) -> str:
    """Eight significant digits."""
    return "-" if value is None else shown(AVERAGE.create_decimal(value))


def lasting(ms: int | None) -> str:
    """3h 20m"""
    if ms is None:
        return "-"
    minutes, seconds = divmod(ms // 1_000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {seconds:02}s"
