"""What a bot and people have said to each other: chats, messages, commands, taps; in memory."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.telegram_stand_in.clock import Clock
from services.telegram_stand_in.pictures import Files
from services.telegram_stand_in.refusals import bad
from services.telegram_stand_in.updates import Updates

CHATS_MAX = 1_000
MESSAGES_MAX = 2_000  # of a chat; the oldest are forgotten
VERSIONS_MAX = 50  # of a message: its first ones and its newest
TAPS_MAX = 1_000
TAP_AGE_S_MAX = 60.0  # a tap that is older can't be answered

Json = dict[str, Any]


@dataclass(slots=True)
class Message:
    """A message; `content` is what the API shows of it: text, entities, photo, reply_markup …"""

    id: int
    sender: Json  # a user, as the API shows one
    date_s: int
    content: Json
    reply_to: int | None = None
    edited_s: int | None = None
    before: list[Json] = field(default_factory=list)  # earlier contents, oldest first
    deleted: bool = False


@dataclass(slots=True)
class Chat:
    """A private chat has its person's id; a group's id is negative."""

    id: int
    kind: str  # private, group, supergroup
    names: dict[str, str]  # first_name, last_name, username; title
    messages: dict[int, Message] = field(default_factory=dict)  # in order, deleted ones too
    blocked: bool = False  # by its person: the bot can't write
    action: str = ""  # what the bot was last seen doing: typing …

    def shown(self) -> Json:
        """As the API shows it."""
        return {"id": self.id, "type": self.kind, **self.names}


@dataclass(slots=True)
class Tap:
    """A button that was tapped, and what the bot answered."""

    id: str
    chat: int
    message: int
    at_s: float
    data: str
    answer: Json | None = None


class Listener:
    """Someone who wants to know which chats have changed."""

    def __init__(self) -> None:
        self.changed: set[int] = set()
        self.bell = asyncio.Event()

    async def next(self) -> set[int]:
        """Chats that have changed since the last call."""
        await self.bell.wait()
        self.bell.clear()
        found, self.changed = self.changed, set()
        return found


class Bot:
    """One bot: who it is, its chats, and the updates that wait for it."""

    def __init__(self, token: str, username: str, clock: Clock, again_every: Callable[[], int]):
        self.id, self.username, self.clock = int(token.partition(":")[0]), username, clock
        self.chats: dict[int, Chat] = {}
        self.people: dict[int, Json] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}  # by scope and language
        self.taps: OrderedDict[str, Tap] = OrderedDict()
        self.files = Files()
        # Greater than before a restart: whoever remembers the last number goes on from there.
        self.updates = Updates(int(clock.now()), again_every)
        self.listeners: set[Listener] = set()
        self._messages = self._taps = 0

    def shown(self) -> Json:
        """The bot as a user."""
        name = self.username.removesuffix("_bot").replace("_", " ").title()
        return {"id": self.id, "is_bot": True, "first_name": name, "username": self.username}

    def chat(self, wanted: str) -> Chat:
        """By its id or @username; ApiError 400 where the bot has never met it."""
        for chat in self.chats.values():
            if str(chat.id) == wanted or (
                wanted[:1] == "@" and chat.names.get("username", "") == wanted[1:]
            ):
                return chat
        raise bad("chat not found" if wanted else "chat_id is empty")

    def meet(self, chat_id: int, kind: str, names: dict[str, str]) -> Chat:
        """The chat with this id, made where there is none; its names are the newest."""
        chat = self.chats.get(chat_id)
        if chat is None:
            if len(self.chats) >= CHATS_MAX:
                raise bad(f"there are {CHATS_MAX} chats already: use one of them")
            chat = self.chats[chat_id] = Chat(chat_id, kind, names)
            self.change(chat)
        elif chat.names != names:
            chat.names = names
            self.change(chat)
        return chat

    def put(self, chat: Chat, sender: Json, content: Json, reply_to: int | None = None) -> Message:
        """A new message at the end of a chat."""
        self._messages += 1
        message = Message(self._messages, sender, int(self.clock.now()), content, reply_to)
        chat.messages[message.id] = message
        if len(chat.messages) > MESSAGES_MAX:
            del chat.messages[next(iter(chat.messages))]
        chat.action = ""
        self.change(chat)
        return message

    def rewrite(self, chat: Chat, message: Message, content: Json) -> None:
        """Another content for a message; the earlier ones are kept."""
        if len(message.before) >= VERSIONS_MAX:
            del message.before[VERSIONS_MAX // 2]
        message.before.append(message.content)
        message.content, message.edited_s = content, int(self.clock.now())
        self.change(chat)

    def tap(self, chat: Chat, message: Message, data: str) -> Tap:
        """A tap on a button of a message; its id is unique."""
        self._taps += 1
        number = str(self.id * 1_000_000 + self._taps)
        tap = self.taps[number] = Tap(number, chat.id, message.id, self.clock.now(), data)
        if len(self.taps) > TAPS_MAX:
            self.taps.popitem(last=False)
        return tap

    def message(self, chat: Chat, message: Message) -> Json:
        """A message as the API shows it, with the one that it replies to."""
        said = {"message_id": message.id, "from": message.sender, "chat": chat.shown(),
                "date": message.date_s, **message.content}  # fmt: skip
        if message.edited_s is not None:
            said["edit_date"] = message.edited_s
        first = chat.messages.get(message.reply_to or 0)
        if first is not None:
            said["reply_to_message"] = {"message_id": first.id, "from": first.sender,
                                        "chat": chat.shown(), "date": first.date_s,
                                        **first.content}  # fmt: skip
        return said

    def change(self, chat: Chat) -> None:
        """Tells all who listen."""
        for listener in self.listeners:
            listener.changed.add(chat.id)
            listener.bell.set()
