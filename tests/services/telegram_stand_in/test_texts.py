"""Markup of any kind is read or refused, and never anything else."""

import re

import pytest
from aiogram.utils.formatting import Bold, Code, Italic, Text
from aiogram.utils.text_decorations import html_decoration, markdown_decoration
from hypothesis import given
from hypothesis import strategies as some

from services.telegram_stand_in.refusals import ApiError
from services.telegram_stand_in.texts.entities import clean, pieces, units
from services.telegram_stand_in.texts.html import parse_html
from services.telegram_stand_in.texts.markdown import parse_markdown

PARSERS = [parse_html, parse_markdown]
MARKUP = some.lists(
    some.sampled_from(
        ["<b>", "</b>", "<i", ">", '<a href="', '"', "</a>", "&lt;", "&#1;", "&", "<", "*", "_",
         "__", "~", "||", "|", "`", "```", "[", "](", ")", "!", "![", "\\", "\n", "\r", ">", "**>",
         "😀", "é", "x", " "]
    )
).map("".join)  # fmt: skip


@pytest.mark.parametrize("parse", PARSERS)
@given(text=MARKUP | some.text())
def test_any_text_is_read_or_refused_with_a_place_inside_it(parse, text):
    text = clean(text)
    refused, plain, entities = "", "", []
    try:
        plain, entities = parse(text)
    except ApiError as error:
        refused = error.description

    place = re.search(r"byte offset (\d+)$", refused)
    assert place is None or int(place.group(1)) <= len(text.encode())
    for entity in entities:
        assert entity["offset"] >= 0
        assert 0 < entity["length"] <= units(plain) - entity["offset"]


@given(text=some.text())
def test_an_escaped_text_is_the_text(text):
    text = clean(text).replace("\r", "")

    assert parse_html(html_decoration.quote(text)) == (text.strip(), [])


@given(text=some.text(alphabet=some.characters(max_codepoint=0x2000)))
def test_an_escaped_text_is_the_text_in_markdown_too(text):
    """A backslash is the one character that the library's quoting leaves alone."""
    text = clean(text).replace("\\", "").replace("\r", "")

    assert parse_markdown(markdown_decoration.quote(text)) == (text.strip(), [])


@pytest.mark.parametrize(
    ("parse", "decorate"), [(parse_html, Text.as_html), (parse_markdown, Text.as_markdown)]
)
def test_what_the_library_formats_is_read_as_it_was_meant(parse, decorate):
    """Marks beside each other too: the library puts a carriage return between them."""
    wanted = Text("😀 a<b>&amp; ", Bold("long ", Italic("ETH*_")), " ", Code("1.5!"), "\nend")
    text, entities = wanted.render()

    assert parse(decorate(wanted)) == (
        text,
        [each.model_dump(exclude_none=True, exclude_defaults=True) for each in entities],
    )


@given(text=some.text(), most=some.integers(2, 50))
def test_pieces_of_a_text_are_the_text(text, most):
    found = pieces(text, most)

    assert "".join(found) == text
    assert all(0 < units(piece) <= most for piece in found)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("<pre><code class='language-py'>x</code></pre>", ["pre"]),
        ("<span class=\"tg-spoiler\">x</span><tg-spoiler>y</tg-spoiler>", ["spoiler", "spoiler"]),
        ("<blockquote expandable>x</blockquote>", ["expandable_blockquote"]),
        ("<a href='javascript:alert(1)'>x</a>", []),
        ("<a>example.org</a>", ["text_link"]),
        ("<B>x</B>&notit; &#x41;&#65;", ["bold"]),
        ("<b></b>x", []),
    ],
)  # fmt: skip
def test_tags_are_what_the_real_ones_are(text, kinds):
    assert [each["type"] for each in parse_html(text)[1]] == kinds


@pytest.mark.parametrize(
    "text", ["<span>x</span>", "<b x>y</b>", "<b =1>x</b>", "<br>", "<b", "</b", "<!-- x -->"]
)
def test_tags_that_are_none_are_refused(text):
    with pytest.raises(ApiError, match="can't parse entities"):
        parse_html(text)


@pytest.mark.parametrize(
    ("text", "plain", "more"),
    [
        ("```py\nx*1\n```", "x*1", {"language": "py"}),
        ("```\nx\n```", "x", {}),
        ("```x```", "x", {}),
        ("```a b```", "b", {"language": "a"}),
    ],
)
def test_a_block_of_code_in_markdown_may_name_its_language(text, plain, more):
    found, entities = parse_markdown(text)

    assert found == plain
    assert entities == [{"type": "pre", "offset": 0, "length": len(plain), **more}]


def test_quotations_in_markdown_end_with_their_lines():
    text, entities = parse_markdown(">one\n>*two*\nthree")

    assert text == "one\ntwo\nthree"
    assert [(each["type"], each["offset"], each["length"]) for each in entities] == [
        ("blockquote", 0, 7), ("bold", 4, 3),
    ]  # fmt: skip
