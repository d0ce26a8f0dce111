"""Messages: everything is escaped, each part is short enough, none is empty and none is broken."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chandler.core.notices.text import (
    PART_MAX,
    REPEAT_HTML,
    TEXT_MAX,
    Line,
    clean,
    lines_of,
    parts,
    units,
)
from tests.core.notices.scene import notice

ANY = st.text(st.characters(codec=None), max_size=60)  # surrogates too
LINES = st.lists(st.builds(Line, ANY, st.sampled_from(["plain", "bold", "code"])), max_size=12)
ALLOWED = re.compile(r"</?(?:b|i|code)>|&(?:amp|lt|gt|quot|#x27);|[^<>&]")


class Reader(HTMLParser):
    """What a person reads of it; every tag must be closed in its order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"{self.open} is never closed"

    def handle_starttag(self, tag, attrs):
        assert not attrs
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def seen(html: str) -> str:
    assert not ALLOWED.sub("", html), f"not of Telegram's subset: {html!r}"
    return Reader(html).text


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(LINES, st.integers(2, 80))
@example([Line("&" * 5_000)], PART_MAX)
@example([Line("\U0001f680" * 3_000, "bold"), Line("<b>" * 2_000)], PART_MAX)
@example([Line("a\U0001f680")], 2)
@example([Line("\u200b\u2800"), Line(" \n\t")], 10)
def test_whatever_is_said_comes_whole_in_parts_that_are_short_enough(lines, longest):
    made = parts(lines, longest)

    for html in made:
        assert units(seen(html)) <= longest
        assert seen(html).strip()
        html.encode()  # no half of a character
    told = squeezed("".join(map(seen, made)))
    assert told == squeezed(
        "".join(clean(line.text.replace("\n", " ")) for line in lines_split(lines))
    )


def lines_split(lines: list[Line]) -> list[Line]:
    return [Line(text) for line in lines for text in line.text.splitlines()]


@given(ANY, ANY, st.lists(ANY, max_size=4), st.sampled_from(["info", "warning", "alarm"]))
def test_any_bytes_in_a_notice_make_a_message_that_can_be_read(symbol, head, lines, level):
    made = parts(lines_of(notice(symbol=symbol, head="x" + head, lines=lines, level=level)))

    assert made
    assert all(seen(html).strip() for html in made)


def test_a_message_is_divided_at_line_ends():
    lines = [Line("a" * 4_000), Line("b" * 60), Line("c" * 60)]

    made = parts(lines)

    assert made == ["a" * 4_000 + "\n" + "b" * 60, "c" * 60]


def test_an_entity_counts_as_the_one_character_that_is_read():
    made = parts([Line("&" * PART_MAX)])

    assert made == ["&amp;" * PART_MAX]


def test_a_part_still_fits_when_it_is_marked_as_a_repeat():
    (html,) = parts([Line("a" * PART_MAX)])

    assert units(seen(REPEAT_HTML + html)) == TEXT_MAX


def test_the_head_is_bold_and_an_alarm_says_so():
    (html,) = parts(lines_of(notice(level="alarm", head="stop lost", lines=["<at> once"])))

    assert html == "<b>ALARM: stop lost</b>\n&lt;at&gt; once"


@pytest.mark.parametrize("text", ["\u202eTDSU", "a\x00b", "\ud83d", "\u3164"])
def test_what_hides_or_turns_a_line_is_shown_as_a_sign(text):
    assert "\ufffd" in clean(text)
    assert unescape(parts([Line(text)])[0]) == clean(text)
