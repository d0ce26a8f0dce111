"""The notifier's fold: `step(notifying, state, input) -> (state, outputs)`.

Events come in, messages go out, one at a time for each chat, each once. Two things keep an event
from being told twice: the offsets up to which each partition was read, and a window of the last
IDS_MAX causes, for an event that a writer wrote twice. What was handed out and not confirmed when
the notifier died is handed out again, marked as a repeat.

Whoever runs it keeps the state before it sends what came out, and confirms afterwards.
"""

from collections.abc import Mapping, Sequence

import msgspec

from chandler.core.events import Event
from chandler.core.hashing import digest
from chandler.core.notices import digest as daily
from chandler.core.notices import gathering, telling
from chandler.core.notices import trades as trading
from chandler.core.notices.gathering import Gathering, Pace
from chandler.core.notices.inputs import (
    Button,
    Came,
    Confirmed,
    Input,
    Muted,
    Output,
    Passed,
    Rejected,
    Reply,
    Said,
    Send,
    Started,
    Switched,
    Undelivered,
    Unsent,
)
from chandler.core.notices.kinds import How, Kind, Notice
from chandler.core.notices.routing import User, gets, told_how
from chandler.core.notices.text import REPEAT_HTML, lines_of, parts
from chandler.core.trading.events import Command, PumpState

IDS_MAX = 1_000  # causes that are remembered
ASKED_MAX = 1_000  # commands whose asker is remembered for the answer
PROMPT_MS = 3_000  # wall time within which an answer quotes nothing: it stands under its question
QUEUE_MAX = 200  # messages of a chat that wait to be sent; beyond it, notices are counted
RETRY_MS = 1_000  # wall time after a first failure; it doubles
RETRY_MS_MAX = 60_000


