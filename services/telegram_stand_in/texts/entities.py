"""Formatted text as the Bot API keeps it: plain text, and entities that count UTF-16 units."""

from typing import Any

from services.telegram_stand_in.refusals import ApiError, bad

Entity = dict[str, Any]  # type, offset, length; url, language, custom_emoji_id
WORDS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
COMMAND_LENGTH_MAX = 32


def units(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def cant_parse(reason: str, text: str, index: int) -> ApiError:
    """400 for markup: `index` is a character of `text`, shown as a byte offset."""
    return bad(f"can't parse entities: {reason} at byte offset {len(text[:index].encode())}")


class Builder:
    """Plain text that grows, with the entities found so far."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.length = 0  # in UTF-16 units
        self.entities: list[Entity] = []

    def add(self, text: str) -> None:
        """More plain text; a carriage return only keeps marks apart."""
        text = text.replace("\r", "")
        self._parts.append(text)
        self.length += units(text)

    def since(self, offset: int) -> str:
        """The plain text from `offset` (in UTF-16 units) on."""
        return _cut("".join(self._parts), offset, self.length)

    def mark(self, kind: str, offset: int, **more: str) -> None:
        """An entity from `offset` up to here; one without text is none."""
        if self.length > offset:
            length = self.length - offset
            self.entities.append({"type": kind, "offset": offset, "length": length, **more})

    def trimmed(self) -> tuple[str, list[Entity]]:
        """The text without blanks at its ends, and the entities that are left, in order."""
        whole = "".join(self._parts)
        left = whole.lstrip()
        text, cut = left.rstrip(), units(whole) - units(left)
        return text, _inside(self.entities, cut, units(text))


def _inside(entities: list[Entity], cut: int, length: int) -> list[Entity]:
    kept = []
    for entity in entities:
        first = max(entity["offset"] - cut, 0)
        last = min(entity["offset"] + entity["length"] - cut, length)
        if last > first:
            kept.append({**entity, "offset": first, "length": last - first})
    return sorted(kept, key=lambda each: (each["offset"], -each["length"]))


def plain(text: str) -> tuple[str, list[Entity]]:
    """A text without markup, trimmed; commands in it are entities, as a client sees them."""
    text = clean(text).replace("\r", "").strip()
    return text, commands(text)


def clean(text: str) -> str:
    """What no text holds: control characters become blanks, broken characters U+FFFD."""
    shown = "".join(" " if each < " " and each not in "\n\r" else each for each in text)
    return shown.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def commands(text: str) -> list[Entity]:
    """Each /command (with @bot) at the beginning of a word."""
    found: list[Entity] = []
    for index, character in enumerate(text):
        if character != "/" or (index and not text[index - 1].isspace()):
            continue
        end = index + 1
        while end < len(text) and text[end] in WORDS + "@":
            end += 1
        name = text[index + 1 : end].partition("@")[0]
        if 1 <= len(name) <= COMMAND_LENGTH_MAX:
            found.append({"type": "bot_command", "offset": units(text[:index]),
                          "length": end - index})  # fmt: skip
    return found


def with_commands(text: str, entities: list[Entity]) -> list[Entity]:
    """The entities, and the commands that don't lie in code or in a link."""
    closed = [each for each in entities if each["type"] in ("code", "pre", "text_link")]
    free = [
        each
        for each in commands(text)
        if not any(
            each["offset"] < other["offset"] + other["length"]
            and other["offset"] < each["offset"] + each["length"]
            for other in closed
        )
    ]
    return sorted(entities + free, key=lambda each: (each["offset"], -each["length"]))


def _cut(text: str, first: int, last: int) -> str:
    return text.encode("utf-16-le")[2 * first : 2 * last].decode("utf-16-le", "replace")


def pieces(text: str, length_max: int) -> list[str]:
    """A long text as a person's telephone sends it: in messages of at most so many units."""
    found, piece, length = [], "", 0
    for character in text:
        size = units(character)
        if length + size > length_max:
            found.append(piece)
            piece, length = "", 0
        piece += character
        length += size
    return [*found, piece] if piece else found
