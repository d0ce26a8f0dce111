"""The methods that write nothing: who the bot is, its updates, taps, commands and chats."""

import re
from typing import Any

import orjson

from services.telegram_stand_in.api.parameters import Parameters
from services.telegram_stand_in.chats import TAP_AGE_S_MAX, Bot, Json
from services.telegram_stand_in.refusals import bad, conflict
from services.telegram_stand_in.webhooks import Webhook

ANSWER_MAX = 200
COMMANDS_MAX = 100
DESCRIPTION_MAX = 256
COMMAND = re.compile(r"[a-z0-9_]{1,32}")
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
SCOPES = {"default", "all_private_chats", "all_group_chats", "all_chat_administrators", "chat",
          "chat_administrators", "chat_member"}  # fmt: skip
POLLED = (
    "can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)
OLD = "query is too old and response timeout expired or query ID is invalid"


class Asking:
    """What a bot asks for."""

    def __init__(self, bot: Bot, webhook: Webhook) -> None:
        self._bot, self._webhook = bot, webhook

    def get_me(self, _: Parameters) -> Json:
        no = ("can_read_all_group_messages", "supports_inline_queries", "can_connect_to_business",
              "has_main_web_app")  # fmt: skip
        return self._bot.shown() | {"can_join_groups": True} | dict.fromkeys(no, False)

    async def get_updates(self, given: Parameters) -> list[Json]:
        if self._webhook.url:
            raise conflict(POLLED)
        self._allow(given)
        return await self._bot.updates.fetch(
            given.number("offset"), given.number("limit", 100), given.number("timeout")
        )

    async def set_webhook(self, given: Parameters) -> bool:
        url, secret = given.text("url"), given.text("secret_token")
        if secret and not SECRET.fullmatch(secret):
            raise bad("secret token contains illegal characters")
        if url and not re.match(r"https?://[^\s/]+", url):
            raise bad("bad webhook: invalid webhook URL specified")
        self._allow(given)
        if given.flag("drop_pending_updates"):
            self._bot.updates.clear()
        self._bot.updates.end()
        await self._webhook.set(url, secret, given.number("max_connections", 40))
        return True

    async def delete_webhook(self, given: Parameters) -> bool:
        if given.flag("drop_pending_updates"):
            self._bot.updates.clear()
        await self._webhook.set("", "", 40)
        return True

    def get_webhook_info(self, _: Parameters) -> Json:
        updates, webhook = self._bot.updates, self._webhook
        said: Json = {"url": webhook.url, "has_custom_certificate": False,
                      "pending_update_count": len(updates)}  # fmt: skip
        if webhook.url:
            said["max_connections"] = webhook.connections_max
        if webhook.error:
            said |= {"last_error_date": webhook.error_s, "last_error_message": webhook.error}
        return said | ({"allowed_updates": updates.allowed} if updates.allowed else {})

    def answer_callback_query(self, given: Parameters) -> bool:
        tap = self._bot.taps.get(given.text("callback_query_id"))
        if tap is None or self._bot.clock.now() - tap.at_s > TAP_AGE_S_MAX:
            raise bad(OLD)
        text = given.text("text")
        if len(text) > ANSWER_MAX:
            raise bad("MESSAGE_TOO_LONG")
        if tap.answer is None:
            tap.answer = {"text": text, "show_alert": given.flag("show_alert")}
            self._bot.change(self._bot.chats[tap.chat])
        return True

    def set_my_commands(self, given: Parameters) -> bool:
        commands = given.json("commands", "commands")
        if not isinstance(commands, list):
            raise bad("can't parse commands: expected an Array")
        if len(commands) > COMMANDS_MAX:
            raise bad("BOT_COMMANDS_TOO_MUCH")
        self._bot.commands[_scope(given)] = [_command(each) for each in commands]
        self._tell_all()
        return True

    def get_my_commands(self, given: Parameters) -> list[Json]:
        return self._bot.commands.get(_scope(given), [])

    def delete_my_commands(self, given: Parameters) -> bool:
        self._bot.commands.pop(_scope(given), None)
        self._tell_all()
        return True

    def get_chat(self, given: Parameters) -> Json:
        gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription",
                 "gifts_from_channels")  # fmt: skip
        chat = self._bot.chat(given.text("chat_id"))
        return chat.shown() | {
            "accent_color_id": 0,
            "max_reaction_count": 11,
            "accepted_gift_types": dict.fromkeys(gifts, False),
        }

    def get_file(self, given: Parameters) -> Json:
        file = self._bot.files.get(given.text("file_id"))
        if file is None:
            raise bad("invalid file_id")
        return {"file_id": file.id, "file_unique_id": file.id[-16:],
                "file_size": len(file.data), "file_path": f"files/{file.id}"}  # fmt: skip

    def _allow(self, given: Parameters) -> None:
        """Kinds of updates from now on; without the parameter they stay as they are."""
        kinds = given.json("allowed_updates", "allowed updates")
        if kinds is not None:
            if not isinstance(kinds, list):
                raise bad("can't parse allowed updates: expected an Array")
            self._bot.updates.allowed = [str(kind) for kind in kinds]

    def _tell_all(self) -> None:
        for chat in self._bot.chats.values():
            self._bot.change(chat)


def _command(given: Any) -> Json:
    if not isinstance(given, dict):
        raise bad("can't parse BotCommand: expected an Object")
    name = str(given.get("command", "")).removeprefix("/")
    description = str(given.get("description", "")).strip()
    if not COMMAND.fullmatch(name):
        raise bad("BOT_COMMAND_INVALID")
    if not 1 <= len(description) <= DESCRIPTION_MAX:
        raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name, "description": description}


def _scope(given: Parameters) -> tuple[str, str]:
    """Whose commands: the scope as text, with the language."""
    scope = given.json("scope", "bot command scope") or {"type": "default"}
    if not isinstance(scope, dict) or scope.get("type") not in SCOPES:
        raise bad("can't parse BotCommandScope: unsupported type specified")
    kept = {name: str(value) for name, value in scope.items() if value is not None}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode(), given.text("language_code")
