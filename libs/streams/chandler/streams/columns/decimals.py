"""Decimal strings as integers and back, byte for byte: a mantissa and a number of decimals.

Only strings that come back the same are taken: no leading zeros, no sign but a minus, no exponent,
at most DIGITS_MAX digits. The others are for the caller to keep. Knows nothing of Kafka.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

DIGITS_MAX = 18  # whatever has so many fits into 64 bits
_REGULAR = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
_POWERS = np.array([10**n for n in range(DIGITS_MAX + 1)], dtype=np.int64)


class Split(NamedTuple):
    """Strings as numbers, one row per string."""

    mantissa: NDArray[np.int64]  # 0 where regular is False
    decimals: NDArray[np.uint8]  # digits after the point; 0 where regular is False
    regular: NDArray[np.bool_]  # written(mantissa, decimals) is the string


def split(texts: Sequence[str]) -> Split:
    """Mantissas and decimals of `texts`."""
    given = pa.array(texts, pa.string())
    length = pc.binary_length(given).to_numpy().astype(np.int64)
    point = pc.find_substring(given, ".").to_numpy().astype(np.int64)  # -1: none
    minus = pc.starts_with(given, "-").to_numpy(zero_copy_only=False)
    regular = pc.match_substring_regex(given, _REGULAR).to_numpy(zero_copy_only=False)
    regular = regular & (length - minus - (point >= 0) <= DIGITS_MAX)
    digits = pc.replace_substring(pc.if_else(pa.array(regular), given, "0"), ".", "")
    mantissa = pc.cast(digits, pa.int64()).to_numpy().copy()
    regular &= ~(minus & (mantissa == 0))  # an integer has no negative zero
    decimals = np.where(regular & (point >= 0), length - point - 1, 0).astype(np.uint8)
    mantissa[~regular] = 0
    return Split(mantissa, decimals, regular)


def written(mantissa: int, decimals: int) -> str:
    """The string of a number: written(1230, 2) is "12.30"."""
    sign, digits = ("-" if mantissa < 0 else ""), str(abs(mantissa))
    if not decimals:
        return sign + digits
    digits = digits.zfill(decimals + 1)
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def scale_of(found: Sequence[Split]) -> int:
    """The number of decimals over which most of the numbers fit into DIGITS_MAX digits.

    The smallest of those: so that one odd string doesn't cost the others their place.
    """
    sides = DIGITS_MAX + 1
    counts = np.zeros(sides * sides, dtype=np.int64)
    for each in found:
        pairs = each.decimals.astype(np.int64) * sides + _digits(each)
        counts += np.bincount(pairs[each.regular], minlength=sides * sides)
    decimals, digits = np.divmod(np.arange(sides * sides), sides)
    fitting = [
        int(counts[(decimals <= scale) & (digits + scale - decimals <= DIGITS_MAX)].sum())
        for scale in range(DIGITS_MAX + 1)
    ]
    return fitting.index(max(fitting))


def scaled(found: Split, scale: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Mantissas over `scale` decimals, and which of them fit; 0 where they don't."""
    digits = _digits(found)
    more = scale - found.decimals.astype(np.int64)
    fits = found.regular & (more >= 0) & (digits + more <= DIGITS_MAX)
    return np.where(fits, found.mantissa * _POWERS[np.where(fits, more, 0)], 0), fits


def _digits(found: Split) -> NDArray[np.intp]:
    """How many digits each mantissa has; 0 for 0."""
    return np.searchsorted(_POWERS, np.abs(found.mantissa), side="right")
