"""What a bot writes, through the real library: texts, keyboards, pictures, edits."""

import struct
import zlib

import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramNotFound
from aiogram.methods import TelegramMethod
from aiogram.types import (
    BotCommand,
    BotCommandScopeChat,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    ReplyParameters,
)

from services.telegram_stand_in.chats import MESSAGES_MAX, TAP_AGE_S_MAX
from tests.services.telegram_stand_in.conftest import ANN, START_S

CHAT = ANN.user_id


def keyboard(*rows):
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [InlineKeyboardButton(text=text, callback_data=data) for text, data in row]
            for row in rows
        ]
    )


def picture(width=40, height=30):
    """A grey PNG."""

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    rows = b"".join(b"\0" + b"\x99" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


async def test_a_message_stands_in_the_chat_as_the_library_was_told(room, bot):
    sent = await bot.send_message(CHAT, "hello /status <b>")

    assert (sent.text, sent.chat.id, sent.from_user.is_bot) == ("hello /status <b>", CHAT, True)
    assert sent.date.timestamp() == START_S
    assert [(each.type, each.offset, each.length) for each in sent.entities] == [
        ("bot_command", 6, 7)
    ]
    assert room.texts == ["hello /status <b>"]


async def test_html_becomes_entities(bot):
    sent = await bot.send_message(
        CHAT, '😀 <b>long <i>ETH</i></b> &lt;x&gt; <a href="https://example.org">link</a>',
        parse_mode="HTML",
    )  # fmt: skip

    assert sent.text == "😀 long ETH <x> link"
    assert [(each.type, each.extract_from(sent.text)) for each in sent.entities] == [
        ("bold", "long ETH"), ("italic", "ETH"), ("text_link", "link"),
    ]  # fmt: skip


async def test_markdown_becomes_entities(bot):
    sent = await bot.send_message(CHAT, "*PnL* `+1.5` \\(paper\\)", parse_mode="MarkdownV2")

    assert sent.text == "PnL +1.5 (paper)"
    assert [each.type for each in sent.entities] == ["bold", "code"]


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("a < b", "HTML", 'Unsupported start tag "" at byte offset 2'),
        ("é <x>", "HTML", 'Unsupported start tag "x" at byte offset 3'),
        ("<b>x", "HTML", 'Can\'t find end tag corresponding to start tag "b" at byte offset 0'),
        ("<b>x</i>", "HTML", 'Unmatched end tag, expected "</b>", found "</i>" at byte offset 4'),
        ("x</b>", "HTML", "Unexpected end tag at byte offset 1"),
        ("+1.5 %", "MarkdownV2", "Character '+' is reserved and must be escaped with the "
         "preceding '\\'"),
        ("*x", "MarkdownV2", "Can't find end of Bold entity at byte offset 0"),
    ],
)  # fmt: skip
async def test_markup_that_cant_be_read_is_refused(room, bot, text, mode, reason):
    with pytest.raises(TelegramBadRequest) as refused:
        await bot.send_message(CHAT, text, parse_mode=mode)

    assert refused.value.message == f"Bad Request: can't parse entities: {reason}"
    assert room.messages == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "message text is empty"),
        (" \n ", "message text is empty"),
        ("<b> </b>", "message text is empty"),
        ("x" * 4097, "message is too long"),
        ("😀" * 2049, "message is too long"),
    ],
)
async def test_a_text_that_is_empty_or_too_long_is_refused(bot, text, reason):
    with pytest.raises(TelegramBadRequest, match=reason):
        await bot.send_message(CHAT, text, parse_mode="HTML")


async def test_the_length_is_counted_after_the_markup(bot):
    sent = await bot.send_message(CHAT, f"<b>{'&amp;' * 4096}</b>", parse_mode="HTML")

    assert len(sent.text) == 4096


async def test_a_keyboard_is_kept_and_its_data_has_a_limit(room, bot):
    sent = await bot.send_message(
        CHAT, "buy?", reply_markup=keyboard([("Yes", "é" * 32), ("No", "n")])
    )

    assert [each.text for each in sent.reply_markup.inline_keyboard[0]] == ["Yes", "No"]
    for data in ("é" * 33, ""):
        with pytest.raises(TelegramBadRequest, match="BUTTON_DATA_INVALID"):
            await bot.send_message(CHAT, "buy?", reply_markup=keyboard([("Yes", data)]))
    assert len(room.messages) == 1


async def test_a_tap_is_answered_once_and_not_too_late(room, bot):
    sent = await bot.send_message(CHAT, "buy?", reply_markup=keyboard([("Yes", "y")]))
    early = room.people.tap(ANN, sent.message_id, "y")
    late = room.people.tap(ANN, sent.message_id, "y")

    await bot.answer_callback_query(early.id, "done", show_alert=True)
    room.stand_in.clock.advance(TAP_AGE_S_MAX + 1)
    for tap in (late.id, "17", early.id + "0"):
        with pytest.raises(TelegramBadRequest, match="query is too old"):
            await bot.answer_callback_query(tap)

    assert early.answer == {"text": "done", "show_alert": True}
    assert late.answer is None


async def test_a_picture_arrives_byte_for_byte(room, bot, http):
    file = BufferedInputFile(picture(), "equity.png")

    sent = await bot.send_photo(CHAT, file, caption="<b>day</b>", parse_mode="HTML")
    photo = sent.photo[-1]
    answer = await http.get(f"/control/files/{photo.file_id}")

    assert (photo.width, photo.height, sent.caption) == (40, 30, "day")
    assert answer.content_type == "image/png"
    assert await answer.read() == picture()
    again = await bot.send_photo(CHAT, photo.file_id)
    assert again.photo[-1].file_id == photo.file_id
    assert (await bot.download(photo.file_id)).read() == picture()
    assert room.texts == ["day", None]


@pytest.mark.parametrize(
    ("data", "caption", "reason"),
    [
        (b"not a picture", "x", "IMAGE_PROCESS_FAILED"),
        (picture(900, 9), "x", "PHOTO_INVALID_DIMENSIONS"),
        (picture(), "x" * 1025, "message caption is too long"),
    ],
)
async def test_a_picture_that_is_none_is_refused(bot, data, caption, reason):
    with pytest.raises(TelegramBadRequest, match=reason):
        await bot.send_photo(CHAT, BufferedInputFile(data, "x.png"), caption=caption)


async def test_a_document_is_kept_with_its_name(bot, http):
    sent = await bot.send_document(CHAT, BufferedInputFile(b"a,b\n1,2\n", "trades.csv"))

    answer = await http.get(f"/control/files/{sent.document.file_id}")

    assert sent.document.file_name == "trades.csv"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert await answer.read() == b"a,b\n1,2\n"


async def test_an_edit_changes_the_message_and_keeps_what_it_was(room, bot, http):
    sent = await bot.send_message(CHAT, "one", reply_markup=keyboard([("Yes", "y")]))

    edited = await bot.edit_message_text("two", chat_id=CHAT, message_id=sent.message_id)
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("two", chat_id=CHAT, message_id=sent.message_id)
    marked = await bot.edit_message_reply_markup(
        chat_id=CHAT, message_id=sent.message_id, reply_markup=keyboard([("No", "n")])
    )

    assert (edited.text, edited.reply_markup) == ("two", None)
    assert marked.reply_markup is not None
    said = (await (await http.get(f"/control/chats/{CHAT}")).json())["messages"]
    assert [each["text"] for each in said[0]["before"]] == ["one", "two"]
    assert said[0]["edited"] == int(START_S)


async def test_a_deleted_message_stays_on_record(room, bot):
    sent = await bot.send_message(CHAT, "one")

    assert await bot.delete_message(CHAT, sent.message_id)
    for work in (
        bot.delete_message(CHAT, sent.message_id),
        bot.edit_message_text("two", chat_id=CHAT, message_id=sent.message_id),
    ):
        with pytest.raises(TelegramBadRequest, match="not found"):
            await work
    assert room.messages[0].deleted


