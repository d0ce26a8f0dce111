"""The bot at its server: who it is, who has written to it, a message to somebody.

Only the server of the profile is asked, redirects are not followed, and no error shows an address,
for the token is part of it.
"""

import asyncio
from typing import Any

import aiohttp
import orjson

from chandler.exchanges.bitget.config import is_local
from services.layers import ConfigurationError

ANSWER_S_MAX = 10.0
BODY_BYTES_MAX = 1 << 20
WRITERS_MAX = 9
UNKNOWN_CHAT = "chat not found"
BLOCKED = 403
NO_SUCH_TOKEN = (401, 404)
ANOTHER_READS = 409


class BotError(ConfigurationError):
    """The server said no. One line, without the token."""


class BotUnreachable(BotError):  # noqa: N818 - says what happened
    """No usable answer: nothing is known of the token."""


class TokenRefused(BotError):  # noqa: N818
    """The server doesn't know the token."""


class ChatUnknown(BotError):  # noqa: N818
    """The bot can't write to that person: nobody may be written to who hasn't written first."""


class Bot:
    """One token at one server. Never printed."""

    def __init__(self, url: str, token: str) -> None:
        self.username = ""  # known once `open` has asked
        self._url = url
        self._token = token

    def __repr__(self) -> str:
        return f"Bot({self._url})"

    def look(self) -> str:
        """The bot's name at Telegram. BotUnreachable, TokenRefused."""
        answer = self._called("getMe", {})
        self.username = str(answer.get("username", "")) if isinstance(answer, dict) else ""
        if not self.username:
            raise BotUnreachable(f"{self._url} gives the bot no name: is it a Bot API server?")
        return self.username

    def send(self, user_id: int, text: str) -> None:
        """A message to a person. ChatUnknown says what that person has to do first."""
        self._called("sendMessage", {"chat_id": user_id, "text": text})

    def writers(self) -> dict[int, str]:
        """Names of those who wrote to the bot lately, by id, the newest first; takes nothing."""
        updates = self._called("getUpdates", {"timeout": 0})
        found: dict[int, str] = {}
        for update in reversed(updates if isinstance(updates, list) else []):
            message = update.get("message") or {}  # other kinds of updates have none
            sender = message.get("from") or {}
            private = (message.get("chat") or {}).get("type") == "private"
            if private and isinstance(sender.get("id"), int) and len(found) < WRITERS_MAX:
                found.setdefault(sender["id"], str(sender.get("first_name", "")))
        return found

    def _called(self, method: str, parameters: dict[str, Any]) -> Any:
        return asyncio.run(self._call(method, parameters))

    async def _call(self, method: str, parameters: dict[str, Any]) -> Any:
        session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX), trust_env=not is_local(self._url)
        )
        try:
            async with (
                session,
                session.post(
                    f"{self._url}/bot{self._token}/{method}", json=parameters, allow_redirects=False
                ) as response,
            ):
                status = response.status
                body = b""
                async for part in response.content.iter_any():
                    body += part
                    if len(body) > BODY_BYTES_MAX:
                        break
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Its text may hold the address, and with it the token.
            raise BotUnreachable(
                f"{self._url} can't be reached, {_in_words(error)}: check the network, and "
                "telegram.api_url"
            ) from None
        return self._read(status, body)

    def _read(self, status: int, body: bytes) -> Any:
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict) or "ok" not in answer:
            raise BotUnreachable(f"{self._url} is no Bot API server (HTTP {status})")
        if answer["ok"]:
            return answer.get("result")
        code = answer.get("error_code", status)
        said = " ".join(str(answer.get("description", "")).split())[:200]
        said = said.replace(self._token, "…")
        if code in NO_SUCH_TOKEN:
            raise TokenRefused(f"{self._url} does not know this token: copy it again, whole")
        if code == BLOCKED:
            raise ChatUnknown(f"the bot is blocked: unblock @{self.username}, write /start to it")
        if UNKNOWN_CHAT in said.lower():
            raise ChatUnknown(f"write /start to @{self.username} first: it may not begin")
        if code == ANOTHER_READS:
            raise BotError("another process reads what is written to this bot: give the id itself")
        raise BotUnreachable(f"{self._url} says no: {said} (code {code})")


def _in_words(error: Exception) -> str:
    """What kept a question from its answer, without the error's own text."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "no address is known for its name"
        case aiohttp.ClientSSLError():
            return "it has no certificate that is trusted"
        case aiohttp.ClientConnectorError():
            return "nobody takes the connection"
        case TimeoutError():
            return f"it gave no answer within {ANSWER_S_MAX:g} s"
        case aiohttp.InvalidURL():
            return "that is no address"
        case _:
            return "the connection was cut"
