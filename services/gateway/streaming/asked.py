"""What a client may say, and what it wants to hear."""

import re
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from chandler.core.granularity import INTERVAL_MS, Granularity
from services.gateway.streaming.ended import End, EndedError

Topic = Literal[
    "positions",
    "prices",
    "orders",
    "signals",
    "pumps",
    "infra",
    "candles",
    "matrix",
    "answers",
    "notices",
]
TOPICS: frozenset[str] = frozenset(get_args(Topic))
ONLY_WHERE_ASKED = frozenset({"candles", "matrix"})
TEXT_MAX = 32 * 1024  # characters of a message
SYMBOLS_MAX = 500
CANDLED_MAX = 20  # symbols whose candles one client hears
LANES_MAX = 4_000
_PATH = re.compile(r"`(\$[^`]{0,60})`")

Text = Annotated[str, Meta(max_length=4_096)]
Name = Annotated[str, Meta(max_length=64)]
Names = Annotated[list[Name], Meta(max_length=SYMBOLS_MAX)]
Count = Annotated[int, Meta(ge=0, le=2**62)]
Offset = Annotated[int, Meta(ge=-1, le=2**62)]


class Last(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a client had come when it lost the connection."""

    stream: Name = ""
    seq: Count = 0
    # Of each lane, "orders:3", the newest offset that it knows; -1: there was none yet.
    places: Annotated[dict[Name, Offset], Meta(max_length=LANES_MAX)] = {}


class _Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    topics: Annotated[list[Topic], Meta(max_length=20)] | None = None
    symbols: Names = []
    granularities: Annotated[list[Name], Meta(max_length=20)] = []


class Hello(_Wanted, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hello"):
    """The first message."""

    token: Text = ""  # a session's
    key: Text = ""  # id.secret of an API key
    agent: Name = ""  # "": all that the caller sees
    last: Last | None = None


class Watch(_Wanted, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="watch"):
    """From now on this is wanted instead."""


class Renew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="token"):
    """The session goes on with a newer token."""

    token: Text


class Pong(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="pong"):
    """The answer to a ping."""


Asked = Hello | Watch | Renew | Pong
_DECODER: msgspec.json.Decoder[Asked] = msgspec.json.Decoder(Asked)


class Wants(NamedTuple):
    """What somebody wants to hear."""

    topics: frozenset[str] = TOPICS - ONLY_WHERE_ASKED
    symbols: frozenset[str] = frozenset()  # empty: all
    granularities: frozenset[str] = frozenset()  # of candles; empty: those of the profile


def read(text: str) -> Asked:
    """A message; EndedError says what was expected. Nothing of it is quoted."""
    if len(text) > TEXT_MAX:
        raise EndedError(End.INVALID, f"expected at most {TEXT_MAX} characters in a message")
    try:
        return _DECODER.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        found = _PATH.search(str(error))
        where = f"{found[1]} can't be taken" if found else "it can't be read"
        raise EndedError(
            End.INVALID, f"{where}: expected a hello, watch, token or pong as in docs/stream.md"
        ) from None


def wants(asked: Hello | Watch) -> Wants:
    """EndedError where it is more than anybody gets."""
    topics = frozenset(asked.topics) if asked.topics is not None else Wants().topics
    granularities = frozenset(asked.granularities)
    if granularities - INTERVAL_MS.keys():
        known = " ".join(map(Granularity, INTERVAL_MS))
        raise EndedError(End.INVALID, f"$.granularities can't be taken: expected some of {known}")
    if "candles" in topics and not 0 < len(asked.symbols) <= CANDLED_MAX:
        raise EndedError(
            End.INVALID, f"candles are sent of 1 to {CANDLED_MAX} symbols: name them in symbols"
        )
    return Wants(topics, frozenset(asked.symbols), granularities)
