"""The Bot API's MarkdownV2, as strict as the real one: reserved characters need a backslash.

https://core.telegram.org/bots/api#markdownv2-style
"""

from typing import NamedTuple

from services.telegram_stand_in.refusals import bad
from services.telegram_stand_in.texts.entities import Builder, Entity, cant_parse
from services.telegram_stand_in.texts.html import link_of

RESERVED = "_*[]()~`>#+-=|{}.!"
ESCAPABLE_MAX = "\x7e"
# By their mark: what the entity is, and what the real one calls it when it has no end.
MARKS = {
    "__": ("underline", "Underline"),
    "||": ("spoiler", "Spoiler"),
    "_": ("italic", "Italic"),
    "*": ("bold", "Bold"),
    "~": ("strikethrough", "Strikethrough"),
    "```": ("pre", "PreCode"),
    "`": ("code", "Code"),
    "[": ("text_link", "TextUrl"),
    "![": ("custom_emoji", "CustomEmoji"),
    ">": ("blockquote", "BlockQuote"),
    "**>": ("blockquote", "BlockQuote"),
}
OPENING = ("```", "**>", "![", "__", "||", "_", "*", "~", "`", "[")
EMOJI_LINK = "tg://emoji?id="


class Open(NamedTuple):
    """An entity that has no end yet."""

    mark: str
    offset: int  # in the plain text, in UTF-16 units
    begin: int  # in the markup
    language: str = ""


def parse_markdown(text: str) -> tuple[str, list[Entity]]:
    """Plain text and entities; ApiError 400 names what can't be read, and where."""
    return _Reader(text).read()


class _Reader:
    """One pass over a text."""

    def __init__(self, text: str) -> None:
        self._text, self._index = text, 0
        self._built, self._nested = Builder(), list[Open]()

    def read(self) -> tuple[str, list[Entity]]:
        while self._index < len(self._text):
            self._step()
        if self._nested and self._nested[-1].mark in (">", "**>"):
            self._quote_ends()
        if self._nested:
            last = self._nested[-1]
            raise cant_parse(f"Can't find end of {MARKS[last.mark][1]} entity",
                             self._text, last.begin)  # fmt: skip
        return self._built.trimmed()

    def _step(self) -> None:
        text, index = self._text, self._index
        character = text[index]
        if character == "\\" and text[index + 1 : index + 2] and text[index + 1] <= ESCAPABLE_MAX:
            self._built.add(text[index + 1])
            self._index += 2
        elif self._closes():
            self._close()
        elif self._nested and self._nested[-1].mark in ("`", "```"):
            self._take()
        elif character == "\n":
            self._line_ends()
        elif character == ">" and self._line_begins():
            self._open(">")
        elif character not in RESERVED:
            self._take()
        else:
            self._begin(character)

    def _take(self) -> None:
        self._built.add(self._text[self._index])
        self._index += 1

    def _line_begins(self) -> bool:
        return self._index == 0 or self._text[self._index - 1] == "\n"

    def _begin(self, character: str) -> None:
        """An entity begins, or a character is not where it may be."""
        for mark in OPENING:
            if self._text.startswith(mark, self._index):
                if mark == "**>" and not self._line_begins():
                    continue
                self._open(mark)
                return
        raise bad(
            f"can't parse entities: Character '{character}' is reserved and must be escaped "
            "with the preceding '\\'"
        )

    def _open(self, mark: str) -> None:
        begin, language = self._index, ""
        self._index += len(mark)
        if mark == "```":
            language = self._language()
        self._nested.append(Open(mark, self._built.length, begin, language))

    def _language(self) -> str:
        """The word behind the opening ```, where a blank follows; one line's end is skipped."""
        text, end, language = self._text, self._index, ""
        while end < len(text) and not text[end].isspace() and text[end] != "`":
            end += 1
        if end < len(text) and text[end] != "`":
            language, self._index = text[self._index : end], end
        if text.startswith("\n", self._index):
            self._index += 1
        return language

    def _closes(self) -> bool:
        if not self._nested:
            return False
        mark, rest = self._nested[-1].mark, self._index
        if mark in (">", "**>"):
            return False
        if mark == "_":
            return self._text.startswith("_", rest) and not self._text.startswith("__", rest)
        return self._text.startswith("]" if mark in ("[", "![") else mark, rest)

    def _close(self) -> None:
        last = self._nested.pop()
        if last.mark in ("[", "!["):
            self._index += 1
            self._link(last)
            return
        self._index += len(last.mark)
        more = {"language": last.language} if last.language else {}
        self._built.mark(MARKS[last.mark][0], last.offset, **more)

    def _link(self, last: Open) -> None:
        """The address behind a link's text, in parentheses."""
        text, url = self._text, ""
        if not text.startswith("(", self._index):
            if last.mark == "![":
                raise cant_parse("Custom emoji entity must contain a tg://emoji URL",
                                 text, self._index)  # fmt: skip
            url = self._built.since(last.offset)
        else:
            begin = self._index
            self._index += 1
            while self._index < len(text) and text[self._index] != ")":
                escaped = text[self._index] == "\\" and self._index + 1 < len(text)
                self._index += escaped
                url += text[self._index]
                self._index += 1
            if self._index >= len(text):
                raise cant_parse("Can't find end of a URL", text, begin)
            self._index += 1
        if last.mark == "![":
            if not url.startswith(EMOJI_LINK) or not url.removeprefix(EMOJI_LINK).isdigit():
                raise cant_parse("Custom emoji URL must have an emoji identifier",
                                 text, last.begin)  # fmt: skip
            number = url.removeprefix(EMOJI_LINK)
            self._built.mark("custom_emoji", last.offset, custom_emoji_id=number)
        elif link := link_of(url):
            self._built.mark("text_link", last.offset, url=link)

    def _line_ends(self) -> None:
        """A quotation goes on where the next line begins with >, and ends otherwise."""
        quoted = self._nested and self._nested[-1].mark in (">", "**>")
        if quoted and self._text.startswith("\n>", self._index):
            self._take()
            self._index += 1
        elif quoted:
            self._quote_ends()
            self._take()
        else:
            self._take()

    def _quote_ends(self) -> None:
        last = self._nested.pop()
        self._built.mark("blockquote", last.offset)
