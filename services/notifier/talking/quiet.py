"""What somebody is told: mutes, and the switches of the kinds of notices."""

from typing import NamedTuple, cast

from chandler.core.notices.inputs import Button, Muted, Switched
from chandler.core.notices.kinds import KINDS, How, Kind
from chandler.core.notices.routing import told_how
from chandler.core.notices.text import Line
from chandler.core.notices.words import lasting, moment
from services.notifier.talk import Reply
from services.notifier.talking.arguments import meant
from services.notifier.talking.known import Person
from services.notifier.talking.menus import button, rows
from services.notifier.talking.reading import UnclearError, quoted, span_ms

HOWS: tuple[How, ...] = ("on", "gathered", "off")  # a tap on one gives the next
SPANS = ("30m", "2h", "8h", "1d")
ACTIONS: dict[How, str] = {"on": "switch {} on", "gathered": "gather {}", "off": "switch {} off"}
MANY: dict[Kind, str] = {  # where it is not the kind's word and an s
    "entry": "entries",
    "funding": "funding",
    "infra": "service notices",
    "connection": "connection notices",
    "desk": "notices of the desk",
}


class Wished(NamedTuple):
    """What somebody wishes, and what is answered."""

    wish: Muted | Switched
    reply: Reply


def mute(person: Person, words: list[str], now: int) -> Wished | Reply:
    """`DURATION | off`; bare: buttons."""
    if not words:
        taps = [button(each, f"/mute {each}") for each in (*SPANS, "off")]
        return Reply(lines=[Line("Quiet for how long?", "bold")], buttons=rows(taps, 5))
    off = [each.casefold() for each in words] == ["off"]
    span = 0 if off else span_ms(words)
    wish = Muted(user=person.name, now=now, until_ms=now + span)
    if off:
        return Wished(wish, Reply(lines=[Line("You are told everything again.")]))
    until = f"Quiet for {lasting(span)}, until {moment(now + span)}."
    more = "Alarms and answers come all the same; the rest is counted and told after it."
    return Wished(wish, Reply(lines=[Line(until, "bold"), Line(more)]))


def notices(person: Person, words: list[str], now: int) -> Wished | Reply:
    """`[KIND on | off | gathered]`; bare: the switches as they are, with buttons."""
    if not words:
        return _page(person, "What you are told", {})
    kinds = _kinds(person)
    *name, last = words
    how = last.casefold()
    spelling = " ".join(name).casefold().replace("_", " ").replace("-", " ")
    known: dict[str, str] = {each.replace("_", " "): each for each in kinds}
    known |= {KINDS[each].words: each for each in kinds}
    if how not in HOWS:
        raise UnclearError(
            f"expected a kind, then on, off or gathered, found {quoted(' '.join(words))}"
        )
    if spelling not in known:
        guess = quoted(" ".join(name)) if name else "nothing"
        raise UnclearError(f"{guess} is no kind of notice{meant(spelling, known)}")
    kind = cast(Kind, known[spelling])
    wish = Switched(user=person.name, now=now, kind=kind, how=how)
    return Wished(wish, _page(person, f"Switched: {KINDS[kind].words} {how}", {kind: wish.how}))


def _page(person: Person, head: str, changed: dict[Kind, How]) -> Reply:
    """The switches; a tap on one gives the next of on, gathered, off."""
    switches = {**person.talking.switched.get(person.name, {}), **changed}
    lines, taps = [Line(head, "bold")], list[Button | None]()
    for kind in _kinds(person):
        how = told_how(person.user, switches, kind, alerts_only=not person.talking.agents)
        after = HOWS[(HOWS.index(how) + 1) % len(HOWS)]
        lines.append(Line(f"{KINDS[kind].words}: {how}"))
        label = ACTIONS[after].format(MANY.get(kind, f"{KINDS[kind].words}s"))
        taps.append(button(label, f"/notices {kind} {after}"))
    return Reply(lines=lines, buttons=rows(taps, 2))


def _kinds(person: Person) -> list[Kind]:
    """Those that the person may be told of at all."""
    return [kind for kind, about in KINDS.items() if person.staff or not about.staff]
