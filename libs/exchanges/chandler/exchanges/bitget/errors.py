"""What can go wrong between us and the venue.

VenueError
├── MalformedFrame      a message that is no message of this protocol
├── RateLimited         429: we, or our neighbours behind the same IP, asked too much
├── VenueUnreachable    no answer, or one that makes no sense (empty, HTML, truncated, 5xx)
└── VenueRefused        the venue understood and said no, with its code
    ├── UnknownSymbol   40034
    └── Delisted        40309
"""
# ruff: noqa: N818  the names say what happened; each of them is an error

OK = "00000"
CODE_UNKNOWN_SYMBOL = "40034"
CODE_DELISTED = "40309"
CODE_RATE_LIMITED = "429"
# Release windows (bitget-api §6.5): worth asking again when the request only reads.
CODES_PASSING = frozenset({"40010", "40015", "40200", "40725", "40808", "45001"})


class VenueError(Exception):
    """Anything that the venue, or the way to it, does to us. The text is one line for people."""


class MalformedFrame(VenueError):
    """A message that can't be read: never another exception, whatever the bytes."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RateLimited(VenueError):
    """The venue wants fewer requests; the budget has already slowed down when this is raised."""


class VenueUnreachable(VenueError):
    """No usable answer. Nothing is known about the request, so reads may be repeated."""


class VenueRefused(VenueError):
    """The venue answered with an error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"venue refused: {message} (code {code})")
        self.code = code
        self.message = message


class UnknownSymbol(VenueRefused):
    """The venue has no such symbol."""


class Delisted(VenueRefused):
    """The venue had this symbol once."""


def refusal(code: str, message: str) -> VenueRefused:
    """The error for a venue code other than success and 429."""
    if code == CODE_UNKNOWN_SYMBOL:
        return UnknownSymbol(code, message)
    if code == CODE_DELISTED:
        return Delisted(code, message)
    return VenueRefused(code, message)
