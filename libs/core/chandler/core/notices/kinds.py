"""What a notice is: its kinds and levels, and whether a kind is told where nobody said otherwise.

Knows no event and no text: `telling` and `trades` make notices of events.
"""

from typing import Literal, NamedTuple

import msgspec

Kind = Literal[
    "entry",
    "add",
    "partial_exit",
    "exit",
    "liquidation",
    "funding",
    "refusal",
    "pump",
    "infra",
    "connection",
    "desk",
    "signal",
    "answer",
    "dead_letters",
    "digest",
]
Level = Literal["info", "warning", "alarm"]
How = Literal["on", "off", "gathered"]  # whether a kind is told: at once, never, once in a while

LEVELS: tuple[Level, ...] = ("info", "warning", "alarm")  # the gravest last
GRAVITY: tuple[Kind, ...] = (  # what is named first where many are told as one
    "liquidation",
    "infra",
    "connection",
    "dead_letters",
    "desk",
    "exit",
    "partial_exit",
    "entry",
    "add",
    "pump",
    "funding",
    "refusal",
    "signal",
    "answer",
    "digest",
)
SAID: dict[Level, str] = {"info": "", "warning": "Warning: ", "alarm": "ALARM: "}
RANKS = len(GRAVITY) + 1  # of one level; those of an alarm are below it


class About(NamedTuple):
    """What is known of a kind."""

    words: str  # how people read it
    told: How = "on"  # where nobody said otherwise
    staff: bool = False  # for operators and owners only
    at_once: int = 0  # of one group, before the rest is counted; 0: has no groups


KINDS: dict[Kind, About] = {
    "entry": About("entry"),
    "add": About("add"),
    "partial_exit": About("partial exit"),
    "exit": About("exit"),
    "liquidation": About("liquidation"),
    "funding": About("funding", told="off"),
    "refusal": About("refusal", told="off"),
    "pump": About("pump"),
    "infra": About("service", staff=True),
    "connection": About("connection", staff=True, at_once=2),  # lost and back
    "desk": About("notice of the desk"),
    "signal": About("signal", told="off"),  # on where the profile has no agents
    "answer": About("answer"),
    "dead_letters": About("dead letter", staff=True, at_once=1),
    "digest": About("daily digest"),
}


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What people are to be told, as plain words: nothing in it is escaped yet."""

    id: str  # derived from its cause
    kind: Kind
    level: Level = "info"
    at: int  # of the event; wall time where the event has none
    agent: str = ""  # empty: of no agent
    symbol: str = ""
    head: str  # one line that says it all
    lines: list[str] = []  # what else there is to it
    group: str = ""  # what comes again and again under one name is counted
    label: str = ""  # what is counted in the group: "lost", "back"
    patient: bool = False  # the group's first one is gathered, too: nobody has to act on it
    who: str = ""  # of an answer: who asked, "telegram:NAME"
    source: str = ""  # of a signal: the engine
    strength: float = 0.0  # of a signal
    close_ms: int = 0  # of a signal
    counts: dict[str, int] = {}  # kind → how many notices it stands for; {}: for itself
    command: str = ""  # that it tells the outcome of
    reply_to: int = 0  # the person's message that it answers; 0: none

    @property
    def urgent(self) -> bool:
        """Whether it waits for nothing: no mute, no gathering."""
        return self.level == "alarm" or self.kind == "answer"

    @property
    def stands_for(self) -> dict[str, int]:
        """Kind → how many notices are told by it."""
        return self.counts or {self.kind: 1}


def rank(notice: Notice) -> int:
    """Where a notice stands among others in a summary: the gravest have the smallest."""
    kind = min(map(_gravity, notice.stands_for), default=len(GRAVITY))
    return (len(LEVELS) - 1 - LEVELS.index(notice.level)) * RANKS + kind


def by_gravity(counts: dict[str, int]) -> dict[str, int]:
    """The counts of kinds, the gravest kind first."""
    return {kind: counts[kind] for kind in sorted(counts, key=_gravity)}


def _gravity(kind: str) -> int:
    return GRAVITY.index(kind) if kind in GRAVITY else len(GRAVITY)


def gravest(first: Level, second: Level) -> Level:
    """The graver one of two levels."""
    return max(first, second, key=LEVELS.index)


def default_of(kind: Kind, *, alerts_only: bool) -> How:
    """Whether a kind is told where nobody said otherwise. `alerts_only`: there are no agents."""
    return "on" if kind == "signal" and alerts_only else KINDS[kind].told
