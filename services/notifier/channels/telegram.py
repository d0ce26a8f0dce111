"""Telegram through aiogram: messages and pictures out; what people write and tap in.

Every error of the library is told apart here: what may have arrived, what comes later, what never
will. The token is in the request's address: an error's text is never shown as it is.
"""

import asyncio
import logging
from collections.abc import Sequence

import msgspec
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BotCommandScopeChat,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    ReplyParameters,
    Update,
)
from msgspec.structs import replace

from chandler.core.notices.channel import ARRIVED, Bring, Outcome
from chandler.core.notices.inputs import Button, Send
from chandler.core.notices.text import units
from services.notifier.talk import Asked

POLL_S = 25  # that Telegram keeps a question for updates open
REQUEST_S = 10.0
CAPTION_MAX = 1_024
UPDATES_MAX = 100
KINDS = ["message", "callback_query"]
NEVER = (TelegramForbiddenError, TelegramMigrateToChat, TelegramEntityTooLarge)


class _Numbered(msgspec.Struct):
    update_id: int


class _Answer(msgspec.Struct):
    result: list[_Numbered]


class TelegramError(Exception):
    """Telegram can't be used now: one line, without the token.

    `grave`: it won't mend itself; `refused`: it answers, and takes this one request not.
    """

    def __init__(
        self,
        text: str,
        *,
        grave: bool = False,
        refused: bool = False,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(text)
        self.grave = grave
        self.refused = refused
        self.retry_after_s = retry_after_s


class Telegram:
    """One bot. `async with` it."""

    def __init__(self, token: str, api_url: str, log: logging.Logger) -> None:
        self._session = AiohttpSession(api=TelegramAPIServer.from_base(api_url), timeout=REQUEST_S)
        self._bot = Bot(token, session=self._session)
        self._log = log

    async def __aenter__(self) -> "Telegram":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def bring(self, message: Send, picture: bytes | None) -> Outcome:
        """Sends a message, its picture before it or with it as the caption."""
        html, markup = message.html, _keyboard(message.buttons)
        quoted = _quoted(message.reply_to)
        begun = False
        try:
            if picture is not None:
                fits = units(html) <= CAPTION_MAX
                await self._bot.send_photo(
                    message.telegram_id,
                    BufferedInputFile(picture, "picture.png"),
                    caption=html if fits else None,
                    parse_mode="HTML",
                    reply_markup=markup if fits else None,
                    disable_notification=not message.loud,
                    reply_parameters=quoted,
                )
                if fits:
                    return ARRIVED
                begun, quoted = True, None
            await self._bot.send_message(
                message.telegram_id,
                html,
                parse_mode="HTML",
                reply_markup=markup,
                disable_notification=not message.loud,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                reply_parameters=quoted,
            )
        except (TelegramAPIError, ClientDecodeError) as error:
            outcome = _outcome(error)
            # The picture is there already: what comes later begins with it once more.
            return replace(outcome, perhaps=outcome.perhaps or begun)
        return ARRIVED

    async def name(self) -> str:
        """The bot's user name. TelegramError."""
        try:
            return (await self._bot.get_me()).username or ""
        except (TelegramAPIError, ClientDecodeError) as error:
            raise _explained(error) from None

    async def asked(self, after: int, now_ms: int) -> list[Asked]:
        """Updates after the number `after`, waited for; they are Telegram's to forget then.

        What is no message and no tap is an `Asked` without words, so that it counts as taken.
        TelegramError.
        """
        try:
            updates = await self._bot.get_updates(
                offset=after + 1,
                limit=UPDATES_MAX,
                timeout=POLL_S,
                allowed_updates=KINDS,
                request_timeout=POLL_S + int(REQUEST_S),
            )
        except ClientDecodeError as error:
            return self._apart(error, now_ms)
        except TelegramAPIError as error:
            raise _explained(error) from None
        return [asked_of(update, now_ms) for update in updates]

    def _apart(self, error: ClientDecodeError, now_ms: int) -> list[Asked]:
        """Updates of which one is of a kind that the library doesn't know: that one is passed over.

        Telegram would give it again for ever, and nothing behind it. TelegramError.
        """
        try:
            found = msgspec.convert(error.data, _Answer).result
        except msgspec.ValidationError:
            raise _explained(error) from None
        asked = []
        for known, each in zip(found, error.data["result"], strict=True):
            try:
                asked.append(asked_of(Update.model_validate(each), now_ms))
            except ValueError:
                self._log.warning("update %d can't be read: passed over", known.update_id)
                asked.append(Asked(update=known.update_id, user_id=0, chat_id=0, private=False))
        return asked

    async def tapped(self, tap: str, words: str) -> None:
        """Ends the waiting of who tapped a button; best effort: it is forgotten soon anyway."""
        try:
            await self._bot.answer_callback_query(tap, text=words[:200])
        except (TelegramAPIError, ClientDecodeError) as error:
            self._log.debug("a tap was not answered: %s", type(error).__name__)

    async def close(self, chat_id: int, message: int) -> None:
        """Takes the buttons away from under a question; best effort: they do nothing any more."""
        try:
            await self._bot.edit_message_reply_markup(
                chat_id=chat_id, message_id=message, reply_markup=None
            )
        except (TelegramAPIError, ClientDecodeError) as error:
            self._log.debug("a question keeps its buttons: %s", type(error).__name__)

    async def refuse(self, chat_id: int, words: str) -> None:
        """Plain words to somebody who is no user; best effort."""
        try:
            await self._bot.send_message(chat_id, words, disable_notification=True)
        except (TelegramAPIError, ClientDecodeError) as error:
            self._log.debug("a stranger was not answered: %s", type(error).__name__)

    async def offer(self, chat_id: int, commands: Sequence[tuple[str, str]]) -> None:
        """Sets the commands that a chat completes. TelegramError."""
        try:
            await self._bot.set_my_commands(
                [BotCommand(command=name, description=words) for name, words in commands],
                scope=BotCommandScopeChat(chat_id=chat_id),
            )
        except (TelegramAPIError, ClientDecodeError) as error:
            raise _explained(error) from None


def to_telegram(telegram: Telegram) -> Bring:
    """The bot as a channel; whom it writes to stands in the message."""

    async def bring(message: Send, address: str, picture: bytes | None) -> Outcome:
        return await telegram.bring(message, picture)

    return bring


def asked_of(update: Update, now_ms: int) -> Asked:
    """An update as far as it is of interest; nothing of it is trusted."""
    tap, message = update.callback_query, update.message
    if tap is not None:
        chat = tap.message.chat if tap.message is not None else None
        return Asked(
            update=update.update_id,
            user_id=tap.from_user.id,
            chat_id=chat.id if chat is not None else tap.from_user.id,
            private=chat is None or chat.type == "private",
            name=tap.from_user.full_name,
            data=tap.data or "",
            tap=tap.id,
            at=now_ms,
            message=tap.message.message_id if tap.message is not None else 0,
        )
    if message is None or message.from_user is None:
        return Asked(update=update.update_id, user_id=0, chat_id=0, private=False)
    return Asked(
        update=update.update_id,
        user_id=message.from_user.id,
        chat_id=message.chat.id,
        private=message.chat.type == "private",
        name=message.from_user.full_name,
        text=message.text or message.caption or "",
        at=int(message.date.timestamp() * 1_000),
        message=message.message_id,
    )


def _keyboard(buttons: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=each.text, callback_data=each.data) for each in row]
            for row in buttons
        ]
    )


