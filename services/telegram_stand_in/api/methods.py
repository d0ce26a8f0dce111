"""The methods that the stand-in knows, by name."""

from collections.abc import Awaitable, Callable
from typing import Any

from services.telegram_stand_in.api.asking import Asking
from services.telegram_stand_in.api.parameters import Parameters
from services.telegram_stand_in.api.writing import Writing
from services.telegram_stand_in.refusals import ApiError

Method = Callable[[Parameters], Any | Awaitable[Any]]
KNOWN = {
    "getme", "getupdates", "setwebhook", "deletewebhook", "getwebhookinfo", "answercallbackquery",
    "setmycommands", "getmycommands", "deletemycommands", "getchat", "getfile", "sendmessage",
    "sendphoto", "senddocument", "sendchataction", "editmessagetext", "editmessagecaption",
    "editmessagereplymarkup", "deletemessage",
}  # fmt: skip


def methods(asking: Asking, writing: Writing) -> dict[str, Method]:
    """By their names in small letters: the real one doesn't tell letters' size apart."""
    return {
        "getme": asking.get_me,
        "getupdates": asking.get_updates,
        "setwebhook": asking.set_webhook,
        "deletewebhook": asking.delete_webhook,
        "getwebhookinfo": asking.get_webhook_info,
        "answercallbackquery": asking.answer_callback_query,
        "setmycommands": asking.set_my_commands,
        "getmycommands": asking.get_my_commands,
        "deletemycommands": asking.delete_my_commands,
        "getchat": asking.get_chat,
        "getfile": asking.get_file,
        "sendmessage": writing.send_message,
        "sendphoto": writing.send_photo,
        "senddocument": writing.send_document,
        "sendchataction": writing.send_chat_action,
        "editmessagetext": writing.edit_message_text,
        "editmessagecaption": writing.edit_message_caption,
        "editmessagereplymarkup": writing.edit_message_reply_markup,
        "deletemessage": writing.delete_message,
    }


async def call(known: dict[str, Method], name: str, given: Parameters) -> Any:
    """What the method gives; ApiError 404 for one that isn't known."""
    method = known.get(name.lower())
    if method is None:
        raise ApiError(404, "Not Found")
    result = method(given)
    return await result if isinstance(result, Awaitable) else result
