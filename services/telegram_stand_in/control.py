"""The stand-in's own endpoints, below /control: people, faults, limits, what was said.

Not part of the Bot API: for tests, and for the page. Plain JSON; what can't be done is 400 with
{"error": one line}. Writing needs `Content-Type: application/json`, so that no other page of a
browser can do it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import msgspec
import orjson
from aiohttp import web

from services.telegram_stand_in.chats import Bot, Chat, Json, Listener, Message, Tap
from services.telegram_stand_in.clock import Clock
from services.telegram_stand_in.faults import Faults, Weather
from services.telegram_stand_in.limits import OFF, Limits
from services.telegram_stand_in.people import People, Person
from services.telegram_stand_in.refusals import ApiError

SHOWN_MAX = 500  # messages of a chat where a request doesn't say how many
ALIVE_S = 15.0  # a line at least so often, so that a lost connection is found
PICTURES = {"image/png", "image/jpeg", "image/gif"}


class ControlError(Exception):
    """What was asked for can't be done; one line for a person."""


class Said(Person, frozen=True, kw_only=True):
    """{"user_id", "text", "name"?, "username"?, "chat_id"?, "title"?}"""

    text: str


class Edited(Said, frozen=True, kw_only=True):
    """{"user_id", "message_id", "text" …}"""

    message_id: int


class Tapped(Person, frozen=True, kw_only=True):
    """{"user_id", "message_id", "data" …}; `unchecked`: also a button that is gone."""

    message_id: int
    data: str
    unchecked: bool = False


class Blocked(Person, frozen=True, kw_only=True):
    """{"user_id", "blocked"}"""

    blocked: bool = True