class Notifying(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to tell, and how much at once."""

    users: Mapping[str, User]
    pace: Pace = Pace()
    alerts_only: bool = False  # the profile has no agents: signals are notices


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a notice or of an answer, ready to be sent."""

    id: str  # of the notice and the part
    html: str
    loud: bool  # makes a sound
    repeat: bool = False  # it was handed out before, and nobody knows what became of it
    buttons: list[list[Button]] = []
    picture: str = ""  # what is to be drawn and sent before it; "": nothing
    reply_to: int = 0  # the person's message that it answers; 0: none
    asked_ms: int = 0  # wall time at which that came


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is sent between these wall times."""

    since_ms: int
    until_ms: int


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """What one chat was told, and is to be."""

    switches: dict[Kind, How] = {}  # by the user, in the chat
    muted_until_ms: int = 0
    gathering: Gathering = Gathering()
    queue: list[Message] = []
    out: Message | None = None  # handed out and not confirmed
    pause: Pause | None = None
    failures: int = 0  # in a row
    arrived_ms: int = 0  # wall time at which a message last arrived


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that the notifier remembers; as JSON it is the same again."""

    offsets: dict[str, int] = {}  # topic:partition → of the next record
    ids: list[str] = []  # the last causes, oldest first
    asked: dict[str, str] = {}  # command → who
    messages: dict[str, int] = {}  # command → the message that asked for it
    crashes: list[str] = []  # symbols whose pump is a crash
    trades: trading.Trades = trading.Trades()
    days: daily.Days = daily.Days()
    chats: dict[str, Chat] = {}  # by user


After = tuple[State, list[Output]]


def step(notifying: Notifying, state: State, event: Input) -> After:
    """The state after an input, and what is to be done."""
    given_up: list[Output] = []
    match event:
        case Came():
            state = _came(notifying, state, event)
        case Passed():
            pass
        case Started():
            state = _started(notifying, state)
        case Confirmed() | Unsent() | Rejected():
            state, given_up = _replied(state, event)
        case Muted() | Switched():
            state = _wished(state, event)
        case Said():
            state = _answered(notifying, state, event)
    state = _due(notifying, state, event.now)
    state, sends = _handed_out(notifying, state, event.now)
    return state, [*given_up, *sends]


def next_ms(notifying: Notifying, state: State) -> int | None:
    """Wall time at which `Passed` is needed; None: nothing waits for time."""
    found: list[int] = []
    for name in notifying.users:
        chat = state.chats.get(name, Chat())
        waits = gathering.next_ms(chat.gathering, full=_full(chat))
        if waits is not None:
            found.append(waits)
        if chat.out is None and chat.queue and chat.pause is not None:
            found.append(chat.pause.until_ms)
    return min(found, default=None)


def _came(notifying: Notifying, state: State, came: Came) -> State:
    """After an event, where it was not taken before."""
    lane = f"{came.topic}:{came.partition}"
    place = f"{lane}:{came.offset}"
    if came.topic:
        if came.offset < state.offsets.get(lane, 0):
            return state
        state = _replace(state, offsets={**state.offsets, lane: came.offset + 1})
    event = came.event
    if isinstance(event, Command):
        asked = list({**state.asked, event.id: event.who}.items())[-ASKED_MAX:]
        messages = state.messages
        if came.message:
            messages = dict(list({**messages, event.id: came.message}.items())[-ASKED_MAX:])
        return _replace(state, asked=dict(asked), messages=messages)
    cause = telling.cause_of(event, place)
    if cause:
        if cause in state.ids:
            return state
        state = _replace(state, ids=[*state.ids[1 - IDS_MAX :], cause])
    try:
        taken, notices, ended = _taken(state, event, cause, came.now)
    except ArithmeticError:  # figures that nobody can reckon with: said, and the rest goes on
        taken, notices, ended = state, [telling.untold(event, cause or place, came.now)], []
    for notice in notices:
        notice = _replace(notice, reply_to=state.messages.get(notice.command, 0))
        taken = _told(notifying, taken, notice, came.now)
    for day in ended:
        for name, user in notifying.users.items():
            taken = _for_user(
                notifying, taken, name, daily.day_notice(day, name, user.sees), came.now
            )
    return taken


def _taken(
    state: State, event: Event, cause: str, now: int
) -> tuple[State, list[Notice], list[daily.Ended]]:
    """What is known after an event, what is to be told of it, and the days that it ended."""
    told_days, ended = daily.take(state.days, event)
    known, notices = trading.take(state.trades, event, cause, state.asked)
    who = state.asked.get(getattr(event, "command", ""), "")
    symbol = getattr(event, "symbol", "")
    crash = symbol in state.crashes
    notices += telling.told(event, cause, now, who=who, crash=crash)
    crashes = state.crashes
    if isinstance(event, PumpState):
        crashes = [each for each in crashes if each != symbol]
        if event.pump == "down":
            crashes = [*crashes, symbol]
    state = _replace(state, days=told_days, trades=known, crashes=crashes)
    return state, notices, ended


def _told(notifying: Notifying, state: State, notice: Notice, now: int) -> State:
    for name, user in notifying.users.items():
        if gets(name, user, notifying.users, notice):
            state = _for_user(notifying, state, name, notice, now)
    return state


def _for_user(notifying: Notifying, state: State, name: str, notice: Notice, now: int) -> State:
    chat = state.chats.get(name, Chat())
    user, alerts_only = notifying.users[name], notifying.alerts_only
    how = told_how(user, chat.switches, notice.kind, alerts_only=alerts_only)
    if how == "off":
        return state
    wish = gathering.Chat(notifying.pace, chat.muted_until_ms, _full(chat))
    kept, told = gathering.admit(chat.gathering, wish, notice, how, now)
    chat = _queued(_replace(chat, gathering=kept), name, told)
    return _with(state, name, chat)


def _due(notifying: Notifying, state: State, now: int) -> State:
    for name in notifying.users:
        chat = state.chats.get(name)
        if chat is None:
            continue
        wish = gathering.Chat(notifying.pace, chat.muted_until_ms, _full(chat))
        kept, told = gathering.due(chat.gathering, wish, now)
        if kept is not chat.gathering:
            state = _with(state, name, _queued(_replace(chat, gathering=kept), name, told))
    return state


def _queued(chat: Chat, name: str, notices: Sequence[Notice]) -> Chat:
    """With notices at the end of the queue, in parts."""
    made: list[Message] = []
    for notice in notices:
        for number, html in enumerate(parts(lines_of(notice))):
            id_ = digest("message", name, notice.id, str(number))
            reply_to = notice.reply_to if number == 0 else 0
            loud = notice.level == "alarm"
            made.append(Message(id=id_, html=html, loud=loud, reply_to=reply_to))
    return _replace(chat, queue=[*chat.queue, *made]) if made else chat


def _handed_out(notifying: Notifying, state: State, now: int) -> After:
    """The next message of each chat that waits for no reply and for no time."""
    made: list[Output] = []
    for name, user in notifying.users.items():
        chat = state.chats.get(name)
        if chat is None or chat.out is not None or not chat.queue:
            continue
        if chat.pause is not None and chat.pause.since_ms <= now < chat.pause.until_ms:
            continue
        message, *rest = chat.queue
        state = _with(state, name, _replace(chat, queue=rest, out=message, pause=None))
        made.append(
            Send(
                user=name,
                telegram_id=user.telegram_id,
                id=message.id,
                html=(REPEAT_HTML if message.repeat else "") + message.html,
                loud=message.loud,
                repeat=message.repeat,
                buttons=message.buttons,
                picture=message.picture,
                reply_to=message.reply_to if _is_apart(chat, message, now) else 0,
            )
        )
    return state, made


def _is_apart(chat: Chat, message: Message, now: int) -> bool:
    """Whether an answer may not stand right under what it answers."""
    return now - message.asked_ms > PROMPT_MS or chat.arrived_ms >= message.asked_ms


def _started(notifying: Notifying, state: State) -> State:
    """What is out will never be confirmed: again. Users that are gone are forgotten."""
    chats = {name: chat for name, chat in state.chats.items() if name in notifying.users}
    return _replace(state, chats={name: _back(chat, True) for name, chat in chats.items()})


def _back(chat: Chat, repeat: bool) -> Chat:
    """With what is out in front of the queue again."""
    if chat.out is None:
        return chat
    again = _replace(chat.out, repeat=chat.out.repeat or repeat)
    return _replace(chat, out=None, queue=[again, *chat.queue])


def _replied(state: State, reply: Reply) -> After:
    """After a reply; one to what isn't out changes nothing."""
    chat = state.chats.get(reply.user)
    message = chat.out if chat is not None else None
    if chat is None or message is None or message.id != reply.id:
        return state, []
    if isinstance(reply, Unsent):
        wait_ms = min(RETRY_MS << min(chat.failures, 16), RETRY_MS_MAX)
        pause = Pause(since_ms=reply.now, until_ms=reply.now + (reply.retry_after_ms or wait_ms))
        chat = _back(_replace(chat, pause=pause, failures=chat.failures + 1), reply.perhaps)
        return _with(state, reply.user, chat), []
    state = _with(state, reply.user, _replace(chat, out=None, failures=0))
    if isinstance(reply, Confirmed):
        arrived = _replace(state.chats[reply.user], arrived_ms=reply.now)
        return _with(state, reply.user, arrived), []
    gone = Undelivered(user=reply.user, id=message.id, html=message.html, reason=reply.reason)
    return state, [gone]


def _wished(state: State, wish: Muted | Switched) -> State:
    chat = state.chats.get(wish.user, Chat())
    if isinstance(wish, Switched):
        chat = _replace(chat, switches={**chat.switches, wish.kind: wish.how})
    else:
        kept = gathering.quiet_until(chat.gathering, wish.until_ms)
        chat = _replace(chat, muted_until_ms=wish.until_ms, gathering=kept)
    return _with(state, wish.user, chat)


def _answered(notifying: Notifying, state: State, said: Said) -> State:
    """With an answer at the end of the user's queue; one that is there already, or no user's, not.

    A queue that is full takes it, too: who asks has room made by asking less.
    """
    if said.user not in notifying.users or said.id in state.ids:
        return state
    state = _replace(state, ids=[*state.ids[1 - IDS_MAX :], said.id])
    chat = state.chats.get(said.user, Chat())
    pages = parts(said.lines)
    made = [
        Message(
            id=digest("said", said.user, said.id, str(number)),
            html=html,
            loud=False,
            buttons=said.buttons if number == len(pages) - 1 else [],
            picture=said.picture if number == 0 else "",
            reply_to=said.reply_to if number == 0 else 0,
            asked_ms=said.asked_ms,
        )
        for number, html in enumerate(pages)
    ]
    return _with(state, said.user, _replace(chat, queue=[*chat.queue, *made]))


def _full(chat: Chat) -> bool:
    return len(chat.queue) >= QUEUE_MAX


def _with(state: State, name: str, chat: Chat) -> State:
    return _replace(state, chats={**state.chats, name: chat})


_replace = msgspec.structs.replace
