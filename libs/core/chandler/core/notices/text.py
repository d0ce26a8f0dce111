"""Notices as messages: HTML of Telegram's subset, escaped, in parts that each are short enough.

Lines are divided before they are escaped and marked, so that no part breaks an entity or a tag.
Lengths are counted in UTF-16 units of what is seen: the strictest reading of Telegram's limit.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from html import escape
from typing import Literal, NamedTuple

from chandler.core.notices.kinds import SAID, Notice

TEXT_MAX = 4_096  # of one message, after entities
REPEAT = "Repeat: it may have come before."
REPEAT_HTML = f"<i>{REPEAT}</i>\n"
PART_MAX = TEXT_MAX - len(REPEAT) - 1  # so that a part may be marked as a repeat later
WIDE = 0xFFFF  # a character beyond it counts twice
UNSEEN = "\ufffd"  # stands for what can't be seen or would turn the line around
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that show nothing

Style = Literal["plain", "bold", "code"]
TAGS: dict[Style, tuple[str, str]] = {
    "plain": ("", ""),
    "bold": ("<b>", "</b>"),
    "code": ("<code>", "</code>"),
}


class Line(NamedTuple):
    """One line of a message, as it is read."""

    text: str
    style: Style = "plain"
    gap: bool = False  # an empty line is before it, where it is not the first of a message


def lines_of(notice: Notice) -> list[Line]:
    """A notice line by line: its head in bold, with the level where it is more than news."""
    head = Line(SAID[notice.level] + notice.head, "bold")
    return [head, *(Line(each) for each in notice.lines)]


def parts(lines: Iterable[Line], longest: int = PART_MAX) -> list[str]:
    """The lines as messages of HTML, each at most so long after entities, none of them empty.

    Divided at line ends; inside a line only where it alone is too long. Nothing to see at all
    gives no message.
    """
    assert longest >= 2, "a character may count twice"
    made: list[str] = []
    page: list[Line] = []
    length = 0
    for line in _short(lines, longest):
        more = units(line.text)
        if page and length + 1 + line.gap + more > longest:
            made += _page(page)
            page, length = [], 0
        length += more + (1 + line.gap if page else 0)
        page.append(line)
    return made + _page(page)


def units(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text) + sum(1 for each in text if ord(each) > WIDE)


def clean(text: str) -> str:
    """With a sign for each character that can't be shown, sent, or read in its place."""
    return "".join(map(_seen, text))


def _short(lines: Iterable[Line], longest: int) -> Iterator[Line]:
    """Lines without line ends inside, none longer than a message; none without anything to see."""
    for line in lines:
        gap = line.gap
        for text in line.text.splitlines():
            rest = clean(text).rstrip()
            while rest.strip():
                cut = _fitting(rest, longest)
                if rest[:cut].strip():
                    yield Line(rest[:cut], line.style, gap)
                    gap = False
                rest = rest[cut:]


def _fitting(text: str, longest: int) -> int:
    """How many characters of the text fit."""
    if units(text) <= longest:
        return len(text)
    count = 0
    for number, each in enumerate(text):
        count += 2 if ord(each) > WIDE else 1
        if count > longest:
            return number
    return len(text)


def _page(lines: list[Line]) -> list[str]:
    if not lines:
        return []
    first, *rest = lines
    return ["\n".join([_html(first), *("\n" * line.gap + _html(line) for line in rest)])]


def _html(line: Line) -> str:
    begin, end = TAGS[line.style]
    return f"{begin}{escape(line.text)}{end}"


def _seen(character: str) -> str:
    if character == "\t":
        return " "
    hidden = character in BLANK or unicodedata.category(character) in ("Cc", "Cf", "Cs")
    return UNSEEN if hidden else character
