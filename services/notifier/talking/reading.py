"""Words of a person: the command and its arguments, numbers, spans of time. Names nothing yet."""

import difflib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS
from chandler.core.notices.text import clean
from chandler.core.notices.words import one_line

QUOTED_MAX = 40  # characters of somebody's words that an answer repeats
WORDS_MAX = 12  # of a command: none takes as many
NEAREST_MAX = 3
SIMILAR_MIN = 0.55  # 1 is the same
SPAN_MS_MAX = 7 * DAY_MS

_COMMAND = re.compile(r"(/?)([a-z0-9_]{1,32})(?:@([a-z0-9_]{1,64}))?", re.ASCII | re.IGNORECASE)
_LIKE_A_NUMBER = re.compile(
    r"[-+$]?(?:[\d.,']+(?:e[-+]?\d+)?[kmb%]?|nan|inf|infinity)", re.ASCII | re.IGNORECASE
)
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,8})?", re.ASCII)
_SPAN = re.compile(r"(\d{1,5})(m|min|h|d)", re.ASCII)
_UNITS = {"m": MINUTE_MS, "min": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


class UnclearError(ValueError):
    """What somebody wrote can't be taken: the message says what was expected and found."""


class Written(NamedTuple):
    """A line, divided."""

    slash: bool
    name: str  # of the command, in lower case; perhaps of none that there is
    bot: str  # that it is addressed to, in lower case; "": nobody said
    words: list[str]  # its arguments, as they were written


def read(text: str) -> Written | None:
    """The line divided; None where its first word can be no command's name."""
    first, *rest = text.split(maxsplit=1) or [""]
    found = _COMMAND.fullmatch(first)
    if found is None:
        return None
    slash, name, bot = found.groups()
    return Written(bool(slash), name.lower(), (bot or "").lower(), _words(rest[0] if rest else ""))


def quoted(text: str) -> str:
    """Somebody's words in an answer: short, and every character can be seen."""
    return f"'{clean(one_line(text[: 4 * QUOTED_MAX], QUOTED_MAX))}'"


def like_a_number(word: str) -> bool:
    """Whether somebody meant a number, right or wrong: "10", "1,5", "10k", "NaN"."""
    return _LIKE_A_NUMBER.fullmatch(word) is not None


def number(word: str, what: str) -> Decimal:
    """0 or more, with a point for decimals; UnclearError for everything else."""
    if not _NUMBER.fullmatch(word):
        hint = ", without commas" if "," in word else ""
        raise UnclearError(
            f"{what} is {quoted(word)}: expected a plain number such as 100 or 1.5{hint}, "
            "at most 12 digits before the point and 8 after it"
        )
    return Decimal(word)


def amount(word: str, what: str) -> Decimal:
    """The same, and more than nothing."""
    value = number(word, what)
    if value <= 0:
        raise UnclearError(f"{what} is {quoted(word)}: expected more than 0")
    return value


def span_ms(words: list[str]) -> int:
    """A span of time: 30m, 2h, 1d. UnclearError for everything else, and where it is too long."""
    text = "".join(words).lower()
    found = _SPAN.fullmatch(text)
    if found is None or not int(found[1]):
        raise UnclearError(f"the time is {quoted(' '.join(words))}: expected 30m, 2h, 1d or off")
    span = int(found[1]) * _UNITS[found[2]]
    if span > SPAN_MS_MAX:
        raise UnclearError(f"the time is {quoted(text)}: expected at most {SPAN_MS_MAX // DAY_MS}d")
    return span


def nearest(word: str, known: Mapping[str, str], least: float = SIMILAR_MIN) -> list[str]:
    """What somebody may have meant, the likeliest first.

    `known`: spelling → what it means. `least`: how similar it has to be, 1 is the same.
    """
    meant = word.casefold()[:QUOTED_MAX]
    spellings = sorted(known)
    begins = [each for each in spellings if len(meant) > 1 and each.startswith(meant)]
    close = difflib.get_close_matches(meant, spellings, 2 * NEAREST_MAX, least)
    return list(dict.fromkeys(known[each] for each in [*begins, *close]))[:NEAREST_MAX]


def near(names: list[str]) -> str:
    """How a message on an unknown name ends; "" where nothing is near."""
    if not names:
        return ""
    return f": the nearest {'is' if len(names) == 1 else 'are'} {', '.join(names)}"


def spelled(names: Iterable[str]) -> dict[str, str]:
    """Names by how somebody may spell them."""
    return {each.casefold(): each for each in names}


def _words(text: str) -> list[str]:
    """Divided at spaces and commas; "1,5" stays whole, so that it can be said what is wrong."""
    found: list[str] = []
    for word in text.split():
        word = word.strip(",;")
        found += [word] if like_a_number(word) else [each for each in word.split(",") if each]
    return [each for each in found if each]
