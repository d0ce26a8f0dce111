"""Answers: what a person or an option says, read and checked. Pure."""

import difflib
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import get_args

from chandler.core.notices.routing import Role
from services.layers import ConfigurationError

ROLES: tuple[Role, ...] = get_args(Role)
ALL = "all"
TOP_MAX = 2000
ID_MAX = 2**52  # Telegram's ids have no more bits
DIGITS_MAX = 20  # Python refuses to read very long numbers
KEY_CHARACTERS_MAX = 256
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SYMBOL = re.compile(r"[A-Z0-9]{4,40}")


class AnswerError(ConfigurationError):
    """An answer can't be used: one line that says what is expected."""


def one_of(known: Sequence[str]) -> Callable[[str], str]:
    """Reads one of the known words."""

    def read(text: str) -> str:
        if text in known:
            return text
        raise AnswerError(f"{text[:40]!r}: expected one of {', '.join(known)}{_near(text, known)}")

    return read


def some_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """Reads known words with commas between, in the order of `known`; "all" is all of them."""

    def read(text: str) -> list[str]:
        names = split(text)
        if names == [ALL]:
            return list(known)
        for name in names:
            if name not in known:
                near = _near(name, known)
                raise AnswerError(
                    f"{name[:40]!r}: expected {ALL}, or some of {', '.join(known)}{near}"
                )
        return [name for name in known if name in names]

    return read


def at_least_one(read: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """As `read`, but not none of them."""

    def read_some(text: str) -> list[str]:
        found = read(text)
        if not found:
            raise AnswerError("none is named: expected at least one")
        return found

    return read_some


def symbols(text: str) -> list[str] | int:
    """How many of the most traded, or their names: BTCUSDT,ETHUSDT."""
    if _is_number(text):
        if len(text) <= DIGITS_MAX and 1 <= int(text) <= TOP_MAX:
            return int(text)
        raise AnswerError(f"{text[:40]} symbols: expected 1 to {TOP_MAX}")
    names = list(dict.fromkeys(name.upper() for name in split(text)))
    for name in names:
        if not _SYMBOL.fullmatch(name):
            raise AnswerError(f"{name[:40]!r} is no symbol: expected names such as BTCUSDT")
    if not names:
        raise AnswerError("no symbol is named: expected a number, or names such as BTCUSDT")
    return names


def balance(text: str) -> Decimal | None:
    """Quote coin above 0; empty: as it is."""
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and 0 < amount <= 10**12):
        raise AnswerError(f"balance {text[:40]!r}: expected an amount above 0, such as 10000")
    return amount


def name(text: str) -> str:
    """Of a profile or of a user."""
    if _NAME.fullmatch(text):
        return text
    raise AnswerError(f"name {text[:40]!r}: expected up to 32 of a-z, 0-9, _ and -")


def telegram_id(text: str) -> int:
    """Of a person: a number, not the @name."""
    if _is_number(text) and len(text) <= DIGITS_MAX and 0 < int(text) <= ID_MAX:
        return int(text)
    raise AnswerError(
        f"id {text[:40]!r}: expected a person's number at Telegram, not a name or a group"
    )


def key_part(text: str) -> str:
    """A key, secret or passphrase by its shape; the message doesn't show it."""
    plain = text.isascii() and text.isprintable() and " " not in text
    if text and plain and len(text) <= KEY_CHARACTERS_MAX:
        return text
    raise AnswerError("expected letters, digits and signs without a space, as the venue shows it")


def split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _near(text: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(text, known, 1, 0.5)
    return f" (nearest: {found[0]})" if found else ""
