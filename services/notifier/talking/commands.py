"""Every command: what it is for, how it is written, and the role that it needs."""

from typing import NamedTuple

from chandler.core.notices.routing import Role
from services.notifier.talking.known import Person
from services.notifier.talking.reading import near, nearest

ALIASES = {"menu": "start"}  # other names of commands
SLIP, WORD = 0.6, 0.8  # how similar to a command's name what was meant for one is, and any word
ROLES: tuple[Role, ...] = ("viewer", "operator", "owner")  # each may do what those before it may


class About(NamedTuple):
    """What is known of a command."""

    words: str  # what it is for
    usage: str = ""  # its arguments: WORD is to be replaced, [WORD] may be left out
    example: str = ""  # of arguments; {agent}, {symbol} … are filled with names that exist
    role: Role = "viewer"


COMMANDS: dict[str, About] = {
    "start": About("menus to begin with"),
    "help": About("what can be asked", "[COMMAND]", "status"),
    "status": About("how everything stands"),
    "agents": About("agents and their switches", "[AGENT]", "{agent}"),
    "positions": About("open positions", "[AGENT | SYMBOL]", "{symbol}"),
    "balance": About("balances", "[AGENT]", "{agent}"),
    "stats": About(
        "trades and PnL",
        "[day | week | month | all] [by engine | symbol | agent] [AGENT]",
        "week by engine",
    ),
    "orders": About("last orders", "[AGENT] [SYMBOL] [COUNT]", "{symbol} 5"),
    "refusals": About("why there was no trade", "[AGENT | SYMBOL] [COUNT]", "{symbol}"),
    "why": About("how an order came about", "ORDER", "3kq7x2"),
    "signals": About("last signals", "[ENGINE] [SYMBOL] [COUNT]", "{symbol}"),
    "market": About("movers, breadth, leaders"),
    "chart": About("candles as a picture", "SYMBOL [GRANULARITY]", "{symbol} 1H"),
    "digest": About("the day's figures"),
    "mute": About("quiet for a time", "DURATION | off", "2h"),
    "notices": About("what you are told", "[KIND on | off | gathered]", "exit on"),
    "cancel": About("forgets questions that wait for a confirmation"),
    "go": About("starts trading", "[AGENT] [SYMBOL]", "{agent}", "operator"),
    "stop": About("stops trading", "[AGENT] [SYMBOL]", "{agent}", "operator"),
    "trading": About("trading on or off", "on | off [AGENT] [SYMBOL]", "off {agent}", "operator"),
    "buying": About("buying on or off", "on | off [AGENT] [SYMBOL]", "off {agent}", "operator"),
    "selling": About("selling on or off", "on | off [AGENT] [SYMBOL]", "off {agent}", "operator"),
    "pause": About("an engine is not followed", "ENGINE [AGENT]", "{engine} {agent}", "operator"),
    "resume": About("it is followed again", "ENGINE [AGENT]", "{engine} {agent}", "operator"),
    "close": About("closes positions", "SYMBOL [AGENT] | AGENT", "{symbol} {agent}", "operator"),
    "closeall": About("closes all positions", "[AGENT]", "{agent}", "operator"),
    "resolve": About("takes the venue's books as right", "AGENT", "{agent}", "operator"),
    "restart": About("restarts a service", "SERVICE", "{service}", "operator"),
    "logs": About("a service's last lines", "SERVICE [COUNT]", "{service} 50", "operator"),
    "crashes": About("last crashes", "[SERVICE]", "{service}", "operator"),
    "buy": About("opens a long", "SYMBOL [NOTIONAL] [AGENT]", "{symbol} 100 {agent}", "owner"),
    "sell": About("opens a short", "SYMBOL [NOTIONAL] [AGENT]", "{symbol} 100 {agent}", "owner"),
    "limit": About(
        "sets a limit of an agent", "AGENT NAME VALUE | default", "{agent} {limit}", "owner"
    ),
}


def commands_for(role: Role) -> list[tuple[str, str]]:
    """Name and description of each command that a role may use: what setMyCommands shows."""
    return [(name, _described(name)) for name, about in COMMANDS.items() if may(role, about.role)]


def may(role: Role, least: Role) -> bool:
    """Whether a role is enough."""
    return ROLES.index(role) >= ROLES.index(least)


def similar(role: Role, name: str, *, slash: bool = True) -> str:
    """How a message on an unknown command ends: with those that may have been meant.

    `slash`: it was written as a command; what wasn't has to be very near to one.
    """
    known = {each: f"/{each}" for each, _ in commands_for(role)}
    return near(nearest(name, known, SLIP if slash else WORD))


def example_of(person: Person, name: str) -> str:
    """A line that this person could write, with names that exist."""
    talking = person.talking
    words = COMMANDS[name].example.format(
        agent=next(iter(person.agents), "AGENT"),
        symbol="BTCUSDT" if "BTCUSDT" in talking.symbols else min(talking.symbols, default="BTC"),
        engine=next(iter(talking.engines), "ENGINE"),
        service=next(iter(talking.services), "SERVICE"),
        limit=_limit(person),
    )
    return f"/{name} {words}".strip()


def _limit(person: Person) -> str:
    """A limit and a value that do no harm where they are copied."""
    limits = person.talking.limits
    if "positions_max" in limits:
        return "positions_max 5"
    return f"{min(limits, default='NAME')} default"


def _described(name: str) -> str:
    about = COMMANDS[name]
    return f"{about.words}: {about.usage}" if about.usage else about.words