def _quoted(message: int) -> ReplyParameters | None:
    """That a message answers another one; one that was deleted meanwhile is none."""
    if not message:
        return None
    return ReplyParameters(message_id=message, allow_sending_without_reply=True)


def _outcome(error: Exception) -> Outcome:
    """What became of a message whose sending raised."""
    said = _explained(error)
    if isinstance(error, NEVER):
        return Outcome(what="never", reason=str(said))
    if isinstance(error, TelegramBadRequest):
        return Outcome(what="never", reason=str(said))
    retry_ms = int(said.retry_after_s * 1_000)
    # Without a reply that can be read, or behind a gateway's fault, nobody knows; of a refused
    # connection it is known.
    unknown = isinstance(error, TelegramNetworkError | TelegramServerError | ClientDecodeError)
    perhaps = unknown and not _unconnected(error)
    return Outcome(what="later", reason=str(said), retry_after_ms=retry_ms, perhaps=perhaps)


def _unconnected(error: BaseException) -> bool:
    """Whether there was no connection that a request could have gone through."""
    cause: BaseException | None = error
    while cause is not None:
        if type(cause).__name__ in ("ClientConnectorError", "ClientConnectorDNSError"):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _explained(error: Exception) -> TelegramError:
    """In words of ours: the library's may hold the address, and with it the token."""
    match error:
        case TelegramRetryAfter():
            wait_s = float(error.retry_after)
            return TelegramError(f"Telegram asks to wait {wait_s:g} s", retry_after_s=wait_s)
        case TelegramConflictError():
            return TelegramError(
                "the bot's token is used by another process, too: end that one", grave=True
            )
        case TelegramUnauthorizedError() | TelegramNotFound():
            return TelegramError(
                "Telegram doesn't know the bot's token: run ./chandler setup", grave=True
            )
        case TelegramForbiddenError():
            return TelegramError(
                "the person has not started the bot, or has blocked it", refused=True
            )
        case TelegramServerError():
            return TelegramError("Telegram has a fault of its own (5xx)")
        case TelegramNetworkError():
            return TelegramError("Telegram can't be reached")
        case ClientDecodeError():
            return TelegramError("Telegram's answer can't be read")
        case TelegramMigrateToChat():
            return TelegramError("the chat has moved")
        case TelegramAPIError():
            return TelegramError(f"Telegram refuses it: {error.message[:200]}", refused=True)
    return TelegramError(type(error).__name__)


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Waits, but not beyond the stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
