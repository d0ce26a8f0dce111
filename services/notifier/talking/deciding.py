"""What somebody writes or taps, decided: `decide(talking, talks, asked, now) -> Decided`."""

from collections.abc import Callable
from typing import cast

from msgspec.structs import replace

from chandler.core.granularity import DAY_MS
from chandler.core.notices.text import Line
from services.notifier.talk import Asked, Decided, Query, Reply, Talks, Topic
from services.notifier.talking import dealing, menus, questions, quiet, strangers, switches
from services.notifier.talking.commands import ALIASES, COMMANDS, may
from services.notifier.talking.confirming import NO, YES, Moment, Wanted, answer, forget, take
from services.notifier.talking.known import Person, Talking, person_of
from services.notifier.talking.quiet import Wished
from services.notifier.talking.reading import WORDS_MAX, UnclearError, Written, quoted, read

# Telegram numbers updates anew after a week without one, and keeps them for a day: after so long
# a smaller number is no repetition.
RENUMBERED_MS = 6 * DAY_MS

Made = Query | Wanted | Wished | Reply
Reader = Callable[[Person, list[str], int], Made]


def decide(talking: Talking, talks: Talks, asked: Asked, now: int) -> Decided:
    """What comes of it. `now`: wall time, ms. Whatever comes in, nothing raises.

    An update that was taken already changes nothing and gives nothing.
    """
    anew = talks.at > 0 and now - talks.at >= RENUMBERED_MS
    if asked.update <= talks.update and not anew:
        return Decided(talks=talks)
    talks = replace(talks, update=asked.update, at=now)
    person = person_of(talking, asked.user_id)
    if person is None:
        return strangers.refused(talks, asked, now)
    moment = Moment(
        update=asked.update,
        private=asked.private,
        tapped=bool(asked.tap or asked.data),
        at=asked.at,
        now=now,
        message=asked.message if asked.private and not (asked.tap or asked.data) else 0,
    )
    if not moment.tapped:
        return replace(_line(talks, person, asked.text, moment), tapped="")
    if asked.data.startswith((YES, NO)):
        return answer(talks, person, asked.data, moment)
    return _line(talks, person, asked.data, moment)


def _line(talks: Talks, person: Person, text: str, moment: Moment) -> Decided:
    """After a line, written or of a button."""
    written = read(text)
    if written is not None:
        written = written._replace(name=ALIASES.get(written.name, written.name))
    if not (moment.private or moment.tapped or _for_us(written, person.talking.bot)):
        return Decided(talks=talks)
    if not text.strip():
        return _said(talks, person, Reply(lines=[Line("I read text only: /help")]))
    if written is None or written.name not in COMMANDS:
        return _said(talks, person, menus.unknown(person, text))
    name, words = written.name, written.words
    if not may(person.user.role, COMMANDS[name].role):
        return _said(talks, person, _needs(person, name))
    if name == "cancel":
        return forget(talks, person)
    try:
        if len(words) > WORDS_MAX:
            raise UnclearError(f"found {len(words)} words, {quoted(' '.join(words[:9]))}: too many")
        made = _READERS[name](person, words, moment.now)
    except UnclearError as unclear:
        reply = menus.unclear(person, name, str(unclear), bare=not words)
        return _said(talks, person, reply)
    if isinstance(made, Wanted):
        return take(talks, person, made, moment)
    if isinstance(made, Query):
        return Decided(talks=talks, user=person.name, query=made)
    if isinstance(made, Wished):
        return Decided(talks=talks, user=person.name, wish=made.wish, reply=made.reply)
    return Decided(talks=talks, user=person.name, reply=made)


def _for_us(written: Written | None, bot: str) -> bool:
    """Whether a line in a group is a command, and not for another bot. `bot` "": not known."""
    if written is None or not written.slash:
        return False
    return not (bot and written.bot) or written.bot == bot.casefold()


def _said(talks: Talks, person: Person, reply: Reply) -> Decided:
    """Something that can't be taken."""
    return Decided(talks=talks, user=person.name, reply=reply, tapped="Nothing was done")


def _needs(person: Person, name: str) -> Reply:
    role = COMMANDS[name].role
    who = "an owner" if role == "owner" else "an operator or an owner"
    return Reply(lines=[Line(f"/{name} needs {who}: you are {person.user.role}. Ask an owner.")])


def _question(topic: str) -> Reader:
    return lambda person, words, now: questions.ask(person, cast(Topic, topic), words)


_READERS: dict[str, Reader] = {
    "start": lambda person, words, now: menus.start(person),
    "help": lambda person, words, now: menus.help_on(person, words),
    "stats": _question("statistics"),
    "chart": _question("candles"),
    **{name: _question(name) for name in questions.TAKES if name in COMMANDS},
    "mute": quiet.mute,
    "notices": quiet.notices,
    "go": lambda person, words, now: switches.turned(person, "trading", True, words),
    "stop": lambda person, words, now: switches.turned(person, "trading", False, words),
    "trading": lambda person, words, now: switches.turn(person, "trading", words),
    "buying": lambda person, words, now: switches.turn(person, "buying", words),
    "selling": lambda person, words, now: switches.turn(person, "selling", words),
    "pause": lambda person, words, now: switches.follow(person, "pause", words),
    "resume": lambda person, words, now: switches.follow(person, "resume", words),
    "close": lambda person, words, now: dealing.close(person, words),
    "closeall": lambda person, words, now: dealing.close_all(person, words),
    "resolve": lambda person, words, now: switches.resolve(person, words),
    "restart": lambda person, words, now: switches.restart(person, words),
    "buy": lambda person, words, now: dealing.force(person, "long", words),
    "sell": lambda person, words, now: dealing.force(person, "short", words),
    "limit": lambda person, words, now: dealing.limit(person, words),
}
