"""Arguments in any order: which word is the agent, which the symbol. Spelling is forgiven."""

import re
from collections.abc import Callable
from typing import Literal

from chandler.core.granularity import INTERVAL_MS
from services.notifier.talking.known import Person, listed
from services.notifier.talking.reading import (
    UnclearError,
    like_a_number,
    near,
    nearest,
    quoted,
    spelled,
)

Sort = Literal[
    "agent",
    "symbol",
    "engine",
    "service",
    "log",
    "amount",
    "period",
    "granularity",
    "count",
    "order",
]
Found = dict[Sort, str]

QUOTES = ("USDT", "USDC", "USD", "PERP")  # what a symbol ends with, after the coin
COUNT_MAX = 200  # rows of an answer
PERIODS = {"day": "day", "today": "day", "week": "week", "month": "month", "all": "all"}
WORDS: dict[Sort, str] = {
    "agent": "agent",
    "symbol": "symbol",
    "engine": "engine",
    "service": "service",
    "log": "service",
    "amount": "amount",
    "period": "period (day, week, month, all)",
    "granularity": f"granularity ({', '.join(INTERVAL_MS)})",
    "count": f"number from 1 to {COUNT_MAX}",
    "order": "order",
}
_SYMBOL = re.compile(r"[^\W_]{1,32}")
_ORDER = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)


def sort_out(person: Person, words: list[str], *sorts: Sort) -> Found:
    """Which word is what: each goes to the first sort that it fits and that is still free.

    UnclearError where a word fits none, with what it may have meant. "all" for an agent gives "".
    """
    found: Found = {}
    unknown: list[str] = []
    for word in words:
        taken: Sort | None = None
        for sort in sorts:
            value = _FITS[sort](person, word)
            if value is not None and sort not in found:
                found[sort] = value
                break
            if value is not None:
                taken = sort
        else:
            if taken is not None:
                raise UnclearError(
                    f"{quoted(word)} is one {taken} too many: expected one, found "
                    f"{found[taken] or 'all'} before"
                )
            unknown.append(word)
    if unknown:  # what else there is says which sort it may have been
        free = tuple(each for each in sorts if each not in found)
        raise _unknown(person, unknown[0], free or sorts)
    return found


def needed(found: Found, sort: Sort) -> str:
    """What must be there. UnclearError where it is not."""
    if sort not in found:
        raise missing(WORDS[sort])
    return found[sort]


def missing(what: str, guess: str = "", known: tuple[str, ...] = ()) -> UnclearError:
    """That something is not there. `guess`: what may have been meant for it."""
    article = "an" if what[0] in "aeio" else "a"
    there = meant(guess, spelled(known)) if known else ""
    return UnclearError(
        f"expected {article} {what}, found {quoted(guess) if guess else 'none'}{there}"
    )


def symbol_of(person: Person, word: str) -> str | None:
    """The symbol as the venue writes it; None where there is none. UnclearError where several fit.

    "btc", "BTC/USDT" and "btc-usdt" are BTCUSDT. Where no symbol is known yet, any may be.
    """
    symbols = person.talking.symbols
    name = re.sub(r"[/_-]", "", word.split(":")[0]).upper()
    if not _SYMBOL.fullmatch(name):
        return None
    if not symbols:
        return None if like_a_number(name) else name
    if name in symbols:
        return name
    fits = [name + quote for quote in QUOTES if name + quote in symbols]
    if len(fits) > 1:
        raise UnclearError(f"{quoted(word)} fits {listed(fits)}: name one of them")
    return fits[0] if fits else None


def quote_coin(symbol: str) -> str:
    """What a symbol is paid in, in words."""
    return next((each for each in QUOTES[:2] if symbol.endswith(each)), "quote coin")


def name_among(names: tuple[str, ...], word: str) -> str | None:
    """The name that was meant, whatever its case; - and _ are the same."""
    if word in names:
        return word
    return {_flat(each): each for each in names}.get(_flat(word))


def meant(word: str, known: dict[str, str]) -> str:
    """How a message on an unknown name ends. `known`: spelling → name."""
    if guess := near(nearest(word, known)):
        return guess
    return f": there are {listed(sorted(set(known.values())))}" if known else ": there is none"


def _agent(person: Person, word: str) -> str | None:
    found = name_among(person.agents, word)
    return "" if found is None and word.casefold() == "all" else found


def _count(_: Person, word: str) -> str | None:
    if not (word.isascii() and word.isdigit()):
        return None
    if len(word) > 6 or not 1 <= int(word) <= COUNT_MAX:
        raise UnclearError(f"the count is {quoted(word)}: expected 1 to {COUNT_MAX}")
    return str(int(word))


def _granularity(_: Person, word: str) -> str | None:
    return spelled(INTERVAL_MS).get(word.casefold())


_FITS: dict[Sort, Callable[[Person, str], str | None]] = {
    "agent": _agent,
    "symbol": symbol_of,
    "engine": lambda person, word: name_among(person.talking.engines, word),
    "service": lambda person, word: name_among(person.talking.services, word),
    "log": lambda person, word: name_among(
        (*person.talking.services, *person.talking.halves), word
    ),
    "amount": lambda _, word: word if like_a_number(word) else None,
    "period": lambda _, word: PERIODS.get(word.casefold()),
    "granularity": _granularity,
    "count": _count,
    "order": lambda _, word: word if _ORDER.fullmatch(word) else None,
}


def _unknown(person: Person, word: str, sorts: tuple[Sort, ...]) -> UnclearError:
    if not sorts:
        return UnclearError(f"{quoted(word)} is too much: expected nothing after the command")
    named = tuple(each for each in sorts if each not in ("amount", "count"))
    sorts = named if named and not like_a_number(word) else sorts
    what = " and no ".join(dict.fromkeys(WORDS[each] for each in sorts))
    talking, known = person.talking, dict[str, str]()
    if sorts == ("agent",):
        guess = near(nearest(word, spelled(person.agents)))
        there = f"there are {listed(person.agents)}" if person.agents else "there is none"
        return UnclearError(f"{quoted(word)} is no {what}{guess}{';' if guess else ':'} {there}")
    if "symbol" in sorts:
        known |= {_coin(each): each for each in sorted(talking.symbols)}
        known |= spelled(talking.symbols)
    if "engine" in sorts:
        known |= spelled(talking.engines)
    if "service" in sorts or "log" in sorts:
        known |= spelled(talking.services)
    if "log" in sorts:
        known |= spelled(talking.halves)
    if "agent" in sorts:
        known |= spelled(person.agents)
    return UnclearError(f"{quoted(word)} is no {what}{meant(word, known) if known else ''}")


def _coin(symbol: str) -> str:
    """A symbol's spelling without what it is paid in."""
    for quote in QUOTES:
        if symbol.endswith(quote) and symbol != quote:
            return symbol.removesuffix(quote).casefold()
    return symbol.casefold()


def _flat(name: str) -> str:
    return name.casefold().replace("-", "_")