class Later(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """{"advance_s"}: the stand-in's clock is so much later at once."""

    advance_s: float


class Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """{"seconds"}: connections are refused for so long, at most ten minutes."""

    seconds: float


class Switch(Limits, frozen=True, kw_only=True):
    """Limits, or {"off": true}."""

    off: bool = False


Body = TypeVar("Body", bound=msgspec.Struct)


class Controls(Protocol):
    """What the endpoints turn: the stand-in."""

    bots: dict[str, Bot]
    clock: Clock
    weather: Weather

    def set_limits(self, limits: Limits) -> None: ...
    def limits(self) -> Limits: ...
    def refuse(self, seconds: float) -> None: ...
    def state(self) -> Json: ...


class Control:
    """Answers to tests and the page; `?bot=USERNAME` chooses one where there are several."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """All of them."""
        for method, path, handler in (
            ("GET", "/control/state", self._state),
            ("GET", "/control/chats", self._chats),
            ("GET", "/control/chats/{chat}", self._chat),
            ("GET", "/control/taps/{tap}", self._tap),
            ("GET", "/control/files/{file}", self._file),
            ("GET", "/control/events", self._events),
            ("POST", "/control/people", self._join),
            ("POST", "/control/messages", self._say),
            ("POST", "/control/edits", self._edit),
            ("POST", "/control/taps", self._touch),
            ("POST", "/control/blocks", self._block),
            ("GET", "/control/faults", self._faults),
            ("POST", "/control/faults", self._set_faults),
            ("DELETE", "/control/faults", self._clear_faults),
            ("GET", "/control/limits", self._limits),
            ("POST", "/control/limits", self._set_limits),
            ("POST", "/control/clock", self._later),
            ("POST", "/control/refuse", self._refuse),
        ):
            router.add_route(method, path, _carefully(handler))

    async def _state(self, _: web.Request) -> web.Response:
        return answer(self._controls.state())

    async def _chats(self, request: web.Request) -> web.Response:
        bot = self._bot(request)
        return answer([chat.shown() | {"messages": len(chat.messages)}
                       for chat in bot.chats.values()])  # fmt: skip

    async def _chat(self, request: web.Request) -> web.Response:
        """?limit=: a chat's newest messages in order, edited and deleted ones marked."""
        bot, chat = self._bot(request), self._known_chat(request)
        limit = request.query.get("limit", str(SHOWN_MAX))
        if not limit.isdecimal():
            raise ControlError(f"limit is {limit!r}: expected digits")
        newest = list(chat.messages.values())[-int(limit) or len(chat.messages) :]
        taps = [tap for tap in bot.taps.values() if tap.chat == chat.id]
        return answer({
            "chat": chat.shown(),
            "bot": bot.shown(),
            "blocked": chat.blocked,
            "action": chat.action,
            "commands": commands_of(bot, chat),
            "messages": [message_truth(bot, message) for message in newest],
            "taps": [tap_truth(tap) for tap in taps],
        })  # fmt: skip

    async def _tap(self, request: web.Request) -> web.Response:
        tap = self._bot(request).taps.get(request.match_info["tap"])
        if tap is None:
            raise ControlError("tap isn't known: expected the id that a tap gave")
        return answer(tap_truth(tap))

    async def _file(self, request: web.Request) -> web.Response:
        file = self._bot(request).files.get(request.match_info["file"])
        if file is None:
            raise ControlError("file isn't known, or no more: expected a file_id")
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=86400, immutable"}
        if file.kind not in PICTURES:
            headers["Content-Disposition"] = "attachment"
        return web.Response(body=file.data, content_type=file.kind, headers=headers)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: the ids of chats that have changed."""
        bot, listener = self._bot(request), Listener()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream",
                                               "Cache-Control": "no-store"})  # fmt: skip
        await response.prepare(request)
        bot.listeners.add(listener)
        try:
            await response.write(b"retry: 1000\n\n")
            while True:
                try:
                    async with asyncio.timeout(ALIVE_S):
                        changed = sorted(await listener.next())
                except TimeoutError:
                    await response.write(b":\n\n")
                    continue
                await response.write(b"data: " + orjson.dumps(changed) + b"\n\n")
        except ConnectionError:
            return response
        finally:
            bot.listeners.discard(listener)

    async def _join(self, request: web.Request) -> web.Response:
        chat, user = People(self._bot(request)).join(await _body(request, Person))
        return answer({"chat": chat.shown(), "user": user})

    async def _say(self, request: web.Request) -> web.Response:
        """What a person writes; the messages that it became."""
        bot, said = self._bot(request), await _body(request, Said)
        messages = People(bot).say(said, said.text)
        return answer({"messages": [message_truth(bot, message) for message in messages]})

    async def _edit(self, request: web.Request) -> web.Response:
        bot, edited = self._bot(request), await _body(request, Edited)
        message = People(bot).edit(edited, edited.message_id, edited.text)
        return answer(message_truth(bot, message))

    async def _touch(self, request: web.Request) -> web.Response:
        body = await _body(request, Tapped)
        people = People(self._bot(request))
        tap = people.tap(body, body.message_id, body.data, unchecked=body.unchecked)
        return answer(tap_truth(tap))

    async def _block(self, request: web.Request) -> web.Response:
        body = await _body(request, Blocked)
        chat = People(self._bot(request)).block(body, blocked=body.blocked)
        return answer({"chat": chat.shown(), "blocked": chat.blocked})

    async def _faults(self, _: web.Request) -> web.Response:
        weather = self._controls.weather
        return answer({"faults": msgspec.to_builtins(weather.faults),
                       "counts": dict(weather.counts)})  # fmt: skip

    async def _set_faults(self, request: web.Request) -> web.Response:
        """Some of the faults; the others are off."""
        self._controls.weather.set(await _body(request, Faults))
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._controls.weather.set(Faults())
        return await self._faults(request)

    async def _limits(self, _: web.Request) -> web.Response:
        return answer(msgspec.to_builtins(self._controls.limits()))

    async def _set_limits(self, request: web.Request) -> web.Response:
        """Some of the limits, the others as the real ones; {"off": true} for none."""
        body = await _body(request, Switch)
        values = {name: getattr(body, name) for name in Limits.__struct_fields__}
        self._controls.set_limits(OFF if body.off else Limits(**values))
        return await self._limits(request)

    async def _later(self, request: web.Request) -> web.Response:
        self._controls.clock.advance((await _body(request, Later)).advance_s)
        return answer({"now_s": self._controls.clock.now()})

    async def _refuse(self, request: web.Request) -> web.Response:
        asked = await _body(request, Refused)
        response = answer({})
        # Whoever asked gets the answer before the connections are cut.
        await response.prepare(request)
        await response.write_eof()
        self._controls.refuse(asked.seconds)
        return response

    def _bot(self, request: web.Request) -> Bot:
        bots = list(self._controls.bots.values())
        name = request.query.get("bot", bots[0].username)
        for bot in bots:
            if bot.username == name:
                return bot
        known = ", ".join(bot.username for bot in bots)
        raise ControlError(f"bot {name!r} isn't known: expected one of {known}")

    def _known_chat(self, request: web.Request) -> Chat:
        number = request.match_info["chat"]
        for chat in self._bot(request).chats.values():
            if str(chat.id) == number:
                return chat
        raise ControlError(f"chat {number} isn't known: GET /control/chats lists those that are")


def message_truth(bot: Bot, message: Message) -> Json:
    """A message with what became of it."""
    return {
        "message_id": message.id,
        "of_bot": message.sender["id"] == bot.id,
        "from": message.sender,
        "date": message.date_s,
        **message.content,
        "reply_to": message.reply_to,
        "edited": message.edited_s,
        "before": message.before,
        "deleted": message.deleted,
    }


def tap_truth(tap: Tap) -> Json:
    """A tap, and its answer: None while there is none."""
    return {"id": tap.id, "message_id": tap.message, "data": tap.data, "answer": tap.answer}


def commands_of(bot: Bot, chat: Chat) -> list[Json]:
    """The commands that a client offers in a chat: the narrowest scope that has some."""
    kind = "all_private_chats" if chat.kind == "private" else "all_group_chats"
    for wanted in ({"type": "chat", "chat_id": str(chat.id)}, {"type": kind}, {"type": "default"}):
        scope = orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS).decode()
        if found := bot.commands.get((scope, "")):
            return found
    return []


def answer(data: Any, status: int = 200) -> web.Response:
    """Plain JSON."""
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json",
                        headers={"Cache-Control": "no-store"})  # fmt: skip


async def _body(request: web.Request, kind: type[Body]) -> Body:
    if request.content_type != "application/json":
        raise ControlError(f"expected Content-Type: application/json, found {request.content_type}")
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ControlError(f"expected {(kind.__doc__ or '').splitlines()[0]}: {error}") from None


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _carefully(handler: Handler) -> Handler:
    """What can't be done is said in one line."""

    async def handled(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ControlError as error:
            return answer({"error": str(error)}, 400)
        except ApiError as error:
            return answer({"error": error.description.removeprefix("Bad Request: ")}, error.code)

    return handled
