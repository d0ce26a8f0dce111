"""Content hashes and derived ids: the same cause always gives the same id."""

import hashlib
from itertools import product

import msgspec

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = ["".join(pair) for pair in product(_LETTERS, repeat=2)]  # of 10 bits
_SHIFTS = range(126, -1, -10)  # 136 bits: the last 6 are left out


def digest(*parts: str | bytes) -> str:
    """26 characters of [a-z2-7] for the parts in order; unambiguous (each part is length-prefixed).

    130 bits of BLAKE2b; usable as a Bitget clientOid (at most 32 of [A-Za-z0-9]).
    """
    hasher = hashlib.blake2b(digest_size=17)
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        hasher.update(len(raw).to_bytes(4, "big"))
        hasher.update(raw)
    bits = int.from_bytes(hasher.digest(), "big")
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def canonical(value: object) -> str:
    """The one JSON text of a configuration: keys sorted, no spaces."""
    return msgspec.json.encode(value, order="deterministic").decode()


def config_hash(value: object) -> str:
    """The hash under which a configuration's text is recorded in topic `configs`."""
    return digest(canonical(value))
