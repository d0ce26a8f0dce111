"""The Bot API's HTML, as strict as the real one: what isn't known or closed is refused.

https://core.telegram.org/bots/api#html-style
"""

import re

from services.telegram_stand_in.texts.entities import Builder, Entity, cant_parse

PLAIN_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline",
    "ins": "underline", "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
    "code": "code", "pre": "pre", "tg-spoiler": "spoiler",
}  # fmt: skip
TAGS = {*PLAIN_TAGS, "a", "span", "blockquote", "tg-emoji"}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_CHARACTER = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(lt|gt|amp|quot)(?![a-zA-Z]));?")
_NAME = re.compile(r"[^\s>/]*")
_SPACE = re.compile(r"\s*")
_ATTRIBUTE_NAME = re.compile(r"[^\s=>/\"']*")
_BARE_VALUE = re.compile(r"[A-Za-z0-9.-]*")
CHARACTER_MAX = 0x10FFFF


class Open:
    """A tag that is not closed yet."""

    def __init__(self, name: str, attributes: dict[str, str], offset: int, index: int) -> None:
        self.name, self.attributes = name, attributes
        self.offset, self.index = offset, index


def parse_html(text: str) -> tuple[str, list[Entity]]:
    """Plain text and entities; ApiError 400 names what can't be read, and where."""
    built, nested = Builder(), list[Open]()
    index = 0
    while index < len(text):
        if text[index] == "&":
            index = _character(text, index, built)
        elif text[index] != "<":
            built.add(text[index])
            index += 1
        elif text.startswith("</", index):
            index = _end(text, index, nested, built)
        else:
            index = _start(text, index, nested, built)
    if nested:
        last = nested[-1]
        raise cant_parse(f'Can\'t find end tag corresponding to start tag "{last.name}"',
                         text, last.index)  # fmt: skip
    return built.trimmed()


def decoded(text: str) -> str:
    """A text whose named and numbered characters are themselves."""
    return _CHARACTER.sub(_character_of, text)


def _character_of(found: re.Match[str]) -> str:
    hexadecimal, decimal, name = found.groups()
    if name:
        return NAMED[name]
    code = int(hexadecimal, 16) if hexadecimal else int(decimal[:9])
    known = 0 < code <= CHARACTER_MAX and not 0xD800 <= code <= 0xDFFF
    return chr(code) if known else found.group()


def _character(text: str, index: int, built: Builder) -> int:
    found = _CHARACTER.match(text, index)
    if found is None:
        built.add("&")
        return index + 1
    built.add(_character_of(found))
    return found.end()


def _start(text: str, begin: int, nested: list[Open], built: Builder) -> int:
    found = _NAME.match(text, begin + 1)
    assert found is not None, "the pattern takes nothing, too"
    name, index = found.group().lower(), found.end()
    if index >= len(text):
        raise cant_parse("Unclosed start tag", text, begin)
    if name not in TAGS:
        raise cant_parse(f'Unsupported start tag "{name}"', text, begin)
    attributes: dict[str, str] = {}
    while True:
        index = _blank(text, index)
        if index >= len(text):
            raise cant_parse(f'Unclosed start tag "{name}"', text, begin)
        if text[index] == ">":
            break
        if text[index] == "/":
            index += 1
            continue
        key, value, index = _attribute(text, index, name)
        attributes[key] = value
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise cant_parse('Tag "span" must have class "tg-spoiler"', text, begin)
    if name == "tg-emoji" and not attributes.get("emoji-id", "").isdigit():
        raise cant_parse("Invalid custom emoji identifier specified", text, begin)
    nested.append(Open(name, attributes, built.length, begin))
    return index + 1


def _attribute(text: str, begin: int, tag: str) -> tuple[str, str, int]:
    """A name, its value, and where the next thing begins."""
    found = _ATTRIBUTE_NAME.match(text, begin)
    assert found is not None, "the pattern takes nothing, too"
    name, index = found.group().lower(), _blank(text, found.end())
    if not name:
        raise cant_parse(f'Empty attribute name in the tag "{tag}"', text, begin)
    if index >= len(text) or text[index] != "=":
        if name == "expandable":
            return name, "", found.end()
        raise cant_parse(f'Expected equal sign in declaration of an attribute of the tag "{tag}"',
                         text, begin)  # fmt: skip
    index = _blank(text, index + 1)
    if index < len(text) and text[index] in "\"'":
        end = text.find(text[index], index + 1)
        if end < 0:
            raise cant_parse(f'Unclosed start tag "{tag}"', text, begin)
        return name, decoded(text[index + 1 : end]), end + 1
    bare = _BARE_VALUE.match(text, index)
    assert bare is not None, "the pattern takes nothing, too"
    if bare.end() >= len(text):
        raise cant_parse(f'Unclosed start tag "{tag}"', text, begin)
    if text[bare.end()] not in " \t\n>/":
        raise cant_parse("Unexpected end of name token", text, index)
    return name, bare.group(), bare.end()


def _end(text: str, begin: int, nested: list[Open], built: Builder) -> int:
    found = _NAME.match(text, begin + 2)
    assert found is not None, "the pattern takes nothing, too"
    name, index = found.group().lower(), _blank(text, found.end())
    if index >= len(text) or text[index] != ">":
        raise cant_parse("Unclosed end tag", text, begin)
    if not nested:
        raise cant_parse("Unexpected end tag", text, begin)
    last = nested.pop()
    if name and name != last.name:
        raise cant_parse(f'Unmatched end tag, expected "</{last.name}>", found "</{name}>"',
                         text, begin)  # fmt: skip
    _mark(last, nested, built)
    return index + 1


def _mark(tag: Open, nested: list[Open], built: Builder) -> None:
    name, attributes = tag.name, tag.attributes
    if name == "a":
        url = attributes.get("href") or built.since(tag.offset)
        if link := link_of(url):
            built.mark("text_link", tag.offset, url=link)
    elif name == "span":
        built.mark("spoiler", tag.offset)
    elif name == "blockquote":
        kind = "expandable_blockquote" if "expandable" in attributes else "blockquote"
        built.mark(kind, tag.offset)
    elif name == "tg-emoji":
        built.mark("custom_emoji", tag.offset, custom_emoji_id=attributes["emoji-id"])
    elif name == "code" and nested and nested[-1].name == "pre":
        language = attributes.get("class", "").removeprefix("language-")
        if language and nested[-1].offset == tag.offset:
            nested[-1].attributes["language"] = language
    elif name == "pre" and "language" in attributes:
        built.mark("pre", tag.offset, language=attributes["language"])
    else:
        built.mark(PLAIN_TAGS[name], tag.offset)


def link_of(url: str) -> str:
    """A link that can be followed; nothing where it isn't one."""
    url = url.strip()
    if re.match(r"(https?|tg|ton|mailto|tel)://?\S+$", url) or re.match(r"(mailto|tel):\S+$", url):
        return url
    return f"http://{url}" if re.match(r"[\w-]+(\.[\w-]+)+([/:?#]\S*)?$", url) else ""


def _blank(text: str, index: int) -> int:
    found = _SPACE.match(text, index)
    assert found is not None, "the pattern takes nothing, too"
    return found.end()
