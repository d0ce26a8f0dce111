"""What goes into the notifier's fold and what comes out of it. Times are wall times."""

import msgspec

from chandler.core.events import Event
from chandler.core.notices.kinds import How, Kind
from chandler.core.notices.text import Line


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """A button under a message; a tap on it comes back with `data`."""

    text: str
    data: str  # at most 64 bytes of UTF-8


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a topic. Without a topic it was made here, and has no offset."""

    event: Event
    now: int
    topic: str = ""
    partition: int = 0
    offset: int = 0
    message: int = 0  # of a command: the person's message that asked for it; 0: none


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """Time passed: at `next_ms`, or whenever."""

    now: int


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The notifier starts with a state that it kept."""

    now: int


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """A message arrived."""

    user: str
    id: str
    now: int


class Unsent(msgspec.Struct, frozen=True, kw_only=True):
    """A message could not be sent for now."""

    user: str
    id: str
    now: int
    retry_after_ms: int = 0  # as the other side says; 0: it said nothing
    perhaps: bool = False  # it may have arrived: no reply came


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A message will never be taken."""

    user: str
    id: str
    now: int
    reason: str


class Muted(msgspec.Struct, frozen=True, kw_only=True):
    """A user wants quiet until a wall time; one that has passed ends it."""

    user: str
    now: int
    until_ms: int


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """A user switches a kind."""

    user: str
    now: int
    kind: Kind
    how: How


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to what a user asked; in its place among the messages, whatever is muted."""

    user: str
    id: str  # derived from what was asked: the same one is queued once
    now: int
    lines: list[Line]
    buttons: list[list[Button]] = []  # under its last part
    picture: str = ""
    reply_to: int = 0  # the person's message that it answers; 0: none
    asked_ms: int = 0  # wall time at which that came; 0: others came after it


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """A message for a chat. One of a chat at a time: the next comes when it is confirmed."""

    user: str
    telegram_id: int
    id: str
    html: str
    loud: bool
    repeat: bool
    buttons: list[list[Button]] = []
    picture: str = ""
    reply_to: int = 0  # the message that it quotes; 0: none


class Undelivered(msgspec.Struct, frozen=True, kw_only=True):
    """A message was given up, with the reason: it is to be kept where people find it."""

    user: str
    id: str
    html: str
    reason: str


Reply = Confirmed | Unsent | Rejected
Input = Came | Passed | Started | Reply | Muted | Switched | Said
Output = Send | Undelivered
