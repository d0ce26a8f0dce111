"""Commands on their way: asked back where they cost money or close, and made when confirmed.

A question is open for CONFIRM_MS of wall time, for who was asked, once. What a button asks for is
always asked back: a tap has no time of its own, so it may come long after it was made.
"""

from typing import NamedTuple

from msgspec.structs import replace

from chandler.core.hashing import canonical, digest
from chandler.core.notices.inputs import Button
from chandler.core.notices.routing import VIA
from chandler.core.notices.text import Line
from chandler.core.notices.words import lasting
from chandler.core.trading.events import Command
from services.notifier.talk import Decided, Pending, Reply, Talks
from services.notifier.talking.known import Person

CONFIRM_MS = 60_000  # wall time in which a question may be confirmed
EXPIRES_MS = 60_000  # wall time after which a command is refused by who carries it out
WRITTEN_MS_MAX = 60_000  # age of a message that may still ask for something
OPEN_MAX = 5  # questions of one person; beyond it the oldest is forgotten
YES, NO = "yes:", "no:"
OWNERS_ONLY = frozenset({"force", "limit"})
NOTHING = "Nothing was done: ask again."


class Wanted(NamedTuple):
    """What somebody asks for, not made yet."""

    command: Command  # id, who and expires_ms are empty
    agents: list[str]  # one command for each; empty: the command as it is
    words: str  # "Close BTCUSDT, agents: scalper"
    costly: bool  # is asked back, whoever asks


class Moment(NamedTuple):
    """When and where something is asked."""

    update: int
    private: bool
    tapped: bool
    at: int  # wall time at which it was written; counts where nothing was tapped
    now: int
    message: int = 0  # number of what was written in private; 0: a tap, or in a group


def take(talks: Talks, person: Person, wanted: Wanted, moment: Moment) -> Decided:
    """The commands, a question back, or why there is neither."""
    asks_back = wanted.costly or moment.tapped
    if asks_back and not moment.private:
        return _said(
            talks,
            person,
            f"Write to me directly: {wanted.words} is not taken in a group. {NOTHING}",
        )
    if not moment.tapped and moment.now - moment.at > WRITTEN_MS_MAX:
        age = f"{lasting(moment.now - moment.at)} ago" if moment.at > 0 else "nobody knows when"
        return _said(
            talks, person, f"{wanted.words}: written {age}, while nobody was here. {NOTHING}"
        )
    command = _of(person, moment.update, wanted.command)
    if asks_back:
        return _asked_back(talks, person, command, wanted, moment)
    commands = _each(command, wanted.agents, moment.now)
    return replace(_made(talks, person, wanted.words, commands), message=moment.message)


def answer(talks: Talks, person: Person, data: str, moment: Moment) -> Decided:
    """After a tap on Confirm or Cancel; one that nothing waits for does nothing.

    The buttons are taken away, unless the question is somebody else's and still open.
    """
    code = data.removeprefix(YES).removeprefix(NO)
    pending = talks.pending.get(code)
    if pending is None or pending.user != person.name:
        decided = _said(
            talks, person, f"This question is not open: answered, forgotten or too old. {NOTHING}"
        )
        return replace(decided, closes=pending is None)
    return replace(_answered(talks, person, data, code, moment), closes=True)


def _answered(talks: Talks, person: Person, data: str, code: str, moment: Moment) -> Decided:
    pending = talks.pending[code]
    rest = {each: one for each, one in talks.pending.items() if each != code}
    talks = replace(talks, pending=rest)
    if data.startswith(NO):
        return _said(talks, person, f"Cancelled: {pending.question}", "Cancelled")
    if not pending.until_ms - CONFIRM_MS <= moment.now < pending.until_ms:
        late = f"Too late, {CONFIRM_MS // 1000} s have passed: {pending.question} {NOTHING}"
        return _said(talks, person, late)
    if not moment.private:
        return _said(talks, person, f"Write to me directly, not in a group. {NOTHING}")
    if not _still_may(person, pending):
        return _said(talks, person, f"You may not ask for it any more. {NOTHING}")
    commands = _each(pending.command, pending.agents, moment.now)
    made = _made(talks, person, pending.question.removesuffix("?"), commands)
    return replace(made, message=pending.message)


def forget(talks: Talks, person: Person) -> Decided:
    """Without the person's open questions."""
    mine = [each for each in talks.pending.values() if each.user == person.name]
    rest = {code: one for code, one in talks.pending.items() if one.user != person.name}
    said = f"Forgotten: {len(mine)} questions, nothing was done." if mine else "Nothing waits."
    return _said(replace(talks, pending=rest), person, said, "Forgotten")


def _asked_back(
    talks: Talks, person: Person, command: Command, wanted: Wanted, moment: Moment
) -> Decided:
    pending = Pending(
        command=command,
        agents=wanted.agents,
        user=person.name,
        until_ms=moment.now + CONFIRM_MS,
        question=f"{wanted.words}?",
        message=moment.message,
    )
    content = canonical(command), *wanted.agents, pending.question
    code = digest("confirm", str(moment.update), person.name, *content)
    buttons = [[Button(text="Confirm", data=YES + code), Button(text="Cancel", data=NO + code)]]
    within = f"Confirm within {CONFIRM_MS // 1000} s."
    return Decided(
        talks=replace(talks, pending=_open(talks, person, code, pending)),
        user=person.name,
        reply=Reply(lines=[Line(pending.question, "bold"), Line(within)], buttons=buttons),
        tapped="Please confirm" if moment.tapped else "",
    )


def _open(talks: Talks, person: Person, code: str, pending: Pending) -> dict[str, Pending]:
    """All open questions with a new one; a person's oldest make room."""
    mine = [each for each, one in talks.pending.items() if one.user == person.name]
    gone = mine[: max(0, len(mine) - OPEN_MAX + 1)]
    known = person.talking.users
    kept = {
        each: one for each, one in talks.pending.items() if each not in gone and one.user in known
    }
    return {**kept, code: pending}


def _of(person: Person, update: int, command: Command) -> Command:
    return replace(command, id=digest("command", person.name, str(update)), who=VIA + person.name)


def _each(command: Command, agents: list[str], now: int) -> list[Command]:
    """The command, or one for each agent; their ids are those of the update that asked."""
    ready = replace(command, expires_ms=now + EXPIRES_MS)
    if not agents:
        return [ready]
    return [
        replace(ready, id=digest("command", command.id, agent), agent=agent) for agent in agents
    ]


def _still_may(person: Person, pending: Pending) -> bool:
    """Whether the profile still lets the person ask for it: it may have changed since."""
    command = pending.command
    if not person.staff or (command.what in OWNERS_ONLY and person.user.role != "owner"):
        return False
    named = [each for each in (command.agent, *pending.agents) if each]
    if not named:
        return command.what == "restart" or not person.restricted
    return all(person.user.sees(each) for each in named)


def _made(talks: Talks, person: Person, words: str, commands: list[Command]) -> Decided:
    lines = [Line(f"Asked for: {words}", "bold"), Line("What became of it follows.")]
    return Decided(
        talks=talks,
        user=person.name,
        reply=Reply(lines=lines),
        commands=commands,
        tapped="Asked for",
    )


def _said(talks: Talks, person: Person, text: str, tapped: str = "Nothing was done") -> Decided:
    return Decided(talks=talks, user=person.name, reply=Reply(lines=[Line(text)]), tapped=tapped)
