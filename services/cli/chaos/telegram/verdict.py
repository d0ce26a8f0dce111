"""What people got, against what the topics say they had to get. Pure.

Who has to get what is asked of the notifier's own fold, over the records as they stand in the
topics, with a Telegram that never fails.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from chandler.core.events import DeadLetter, Event, InfraEvent
from chandler.core.hashing import digest
from chandler.core.notices import outbox
from chandler.core.notices.gathering import Pace
from chandler.core.notices.inputs import Came, Confirmed, Output, Send
from chandler.core.notices.kinds import KINDS
from chandler.core.notices.routing import VIA, User
from chandler.core.notices.text import REPEAT
from chandler.core.trading.events import Answer, Command, OrderFilled, PositionClosed, PumpState
from chandler.streams.reader import Record
from services.cli.chaos.telegram.causes import TOKEN, Ask

FAULTS_MAX = 20  # lines
NEVER = Pace(flood=1_000_000)  # nothing is gathered
GATHERED = re.compile(r"(?:Warning: |ALARM: )?\d+ notices within a short time: (.*)")
COUNTED = re.compile(r"(\d+) × ([^,]+)")

SECOND = 1.0  # the messages' dates are whole ones


class Told(NamedTuple):
    """A message of the bot as it is read."""

    text: str
    at_s: float  # since 1970, whole seconds


Chats = Mapping[str, Sequence[Told]]  # by user, in order


class Doubt(NamedTuple):
    """When nobody could know whether a message had arrived. Seconds since 1970."""

    kills: Sequence[float]
    spells: Sequence[tuple[float, float]]  # in which replies were lost, or connections cut
    lost_replies: int
    cuts: int  # times at which the port was closed
    chats: int  # of each one message may be on its way at a kill, or at a cut

    @property
    def most(self) -> int:
        """How many messages may have come twice."""
        return self.chats * (len(self.kills) + self.cuts) + self.lost_replies

    def explains(self, first: Told, again: Told) -> bool:
        """Whether something stood between a message and its repeat."""
        return any(first.at_s <= at <= again.at_s + SECOND for at in self.kills) or any(
            begin <= again.at_s + SECOND and end >= first.at_s for begin, end in self.spells
        )


class Verdict(NamedTuple):
    """What a run came to."""

    notices: int  # that somebody had to get
    messages: int  # that came
    asks: int
    commands: int
    lost: int  # of a notice or an answer, in each chat
    replayed_commands: int
    repeated: int
    unmarked: int  # repeats without the mark
    order: int
    gathered: int  # that were told in digests
    faults: list[str]

    @property
    def well(self) -> bool:
        return self.notices > 0 and self.commands > 0 and not self.faults


def reckon(
    users: Mapping[str, User],
    records: Sequence[Record],
    chats: Chats,
    asks: Sequence[Ask],
    doubt: Doubt,
) -> Verdict:
    """Compares. `records`: of all topics that the notifier reads, in the order of each lane."""
    wanted = expected(users, records)
    for ask in asks:
        wanted[ask.user][ask.token] = "reply"
    faults: list[str] = []
    lost = gathered = repeated = unmarked = order = messages = 0
    lanes = _lanes(records, asks)
    for user, tokens in wanted.items():
        bodies = [_body(each.text) for each in chats.get(user, ())]
        messages += len(bodies)
        singly, counted = _told(bodies)
        missing = Counter(kind for token, kind in tokens.items() if token not in singly)
        left = missing - counted
        lost += left.total()
        gathered += (missing & counted).total()
        faults += [f"{user}: {count} × {kind} never came" for kind, count in left.items()]
        twice = _twice(chats.get(user, ()))
        repeated += len(twice)
        bare = [again.text for _, again in twice if again.text == _body(again.text)]
        unmarked += len(bare)
        faults += [f"{user}: again without its mark: {text[:80]!r}" for text in bare]
        faults += [
            f"{user}: again without a cause: {again.text[:80]!r}"
            for first, again in twice
            if not doubt.explains(first, again)
        ]
        wrong = _out_of_order(bodies, lanes)
        order += len(wrong)
        faults += [f"{user}: {later} came before {earlier}" for earlier, later in wrong]
    commands = [each.event for each in records if isinstance(each.event, Command)]
    replayed = _replayed(commands, asks)
    faults += replayed
    if repeated > doubt.most:
        faults.append(f"{repeated} messages came twice: expected at most {doubt.most}")
    told = {token for tokens in wanted.values() for token in tokens if token.startswith("N")}
    return Verdict(
        notices=len(told),
        messages=messages,
        asks=len(asks),
        commands=len(commands),
        lost=lost,
        replayed_commands=len(replayed),
        repeated=repeated,
        unmarked=unmarked,
        order=order,
        gathered=gathered,
        faults=faults,
    )


def expected(users: Mapping[str, User], records: Iterable[Record]) -> dict[str, dict[str, str]]:
    """user → token → kind, of every event that has a token."""
    notifying = outbox.Notifying(users=users, pace=NEVER)
    found: dict[str, dict[str, str]] = {name: {} for name in users}
    state = outbox.State()
    # Who asked is known before what became of it, wherever the two stand.
    for record in sorted(records, key=lambda each: not isinstance(each.event, Command)):
        event = record.event
        if event is None:
            continue
        came = Came(
            event=event, now=0, topic=record.topic, partition=record.partition, offset=record.offset
        )
        state, outputs = outbox.step(notifying, state, came)
        state = _drained(notifying, state, outputs, found, _kind(event))
    return found


def _drained(
    notifying: outbox.Notifying,
    state: outbox.State,
    outputs: Sequence[Output],
    found: dict[str, dict[str, str]],
    kind: str,
) -> outbox.State:
    """Everything that is handed out arrives."""
    left = list(outputs)
    while left:
        output = left.pop()
        assert isinstance(output, Send)
        found[output.user] |= dict.fromkeys(TOKEN.findall(output.html), kind)
        state, more = outbox.step(
            notifying, state, Confirmed(user=output.user, id=output.id, now=0)
        )
        left += more
    return state


def _kind(event: Event) -> str:
    """As a digest counts it."""
    match event:
        case OrderFilled():
            return KINDS["entry"].words
        case PositionClosed():
            return KINDS["exit"].words
        case InfraEvent():
            return KINDS["infra"].words
        case PumpState():
            return KINDS["pump"].words
        case DeadLetter():
            return KINDS["dead_letters"].words
        case Answer():
            return KINDS["answer"].words
    return KINDS["desk"].words


def _lanes(records: Sequence[Record], asks: Sequence[Ask]) -> list[list[str]]:
    """Tokens whose order has to be kept, in their order."""
    found: dict[str, list[str]] = {}
    for record in records:
        if record.event is not None and record.topic != "commands":
            lane = found.setdefault(f"{record.topic}:{record.partition}", [])
            lane += TOKEN.findall(repr(record.event))[:1]
    for ask in asks:
        found.setdefault(f"asked by {ask.user}", []).append(ask.token)
    return list(found.values())


def _body(text: str) -> str:
    return text.removeprefix(f"{REPEAT}\n")


def _told(bodies: Iterable[str]) -> tuple[set[str], Counter[str]]:
    """Tokens that were told singly, and what digests count by kind."""
    singly: set[str] = set()
    counted: Counter[str] = Counter()
    for body in dict.fromkeys(bodies):  # a digest that came twice counts once
        found = GATHERED.match(body)
        if found is None:
            singly |= set(TOKEN.findall(body))
            continue
        for count, kind in COUNTED.findall(found[1]):
            counted[kind.strip()] += int(count)
    return singly, counted


def _twice(messages: Sequence[Told]) -> list[tuple[Told, Told]]:
    """Each that came again, with the one before it."""
    seen: dict[str, Told] = {}
    found = []
    for message in messages:
        body = _body(message.text)
        if not TOKEN.search(body):
            continue  # what has no token may be said twice for a reason
        if body in seen:
            found.append((seen[body], message))
        seen[body] = message
    return found


def _out_of_order(bodies: Iterable[str], lanes: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Pairs (earlier, later) of one lane of which the later came first."""
    place: dict[str, int] = {}
    for body in bodies:
        for token in TOKEN.findall(body):
            place.setdefault(token, len(place))
    wrong = []
    for lane in lanes:
        came = [token for token in lane if token in place]
        wrong += [(a, b) for a, b in pairwise(came) if place[a] > place[b]]
    return wrong


def _replayed(commands: Sequence[Command], asks: Sequence[Ask]) -> list[str]:
    """Commands that are there twice, or that nobody wrote."""
    written = {digest("command", ask.user, str(ask.update)): ask for ask in asks}
    said = []
    for id_, count in Counter(each.id for each in commands).items():
        if count > 1:
            said.append(f"command {id_} is there {count} times")
    for command in commands:
        ask = written.get(command.id)
        if ask is None or command.who != VIA + ask.user or not command.symbol.startswith(ask.token):
            said.append(f"command {command.id} ({command.what} {command.symbol}): nobody wrote it")
    return said
