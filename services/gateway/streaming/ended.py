"""Why a socket is closed: the code, and the line that its client is told before."""

from enum import IntEnum


class End(IntEnum):
    """Close codes; what a client does then is in docs/stream.md."""

    TOKEN = 4001
    FORBIDDEN = 4003
    SILENT = 4008
    SLOW = 4009
    TOO_MANY = 4029
    INVALID = 4400
    HELLO = 4408
    LATER = 1013  # the topics are not read yet

    @property
    def kind(self) -> str:
        """What programs look at."""
        return self.name.lower()


class EndedError(Exception):
    """A socket's end, and why."""

    def __init__(self, end: End, detail: str) -> None:
        super().__init__(detail)
        self.end = end
        self.detail = detail
