"""The methods that put something into a chat or change it: send, edit, delete."""

from typing import Any

from services.telegram_stand_in.api.keyboards import keyboard_of
from services.telegram_stand_in.api.parameters import Parameters, Upload
from services.telegram_stand_in.chats import Bot, Chat, Json, Message
from services.telegram_stand_in.limits import Throttle
from services.telegram_stand_in.pictures import File
from services.telegram_stand_in.refusals import ApiError, bad, too_many
from services.telegram_stand_in.texts.entities import Entity, clean, plain, units, with_commands
from services.telegram_stand_in.texts.html import parse_html
from services.telegram_stand_in.texts.markdown import parse_markdown

TEXT_MAX, CAPTION_MAX = 4096, 1024
PARSERS = {"html": parse_html, "markdownv2": parse_markdown}
SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


class Writing:
    """What a bot writes, within its limits."""

    def __init__(self, bot: Bot, throttle: Throttle) -> None:
        self._bot, self._throttle = bot, throttle

    def send_message(self, given: Parameters) -> Json:
        chat = self._open_chat(given)
        content = text_of(given)
        return self._put(chat, given, content)

    def send_photo(self, given: Parameters) -> Json:
        chat = self._open_chat(given)
        caption = caption_of(given)
        file = self._file(given, "photo")
        size = {"file_id": file.id, "file_unique_id": file.id[-16:], "width": file.width,
                "height": file.height, "file_size": len(file.data)}  # fmt: skip
        return self._put(chat, given, {"photo": [size], **caption})

    def send_document(self, given: Parameters) -> Json:
        chat = self._open_chat(given)
        caption = caption_of(given)
        file = self._file(given, "document")
        shown = {"file_id": file.id, "file_unique_id": file.id[-16:], "file_name": file.name,
                 "mime_type": file.kind, "file_size": len(file.data)}  # fmt: skip
        return self._put(chat, given, {"document": shown, **caption})

    def send_chat_action(self, given: Parameters) -> bool:
        chat, action = self._open_chat(given), given.text("action")
        if action not in ACTIONS:
            raise bad("wrong parameter action in request")
        chat.action = action
        self._bot.change(chat)
        return True

    def edit_message_text(self, given: Parameters) -> Json:
        chat, message = self._own(given, "edit")
        if "text" not in message.content:
            raise bad("there is no text in the message to edit")
        return self._rewrite(chat, message, given, text_of(given))

    def edit_message_caption(self, given: Parameters) -> Json:
        chat, message = self._own(given, "edit")
        kept = {name: message.content[name] for name in ("photo", "document")
                if name in message.content}  # fmt: skip
        if not kept:
            raise bad("there is no caption in the message to edit")
        return self._rewrite(chat, message, given, kept | caption_of(given))

    def edit_message_reply_markup(self, given: Parameters) -> Json:
        chat, message = self._own(given, "edit")
        kept = {name: value for name, value in message.content.items() if name != "reply_markup"}
        return self._rewrite(chat, message, given, kept)

    def delete_message(self, given: Parameters) -> bool:
        chat = self._bot.chat(given.text("chat_id"))
        message = chat.messages.get(given.number("message_id"))
        if message is None or message.deleted:
            raise bad("message to delete not found")
        message.deleted = True
        self._bot.change(chat)
        return True

    def _open_chat(self, given: Parameters) -> Chat:
        chat = self._bot.chat(given.text("chat_id"))
        if chat.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return chat

    def _own(self, given: Parameters, what: str) -> tuple[Chat, Message]:
        if given.text("inline_message_id"):
            raise bad("MESSAGE_ID_INVALID")
        chat = self._open_chat(given)
        message = chat.messages.get(given.number("message_id"))
        if message is None or message.deleted:
            raise bad(f"message to {what} not found")
        if message.sender["id"] != self._bot.id:
            raise bad(f"message can't be {what}ed")
        return chat, message

    def _file(self, given: Parameters, name: str) -> File:
        found = given.file(name)
        if isinstance(found, Upload):
            return self._bot.files.add(found.name, found.data, photo=name == "photo")
        if found is None:
            raise bad(f"there is no {name} in the request")
        if "://" in found:
            raise bad("failed to get HTTP URL content")
        file = self._bot.files.get(found)
        if file is None:
            raise bad("wrong file identifier/HTTP URL specified")
        if name == "photo" and not file.width:
            raise bad("can't use file of type Document as Photo")
        return file

    def _put(self, chat: Chat, given: Parameters, content: Json) -> Json:
        keyboard, reply_to = keyboard_of(given), _reply_to(chat, given)
        self._count(chat)
        if keyboard:
            content["reply_markup"] = keyboard
        message = self._bot.put(chat, self._bot.shown(), content, reply_to)
        return self._bot.message(chat, message)

    def _rewrite(self, chat: Chat, message: Message, given: Parameters, content: Json) -> Json:
        if keyboard := keyboard_of(given):
            content["reply_markup"] = keyboard
        if content == message.content:
            raise bad(SAME)
        self._count(chat)
        self._bot.rewrite(chat, message, content)
        return self._bot.message(chat, message)

    def _count(self, chat: Chat) -> None:
        wait_s = self._throttle.wait_s(chat.id, self._bot.clock.now())
        if wait_s:
            raise too_many(wait_s)


def text_of(given: Parameters) -> Json:
    """A message's text and entities; ApiError 400 where it is empty, too long or not readable."""
    text, entities = _formatted(given, "text", "entities")
    if not text:
        raise bad("message text is empty")
    if units(text) > TEXT_MAX:
        raise bad("message is too long")
    return {"text": text} | ({"entities": entities} if entities else {})


def caption_of(given: Parameters) -> Json:
    """A caption and its entities, nothing where it is empty. ApiError 400."""
    text, entities = _formatted(given, "caption", "caption_entities")
    if units(text) > CAPTION_MAX:
        raise bad("message caption is too long")
    if not text:
        return {}
    return {"caption": text} | ({"caption_entities": entities} if entities else {})


def _formatted(given: Parameters, name: str, entities_name: str) -> tuple[str, list[Entity]]:
    text, mode = clean(given.text(name)), given.text("parse_mode").lower()
    if mode:
        parser = PARSERS.get(mode)
        if parser is None:
            raise bad("unsupported parse_mode")
        text, found = parser(text)
        return text, with_commands(text, found)
    entities = given.json(entities_name, "entities")
    if not entities:
        return plain(text)
    if not isinstance(entities, list) or not all(map(_is_entity, entities)):
        raise bad("can't parse MessageEntity: expected type, offset and length")
    inside = [each for each in entities if each["offset"] + each["length"] <= units(text)]
    return text, inside


def _is_entity(each: Any) -> bool:
    return isinstance(each, dict) and isinstance(each.get("type"), str) and all(
        isinstance(each.get(name), int) and each[name] >= 0 for name in ("offset", "length")
    )  # fmt: skip


def _reply_to(chat: Chat, given: Parameters) -> int | None:
    asked = given.json("reply_parameters", "reply parameters") or {}
    if not isinstance(asked, dict):
        raise bad("object expected as reply parameters")
    number = asked.get("message_id") or given.number("reply_to_message_id")
    if not number:
        return None
    message = chat.messages.get(number) if isinstance(number, int) else None
    if message is not None and not message.deleted:
        return message.id
    if asked.get("allow_sending_without_reply"):
        return None
    raise bad("message to be replied not found")


ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice",
    "upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip
