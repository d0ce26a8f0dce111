"""Keyboards under messages, checked as the real one checks them."""

from typing import Any

from services.telegram_stand_in.api.parameters import Parameters
from services.telegram_stand_in.refusals import ApiError, bad
from services.telegram_stand_in.texts.html import link_of

DATA_BYTES_MAX = 64
BUTTONS_MAX = 100
# What a button may do beside callback_data and url; the stand-in keeps them and does nothing.
OTHERS = ("web_app", "login_url", "switch_inline_query", "switch_inline_query_current_chat",
          "switch_inline_query_chosen_chat", "copy_text", "callback_game", "pay")  # fmt: skip
ELSEWHERE = ("keyboard", "remove_keyboard", "force_reply")  # not under a message


def keyboard_of(given: Parameters) -> dict[str, Any] | None:
    """The inline keyboard, as the message shows it; None without one. ApiError 400."""
    markup = given.json("reply_markup", "reply keyboard markup")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    if any(name in markup for name in ELSEWHERE):
        return None
    rows = markup.get("inline_keyboard", [])
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad("can't parse reply keyboard markup JSON object: expected an array of arrays")
    kept = [[_button(button) for button in row] for row in rows if row]
    if sum(map(len, kept)) > BUTTONS_MAX:
        raise bad("reply markup is too long")
    return {"inline_keyboard": kept} if kept else None


def _button(button: Any) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise _cant("expected an Object")
    text = button.get("text")
    if not isinstance(text, str):
        raise _cant('Field "text" must be of type String')
    if not text.strip():
        raise bad("BUTTON_TEXT_INVALID")
    does = [name for name in ("callback_data", "url", *OTHERS) if button.get(name) is not None]
    if not does:
        raise _cant("Text buttons are unallowed in the inline keyboard")
    if len(does) > 1:
        raise bad("BUTTON_TYPE_INVALID")
    value = button[does[0]]
    if does[0] == "callback_data":
        size = len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else 0
        if not 1 <= size <= DATA_BYTES_MAX:
            raise bad("BUTTON_DATA_INVALID")
    if does[0] == "url" and not (isinstance(value, str) and link_of(value)):
        raise bad(f"inline keyboard button URL '{value}' is invalid: Wrong HTTP URL")
    return {"text": text, does[0]: value}


def _cant(reason: str) -> ApiError:
    return bad(f"can't parse inline keyboard button: {reason}")
