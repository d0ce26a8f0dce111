"""The bot's token: from the environment or a file that its owner alone reads, shown to nobody.

CHANDLER_TELEGRAM_TOKEN_FILE names a file, CHANDLER_TELEGRAM_TOKEN is the token itself; without
either it is telegram.token of the data directory, where `chandler setup` puts it.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from chandler.streams.settings import Installation
from services.layers import ConfigurationError
from services.profile import Profile
from services.telegram import STAND_IN_TOKEN

FILE_VARIABLE = "CHANDLER_TELEGRAM_TOKEN_FILE"
VARIABLE = "CHANDLER_TELEGRAM_TOKEN"
FILE_NAME = "telegram.token"
FILE_BYTES_MAX = 4096
EXPECTED = "expected DIGITS:LETTERS, as the bot's maker shows it"
_TOKEN = re.compile(r"[0-9]{5,20}:[A-Za-z0-9_-]{20,100}")


class TokenError(ConfigurationError):
    """A token is there and can't be used: one line, without the token."""


def token_of(installation: Installation, profile: Profile, environ: Mapping[str, str]) -> str:
    """The token that the notifier uses; "" where there is none.

    The stand-in takes its own well-known one and no other, so that a real one never gets there.
    TokenError: a file that can't be read, or others may read; a text that is no token.
    """
    if profile.telegram.stand_in:
        return STAND_IN_TOKEN
    if named := environ.get(FILE_VARIABLE, ""):
        # A platform's secret has the mode that the platform gives it.
        return token_in(Path(named), f"{FILE_VARIABLE}: ")
    if text := environ.get(VARIABLE, "").strip():
        return checked(text, VARIABLE)
    file = token_file(installation)
    return token_in(file, own=True) if file.exists() else ""


def token_file(installation: Installation) -> Path:
    """Where `setup` puts it."""
    return installation.data / FILE_NAME


def checked(text: str, source: str) -> str:
    """The token that `text` holds; TokenError names the source only."""
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise TokenError(f"{source} holds no token: {EXPECTED}, put it in again")
    return token


def token_in(file: Path, before: str = "", *, own: bool = False) -> str:
    """The token that a file holds. `own`: its owner alone may read it. TokenError."""
    try:
        with file.open("rb") as opened:
            if own:
                _check_mode(file, os.fstat(opened.fileno()))
            raw = opened.read(FILE_BYTES_MAX)
    except OSError as error:
        raise TokenError(
            f"{before}{file} can't be read ({error.strerror}): expected a file with the bot's "
            "token, name one"
        ) from None
    return checked(raw.decode("utf-8", "replace"), f"{before}{file}")


def _check_mode(file: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise TokenError(f"{file} is not a plain file: expected a file of mode 0600")
    if mode & 0o077:
        raise TokenError(f"{file} has mode {mode:04o}, others may read it: run chmod 600 {file}")
    if status.st_uid not in (os.geteuid(), 0):
        raise TokenError(f"{file} belongs to another user: expected it to be yours")
