"""What people do at their telephones: write, edit, tap, block; each becomes an update."""

import msgspec

from services.telegram_stand_in.chats import Bot, Chat, Json, Message, Tap
from services.telegram_stand_in.refusals import bad
from services.telegram_stand_in.texts.entities import clean, pieces, plain

TEXT_MAX = 4096
NAME_MAX = 64
PEOPLE_MAX = 1_000


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who writes, and where; a chat of its own where `chat_id` is 0, else a group's id."""

    user_id: int
    name: str = ""
    username: str = ""
    chat_id: int = 0
    title: str = ""  # of the group
    language: str = "en"


class People:
    """All who write to one bot."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    def join(self, person: Person) -> tuple[Chat, Json]:
        """The chat and the user, made on demand. ApiError 400 where the ids can't be."""
        if person.user_id <= 0 or person.user_id == self._bot.id:
            raise bad(f"user_id is {person.user_id}: expected a number above 0, not the bot's")
        if person.chat_id > 0 and person.chat_id != person.user_id:
            raise bad(f"chat_id is {person.chat_id}: expected the user's id or a group's, below 0")
        user = self._user(person)
        if person.chat_id < 0:
            title = _name(person.title) or f"Group {-person.chat_id}"
            known = self._bot.chats.get(person.chat_id)
            if known is not None and not person.title:
                return known, user
            return self._bot.meet(person.chat_id, "group", {"title": title}), user
        names = {name: str(user[name]) for name in user if name in ("first_name", "username")}
        return self._bot.meet(person.user_id, "private", names), user

    def say(self, person: Person, text: str) -> list[Message]:
        """A message, in pieces where it is long. ApiError 400 where nothing is left of it."""
        chat, user = self.join(person)
        self.block(person, blocked=False)  # who writes has the bot back
        parts = pieces(plain(text)[0], TEXT_MAX)
        said = []
        for part in parts:
            shown, entities = plain(part)
            if not shown:
                continue
            content: Json = {"text": shown} | ({"entities": entities} if entities else {})
            message = self._bot.put(chat, user, content)
            self._bot.updates.add("message", self._bot.message(chat, message))
            said.append(message)
        if not said:
            raise bad("text is empty: expected a character that can be seen")
        return said

    def edit(self, person: Person, message_id: int, text: str) -> Message:
        """Another text for a message of one's own."""
        chat, user = self.join(person)
        message = self._message(chat, message_id)
        if message.sender["id"] != user["id"]:
            raise bad(f"message {message_id} is of {message.sender['id']}: expected one's own")
        shown, entities = plain(text)
        if not shown or len(pieces(shown, TEXT_MAX)) > 1:
            raise bad(f"text has {len(shown)} characters: expected 1 to {TEXT_MAX}")
        content: Json = {"text": shown} | ({"entities": entities} if entities else {})
        self._bot.rewrite(chat, message, content)
        self._bot.updates.add("edited_message", self._bot.message(chat, message))
        return message

    def tap(self, person: Person, message_id: int, data: str, *, unchecked: bool = False) -> Tap:
        """A tap on a button with `data`; `unchecked`: on one that may be gone by now."""
        chat, user = self.join(person)
        message = self._message(chat, message_id)
        rows = message.content.get("reply_markup", {}).get("inline_keyboard", [])
        known = [button.get("callback_data") for row in rows for button in row]
        if data not in known and not unchecked:
            raise bad(f"message {message_id} has no button with {data!r}: expected one of {known}")
        tap = self._bot.tap(chat, message, data)
        self._bot.updates.add("callback_query", {
            "id": tap.id,
            "from": user,
            "message": self._bot.message(chat, message),
            "chat_instance": str(chat.id * 7919),
            "data": data,
        })  # fmt: skip
        return tap

    def block(self, person: Person, *, blocked: bool) -> Chat:
        """The bot can't write to this person any more, or can again."""
        chat, user = self.join(person)
        if chat.blocked != blocked:
            chat.blocked = blocked
            was, now = ("member", "kicked") if blocked else ("kicked", "member")
            me = self._bot.shown()
            self._bot.updates.add("my_chat_member", {
                "chat": chat.shown(), "from": user, "date": int(self._bot.clock.now()),
                "old_chat_member": _member(was, me), "new_chat_member": _member(now, me),
            })  # fmt: skip
            self._bot.change(chat)
        return chat

    def _user(self, person: Person) -> Json:
        known = self._bot.people.get(person.user_id)
        if known is not None and not person.name and not person.username:
            return known
        if known is None and len(self._bot.people) >= PEOPLE_MAX:
            raise bad(f"there are {PEOPLE_MAX} people already: be one of them")
        name = _name(person.name) or (known or {}).get("first_name") or f"User {person.user_id}"
        user: Json = {"id": person.user_id, "is_bot": False, "first_name": name,
                      "language_code": person.language}  # fmt: skip
        if username := _name(person.username).removeprefix("@"):
            user["username"] = username
        self._bot.people[person.user_id] = user
        return user

    def _message(self, chat: Chat, message_id: int) -> Message:
        message = chat.messages.get(message_id)
        if message is None or message.deleted:
            raise bad(f"message {message_id} is not in chat {chat.id}: it may have been deleted")
        return message


def _name(text: str) -> str:
    return " ".join(clean(text).split())[:NAME_MAX]


def _member(status: str, user: Json) -> Json:
    until = {"until_date": 0} if status == "kicked" else {}
    return {"user": user, "status": status, **until}
