"""Content hashes and derived ids: the same cause always gives the same id."""

import base64
import hashlib


def digest(*parts: str | bytes) -> str:
    """26 characters of [a-z2-7] for the parts in order; unambiguous (each part is length-prefixed).

    130 bits of BLAKE2b; usable as a Bitget clientOid (at most 32 of [A-Za-z0-9]).
    """
    hasher = hashlib.blake2b(digest_size=17)
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        hasher.update(len(raw).to_bytes(4, "big"))
        hasher.update(raw)
    return base64.b32encode(hasher.digest()).decode().lower()[:26]