async def test_commands_in_formatted_texts_can_be_tapped_but_not_those_in_code(bot):
    sent = await bot.send_message(
        CHAT, "<b>try /status</b> or <code>/stop</code>", parse_mode="HTML"
    )

    assert [(each.type, each.extract_from(sent.text)) for each in sent.entities] == [
        ("bold", "try /status"), ("bot_command", "/status"), ("code", "/stop"),
    ]  # fmt: skip


async def test_a_persons_message_is_not_the_bots_to_edit(room, bot):
    said = room.say("hello")

    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await bot.edit_message_text("two", chat_id=CHAT, message_id=said.id)


async def test_a_reply_names_the_message_that_it_answers(room, bot):
    said = room.say("/status")

    sent = await bot.send_message(
        CHAT, "all well", reply_parameters=ReplyParameters(message_id=said.id)
    )
    with pytest.raises(TelegramBadRequest, match="message to be replied not found"):
        await bot.send_message(CHAT, "x", reply_parameters=ReplyParameters(message_id=999))

    assert sent.reply_to_message.text == "/status"


async def test_who_is_not_known_or_has_blocked_the_bot_gets_nothing(room, bot):
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(4711, "hello")
    room.people.block(ANN, blocked=True)
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(CHAT, "hello")

    room.say("back again")

    await bot.send_message(CHAT, "hello")
    assert (await bot.get_chat("@ann")).id == CHAT


async def test_commands_are_kept_by_scope(bot, http):
    everywhere = [BotCommand(command="status", description="How it goes")]
    here = [BotCommand(command="stop", description="Stops trading")]
    scope = BotCommandScopeChat(chat_id=CHAT)

    await bot.set_my_commands(everywhere)
    await bot.set_my_commands(here, scope=scope)

    assert [each.command for each in await bot.get_my_commands()] == ["status"]
    assert [each.command for each in await bot.get_my_commands(scope=scope)] == ["stop"]
    shown = (await (await http.get(f"/control/chats/{CHAT}")).json())["commands"]
    assert [each["command"] for each in shown] == ["stop"]
    await bot.delete_my_commands(scope=scope)
    assert await bot.get_my_commands(scope=scope) == []
    with pytest.raises(TelegramBadRequest, match="BOT_COMMAND_INVALID"):
        await bot.set_my_commands([BotCommand(command="Status!", description="x")])


async def test_an_action_shows_until_the_message_comes(room, bot):
    await bot.send_chat_action(CHAT, "typing")
    assert room.chat.action == "typing"

    await bot.send_message(CHAT, "there")

    assert room.chat.action == ""


async def test_a_method_that_is_not_known_is_404(bot):
    class Dance(TelegramMethod[bool]):
        __returning__ = bool
        __api_method__ = "dance"

    with pytest.raises(TelegramNotFound):
        await bot(Dance())


@pytest.mark.parametrize("token", ["100000001:wrong", "1:x", "nothing"])
async def test_a_wrong_token_is_401(room, http, token):
    answer = await http.post(f"/bot{token}/getMe")

    assert answer.status == 401
    assert await answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}


async def test_json_forms_and_addresses_are_all_read(room, http):
    token = next(iter(room.stand_in.bots))
    path, wanted = f"/bot{token}/sendMessage", {"chat_id": CHAT, "text": "é&b"}

    answers = [
        await http.post(path, json=wanted),
        await http.post(path, data=wanted),
        await http.get(path, params=wanted),
        await http.post(f"/bot{token}/SENDmessage", params=wanted),
    ]

    assert [answer.status for answer in answers] == [200] * 4
    assert room.texts == ["é&b"] * 4


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b"\xff\xfe", b'{"chat_id": 1001}', b'{"text": "x"}', b""]
)
async def test_a_body_that_cant_be_read_is_400(room, http, body):
    token = next(iter(room.stand_in.bots))

    answer = await http.post(
        f"/bot{token}/sendMessage", data=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status == 400
    assert (await answer.json())["description"].startswith("Bad Request: ")


async def test_a_chat_forgets_its_oldest_messages(room):
    for number in range(MESSAGES_MAX + 3):
        room.say(f"{number}")

    assert len(room.messages) == MESSAGES_MAX
    assert room.texts[0] == "3"
