"""Money, prices and sizes: Decimals made from the venue's strings, rounded where the venue rounds.

Sums and products are exact: they use a context of their own, wide enough for anything that
`amount` lets in, and a lost digit is an error there, never a silent rounding.
"""

import re
from collections.abc import Iterable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from functools import lru_cache

ZERO = Decimal(0)
ONE = Decimal(1)
PERCENT = Decimal("0.01")
PLACE = Decimal("0.00000001")  # fees, funding and removed costs are rounded to it
KNOWN_MAX = 8_192  # texts whose numbers are remembered: a price comes again and again
DIGITS_MAX = 18  # before and after the point of what a venue says

_TRAPS = [InvalidOperation, DivisionByZero, Overflow]
_EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN, traps=[*_TRAPS, Inexact])
_ROUNDED = Context(prec=120, rounding=ROUND_HALF_EVEN, traps=_TRAPS)
_FINEST = Decimal(1).scaleb(-DIGITS_MAX)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?", re.ASCII)


class AmountError(ValueError):
    """A text is no amount of money, no price, no size: one line says what was expected."""


@lru_cache(maxsize=KNOWN_MAX)
def amount(text: str, what: str = "amount") -> Decimal:
    """The number that a venue wrote; AmountError for NaN, infinities, rubbish and absurd sizes."""
    if len(text) > 4 * DIGITS_MAX or not _NUMBER.fullmatch(text):
        raise AmountError(f"{what} is {text[:40]!r}: expected a decimal number")
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent < -DIGITS_MAX or (value and value.adjusted() >= DIGITS_MAX):
        raise AmountError(f"{what} is {text[:40]!r}: expected at most {DIGITS_MAX} digits a side")
    return value


@lru_cache(maxsize=KNOWN_MAX)
def positive(text: str, what: str = "amount") -> Decimal:
    """The same, and more than nothing: prices, sizes, steps."""
    value = amount(text, what)
    if value <= 0:
        raise AmountError(f"{what} is {text[:40]!r}: expected more than 0")
    return value


@lru_cache(maxsize=KNOWN_MAX)
def from_float(value: float, what: str = "price") -> Decimal:
    """A float of a signal, once: its shortest digits, at most 18 after the point.

    AmountError where it is not finite or absurd.
    """
    if not abs(value) < 10**DIGITS_MAX:
        raise AmountError(f"{what} is {value}: expected a number below 1e{DIGITS_MAX}")
    digits = Decimal(repr(float(value)))
    return digits if is_multiple(digits, _FINEST) else _stepped(digits, _FINEST, ROUND_HALF_EVEN)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = ZERO
    for each in amounts:
        result = _EXACT.add(result, each)
    return result


def plus(*amounts: Decimal) -> Decimal:
    """The exact sum of a few."""
    result = ZERO
    for each in amounts:
        result = _EXACT.add(result, each)
    return result


def minus(first: Decimal, *others: Decimal) -> Decimal:
    """What is left of the first, exactly."""
    for each in others:
        first = _EXACT.subtract(first, each)
    return first


def times(first: Decimal, *factors: Decimal) -> Decimal:
    """The exact product: a notional is times(price, size)."""
    for each in factors:
        first = _EXACT.multiply(first, each)
    return first


def ratio(first: Decimal, second: Decimal) -> Decimal:
    """A quotient, rounded far beyond any venue's digits; round it where it becomes money."""
    return _ROUNDED.divide(first, second)


def places(value: Decimal) -> Decimal:
    """Rounded to 8 places, half even: fees, funding, removed costs, margins."""
    return value.quantize(PLACE, rounding=ROUND_HALF_EVEN, context=_ROUNDED)


def down_to_step(size: Decimal, step: Decimal) -> Decimal:
    """A size, rounded down (towards 0) to a multiple of the venue's step, as `step` writes it."""
    return _stepped(size, step, ROUND_DOWN)


def to_step(price: Decimal, step: Decimal) -> Decimal:
    """A price, rounded half even to the venue's step."""
    return _stepped(price, step, ROUND_HALF_EVEN)


def against(price: Decimal, step: Decimal, *, buys: bool) -> Decimal:
    """A price, rounded to the step against the order: buying up, selling down, but not to 0."""
    rounded = _stepped(price, step, ROUND_CEILING if buys else ROUND_FLOOR)
    return rounded if rounded > 0 else step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether a size or price lies on the venue's grid."""
    return _stepped(value, step, ROUND_DOWN) == value


def shown(value: Decimal) -> str:
    """For people: no exponent, no zeros that say nothing."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _stepped(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    if not (step.is_finite() and step > 0 and value.is_finite()):
        raise AmountError(f"{value} by steps of {step}: expected finite numbers and a step above 0")
    count = _ROUNDED.divide(value, step).to_integral_value(rounding=rounding)
    return _EXACT.multiply(count, step)
