"""What costs money or closes: forced entries, closing, limits. All of it is asked back."""

from decimal import Decimal

from chandler.core.events import Symbol
from chandler.core.trading.events import Command, Direction
from chandler.core.trading.limits import Limit
from chandler.core.trading.money import shown
from services.notifier.talking.arguments import (
    missing,
    name_among,
    needed,
    quote_coin,
    sort_out,
)
from services.notifier.talking.confirming import Wanted
from services.notifier.talking.known import Aim, Person
from services.notifier.talking.reading import UnclearError, amount, like_a_number, number, quoted

DEFAULT = "default"  # a limit's value: as the profile says


def force(person: Person, side: Direction, words: list[str]) -> Wanted:
    """`SYMBOL [notional] [agent]`: buying opens a long, selling a short."""
    found = sort_out(person, words, "agent", "symbol", "amount")
    symbol = needed(found, "symbol")
    notional = amount(found["amount"], "the notional") if "amount" in found else None
    aim = person.aim(found.get("agent", ""))
    verb = "Buy (open long)" if side == "long" else "Sell (open short)"
    return Wanted(
        Command(
            id="",
            who="",
            what="force",
            agent=aim.agent,
            symbol=Symbol(symbol),
            side=side,
            notional=notional,
            at=0,
        ),
        aim.agents,
        f"{verb} {symbol} {_size(notional, symbol, aim)}, {aim.words}",
        costly=True,
    )


def close(person: Person, words: list[str]) -> Wanted:
    """`SYMBOL [agent]`, or an agent alone."""
    found = sort_out(person, words, "agent", "symbol")
    symbol, agent = found.get("symbol", ""), found.get("agent", "")
    if not symbol and not agent:
        raise UnclearError("expected a symbol or an agent, found none; /closeall closes everything")
    aim = person.aim(agent)
    return Wanted(
        Command(id="", who="", what="close", agent=aim.agent, symbol=Symbol(symbol), at=0),
        aim.agents,
        f"Close {symbol or 'all positions'}, {aim.words}",
        costly=True,
    )


def close_all(person: Person, words: list[str]) -> Wanted:
    """`[agent]`."""
    aim = person.aim(sort_out(person, words, "agent").get("agent", ""))
    return Wanted(
        Command(id="", who="", what="close_all", agent=aim.agent, at=0),
        aim.agents,
        f"Close all positions, {aim.words}",
        costly=True,
    )


def limit(person: Person, words: list[str]) -> Wanted:
    """`AGENT NAME VALUE`, in any order; the value may be `default`."""
    limits = person.talking.limits
    agent, name, said = "", "", list[str]()
    for word in words:
        if not agent and (found := name_among(person.agents, word)) is not None:
            agent = found
        elif not name and (found := name_among(tuple(limits), word)) is not None:
            name = found
        else:
            said.append(word)
    guess = next((each for each in said if not like_a_number(each)), "")
    if not agent:
        raise missing("agent", guess, person.agents)
    if not name:
        raise missing("limit", guess, tuple(limits))
    if len(said) != 1:
        there = quoted(" ".join(said)) if said else "none"
        raise UnclearError(f"expected one value for {name}, found {there}: {_bounds(limits[name])}")
    value = None if said[0].casefold() == DEFAULT else _value(said[0], name, limits[name])
    aim = person.aim(agent)
    to = "back to the profile's" if value is None else f"to {shown(value)}"
    return Wanted(
        Command(id="", who="", what="limit", agent=agent, limit=name, value=value, at=0),
        aim.agents,
        f"Set {name} ({limits[name].words}) {to}, {aim.words}",
        costly=True,
    )


def _value(word: str, name: str, limit: Limit) -> Decimal:
    """A limit's value. UnclearError where it is no number, or none that the limit can have."""
    try:
        value = number(word, name)
    except UnclearError:
        raise UnclearError(f"{name} is {quoted(word)}: expected {_bounds(limit)}") from None
    if not limit.least <= value <= limit.most or (limit.whole and value != int(value)):
        raise UnclearError(f"{name} is {quoted(word)}: expected {_bounds(limit)}")
    return value


def _bounds(limit: Limit) -> str:
    what = "a whole number" if limit.whole else "a number"
    return f"{what} from {shown(limit.least)} to {shown(limit.most)}, or {DEFAULT}"


def _size(notional: Decimal | None, symbol: str, aim: Aim) -> str:
    if notional is None:
        return "in the usual size"
    each = " each" if aim.many else ""
    return f"for {shown(notional)} {quote_coin(symbol)}{each}"
