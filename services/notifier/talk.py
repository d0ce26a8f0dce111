"""What goes between the parts of the notifier: what a person asked, and what is answered.

channel → `Asked` → talking.decide → `Decided` → commands, queries, wishes → `Reply` → outbox.
"""

from typing import Literal

import msgspec

from chandler.core.notices.inputs import Button, Muted, Switched
from chandler.core.notices.text import Line
from chandler.core.trading.events import Command

Topic = Literal[
    "status",
    "agents",
    "positions",
    "balance",
    "statistics",
    "orders",
    "refusals",
    "why",
    "signals",
    "market",
    "candles",
    "logs",
    "crashes",
    "digest",
]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A message or a tap of somebody, as it came in. Nothing of it is trusted."""

    update: int  # Telegram's number: each is taken once
    user_id: int
    chat_id: int
    private: bool  # not a group
    name: str = ""  # as the person calls itself: any characters
    text: str = ""  # of a message; "" for one without text
    data: str = ""  # of a button
    tap: str = ""  # id of the tap, to be answered; "" for a message
    at: int = 0  # wall time at which it was written, ms; a tap's is that of its arrival
    message: int = 0  # number of the message, or of the one whose button was tapped; 0: not known
    followed: bool = False  # the same chat wrote more before this was taken


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A question that changes nothing."""

    topic: Topic
    user: str  # who asks, of [users]
    agents: list[str] = []  # whose figures may be shown; empty: all
    agent: str = ""  # asked for; "": all that may be shown
    symbol: str = ""
    engine: str = ""
    service: str = ""
    period: Literal["", "day", "week", "month", "all"] = ""
    by: Literal["", "agent", "engine", "symbol"] = ""
    order: str = ""  # id or its beginning, of why
    granularity: str = ""  # of candles
    count: int = 0  # of rows; 0: as many as are usual


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, not escaped yet."""

    lines: list[Line]
    buttons: list[list[Button]] = []
    picture: str = ""  # what is to be drawn beside it: see answering.pictures; "": nothing


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A command that waits for its confirmation."""

    command: Command  # its id is of the update that asked; expires_ms is put in when it is made
    agents: list[str] = []  # one command for each; empty: the command as it is
    user: str
    until_ms: int  # wall time
    question: str  # as the person was asked
    message: int = 0  # of the person, that asked for it; 0: a button did, or it came in a group


class Talks(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of talks; kept with the notifier's state, bounded."""

    update: int = 0  # greatest that was taken
    at: int = 0  # wall time at which it was taken
    pending: dict[str, Pending] = {}  # by one-time code
    strangers: dict[str, int] = {}  # user id → wall time at which the owners were told of it


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What an `Asked` comes to. All of it is kept or published in one transaction."""

    talks: Talks
    user: str = ""  # who gets the reply; "": a stranger, who gets `refusal` at most
    reply: Reply | None = None
    query: Query | None = None  # its answer is the reply
    commands: list[Command] = []  # `at` is 0: the venue's time is put in when they are published
    wish: Muted | Switched | None = None
    refusal: str = ""  # to a stranger, plain
    owners: str = ""  # the owners are told, plain: a stranger knocked
    tapped: str = ""  # short words for the tap
    closes: bool = False  # the question above the tapped button is over: its buttons go
    message: int = 0  # of the person: what the commands answer to; 0: none
