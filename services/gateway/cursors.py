"""Where a page of a list ends, as a word that clients hand back unread."""

import base64
import binascii
from collections.abc import Sequence

import msgspec

from services.gateway.problems import Problem
from services.gateway.shapes.forms import NUMBER_MAX


def cursor_of(place: Sequence[int | str]) -> str:
    """A place in a list, as a cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(place))).rstrip(b"=").decode()


def place_of(cursor: str, kinds: Sequence[type]) -> tuple[int | str, ...]:
    """The place that a cursor names; () for none. Problem 400 where it is no cursor of this list.

    `kinds`: int or str, of the place's parts.
    """
    if not cursor:
        return ()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = msgspec.json.decode(raw, type=list[int | str])
    except (binascii.Error, ValueError):
        raise _unknown() from None
    fits = len(place) == len(kinds) and all(
        type(part) is kind and (kind is str or abs(int(part)) <= NUMBER_MAX)
        for part, kind in zip(place, kinds, strict=True)
    )
    if not fits or any("\0" in part for part in place if isinstance(part, str)):
        raise _unknown()
    return tuple(place)


def _unknown() -> Problem:
    return Problem(
        400, "cursor", "after is no cursor of this list: expected what an answer of it has in next"
    )
