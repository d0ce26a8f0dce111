"""Secrets that are shown once: links, keys, hooks; and signatures that are made with a key.

What is kept of one is the SHA-256 of its text, in hex. That is also what signatures are made with:
HMAC-SHA256 with the hash's hex text as the key.
"""

import hashlib
import hmac
import secrets

ID_BYTES, SECRET_BYTES = 6, 32
MAX = 200  # characters of what is brought


def new_id() -> str:
    """Names a key or a hook: no secret."""
    return secrets.token_hex(ID_BYTES)


def new_secret() -> str:
    """256 bits, of [A-Za-z0-9_-]."""
    return secrets.token_urlsafe(SECRET_BYTES)


def sealed(secret: str) -> str:
    """What is kept of it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def same(one: str, other: str) -> bool:
    """Compared in a time that says nothing."""
    return hmac.compare_digest(one.encode(), other.encode())


def signature(hash_: str, method: str, target: str, timestamp: str, body: bytes) -> str:
    """Of a request. `target`: its path, and ?QUERY where it has one."""
    text = "\n".join((method, target, timestamp, hashlib.sha256(body).hexdigest()))
    return hmac.new(hash_.encode(), text.encode(), hashlib.sha256).hexdigest()
