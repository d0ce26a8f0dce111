"""Switches: trading, buying and selling on and off, engines paused, books resolved, restarts."""

from typing import Literal

from chandler.core.events import Symbol
from chandler.core.trading.events import Command
from services.notifier.talking.arguments import missing, name_among, needed, sort_out
from services.notifier.talking.confirming import Wanted
from services.notifier.talking.known import Person
from services.notifier.talking.reading import UnclearError, quoted

Switch = Literal["trading", "buying", "selling"]
STATES = {"on": True, "off": False}


def turn(person: Person, what: Switch, words: list[str]) -> Wanted:
    """`on|off [agent] [symbol]`, in any order."""
    said = [each for each in words if each.casefold() in STATES]
    if len(said) != 1:
        found = " and ".join(map(quoted, said)) or (quoted(words[0]) if words else "nothing")
        raise UnclearError(f"expected on or off, found {found}")
    rest = [each for each in words if each.casefold() not in STATES]
    return turned(person, what, STATES[said[0].casefold()], rest)


def turned(person: Person, what: Switch, on: bool, words: list[str]) -> Wanted:
    """`[agent] [symbol]` of a switch. Where no agent is named it is asked back: it is for all."""
    words = [each for each in words if each.casefold() != what]  # "stop trading"
    found = sort_out(person, words, "agent", "symbol")
    symbol, aim = found.get("symbol", ""), person.aim(found.get("agent", ""))
    begins = ("Start" if on else "Stop") if what == "trading" else "Turn"
    ends = "" if what == "trading" else f" {'on' if on else 'off'}"
    where = f" of {symbol}" if symbol else ""
    return Wanted(
        Command(id="", who="", what=what, on=on, agent=aim.agent, symbol=Symbol(symbol), at=0),
        aim.agents,
        f"{begins} {what}{where}{ends}, {aim.words}",
        costly=aim.many,
    )


def follow(person: Person, what: Literal["pause", "resume"], words: list[str]) -> Wanted:
    """`ENGINE [agent]`, in this order: an agent may be called as an engine is."""
    engines = person.talking.engines
    if not words:
        raise missing("engine", known=engines)
    engine = name_among(engines, words[0])
    if engine is None:
        raise missing("engine", words[0], engines)
    aim = person.aim(sort_out(person, words[1:], "agent").get("agent", ""))
    return Wanted(
        Command(id="", who="", what=what, agent=aim.agent, source=engine, at=0),
        aim.agents,
        f"{what.capitalize()} engine {engine}, {aim.words}",
        costly=False,
    )


def resolve(person: Person, words: list[str]) -> Wanted:
    """`AGENT`: one at a time, by name."""
    agent = needed(sort_out(person, words, "agent"), "agent")
    if not agent:
        raise UnclearError("expected one agent by name, found 'all'")
    aim = person.aim(agent)
    return Wanted(
        Command(id="", who="", what="resolve", agent=agent, at=0),
        aim.agents,
        f"Take the venue's books as right, {aim.words}",
        costly=False,
    )


def restart(person: Person, words: list[str]) -> Wanted:
    """`SERVICE`."""
    service = needed(sort_out(person, words, "service"), "service")
    return Wanted(
        Command(id="", who="", what="restart", service=service, at=0),
        [],
        f"Restart {service}",
        costly=False,
    )
