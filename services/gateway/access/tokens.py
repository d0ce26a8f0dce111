"""Sessions: short-lived JWTs (HS256) with a secret of the installation.

Roles and agents are not in them: what [users] says counts at once.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jwt

from chandler.streams.settings import Installation
from services.deploying.mounted import mounted
from services.gateway.access.store import FOLDER
from services.layers import ConfigurationError

TOKEN_MS = 15 * 60_000
SESSION_MS_MAX = 12 * 60 * 60_000  # then the password is asked for again
SECRET_FILE = "CHANDLER_GATEWAY_SECRET_FILE"  # noqa: S105 (names a mounted file)
FILE = "token.secret"
BYTES_MIN = 32
ISSUER, ALGORITHM = "chandler", "HS256"
CLAIMS = ["sub", "sid", "auth_ms", "exp", "iss"]


class Session(NamedTuple):
    """Somebody who gave a password."""

    user: str
    id: str
    began_ms: int
    expires_ms: int  # of this token


class Tokens:
    """Makes and reads the tokens of one installation."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, user: str, session: str, began_ms: int, now_ms: int) -> tuple[str, int]:
        """A token and when it ends."""
        expires_ms = min(now_ms + TOKEN_MS, began_ms + SESSION_MS_MAX)
        claims = {
            "sub": user,
            "sid": session,
            "auth_ms": began_ms,
            "exp": expires_ms / 1_000,
            "iss": ISSUER,
        }
        return jwt.encode(claims, self._secret, ALGORITHM), expires_ms

    def read(self, text: str) -> Session | None:
        """Whose it is, also where its time is over; None: it is none of ours."""
        try:
            claims = jwt.decode(
                text,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={"require": CLAIMS, "verify_exp": False},
            )
            return Session(
                user=str(claims["sub"]),
                id=str(claims["sid"]),
                began_ms=int(claims["auth_ms"]),
                expires_ms=round(float(claims["exp"]) * 1_000),
            )
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
            return None


def secret_of(installation: Installation, environ: Mapping[str, str]) -> bytes:
    """What tokens are signed with: of a mounted file, or made at the first start.

    ConfigurationError.
    """
    if text := mounted(SECRET_FILE, environ):
        return _checked(text.encode(), environ[SECRET_FILE])
    file = installation.data / FOLDER / FILE
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _write(file)
        if file.stat().st_mode & 0o077:
            raise ConfigurationError(f"{file} can be read by others: run chmod 600 {file}")
        return _checked(file.read_bytes(), str(file))
    except OSError as error:
        raise ConfigurationError(
            f"{file} can't be used ({error.strerror}): expected a place for the gateway's secret"
        ) from None


def _write(file: Path) -> None:
    """Whole or not at all, whoever else starts at the same moment."""
    made = file.with_suffix(f".{os.getpid()}")
    handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as opened:
        opened.write(secrets.token_hex(BYTES_MIN))
    try:
        os.link(made, file)
    except FileExistsError:
        pass  # the other one's counts
    finally:
        made.unlink()


def _checked(secret: bytes, source: str) -> bytes:
    if len(secret) < BYTES_MIN:
        raise ConfigurationError(
            f"{source} holds {len(secret)} bytes: expected {BYTES_MIN} or more, random ones"
        )
    return secret
