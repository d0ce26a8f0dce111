"""What people do reaches the bot: by long polling, by the library's dispatcher, by a webhook."""

import asyncio

import pytest
from aiogram import Dispatcher
from aiogram.exceptions import TelegramConflictError
from aiogram.filters import Command
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from aiohttp import web

from services.telegram_stand_in.faults import Faults
from services.telegram_stand_in.people import Person
from services.telegram_stand_in.refusals import ApiError
from services.telegram_stand_in.updates import PENDING_MAX
from services.telegram_stand_in.webhooks import SECRET_HEADER
from tests.services.telegram_stand_in.conftest import ANN, START_S, WAIT_S_MAX, library

BEN = Person(user_id=1002, name="Ben", chat_id=-500, title="The desk")


async def test_an_update_comes_again_until_it_is_confirmed(room, bot):
    room.say("one")
    room.say("two")

    first = await bot.get_updates(limit=1)
    second = await bot.get_updates()
    third = await bot.get_updates(offset=second[0].update_id + 1)

    assert [each.message.text for each in first] == ["one"]
    assert [each.message.text for each in second] == ["one", "two"]
    assert [each.message.text for each in third] == ["two"]
    assert [each.update_id for each in second] == [int(START_S), int(START_S) + 1]


async def test_a_negative_offset_leaves_the_newest(room, bot):
    for number in range(5):
        room.say(f"{number}")

    assert [each.message.text for each in await bot.get_updates(offset=-2)] == ["3", "4"]
    assert [each.message.text for each in await bot.get_updates()] == ["3", "4"]


async def test_a_long_poll_returns_with_the_first_update(room, bot):
    poll = asyncio.create_task(bot.get_updates(timeout=50))
    await room.books.updates.opened.wait()

    room.say("/status now")
    found = await asyncio.wait_for(poll, WAIT_S_MAX)

    assert found[0].message.text == "/status now"
    assert found[0].message.entities[0].type == "bot_command"
    assert (found[0].message.from_user.id, found[0].message.chat.type) == (ANN.user_id, "private")


async def test_a_second_poll_ends_the_first_with_409(room, bot):
    first = asyncio.create_task(bot.get_updates(timeout=50))
    await room.books.updates.opened.wait()
    other = library(room.stand_in)

    second = asyncio.create_task(other.get_updates(timeout=50))
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request"):
        await asyncio.wait_for(first, WAIT_S_MAX)
    room.say("hello")
    found = await asyncio.wait_for(second, WAIT_S_MAX)
    await other.session.close()

    assert [each.message and each.message.text for each in found] == ["hello"]


async def test_only_the_kinds_that_are_asked_for_come(room, bot):
    assert await bot.get_updates(allowed_updates=["edited_message"]) == []

    said = room.say("one")
    room.people.edit(ANN, said.id, "two")
    found = await bot.get_updates()

    assert [each.edited_message.text for each in found] == ["two"]


async def test_every_nth_update_comes_twice_where_it_is_asked_for(room, bot):
    room.stand_in.weather.set(Faults(duplicate_every=2))
    for text in "abcd":
        room.say(text)

    seen, offset = [], 0
    while found := await bot.get_updates(offset=offset, limit=1):
        seen += [each.message.text for each in found]
        offset = found[-1].update_id + 1

    assert seen == ["a", "b", "b", "c", "d", "d"]


async def test_a_dispatcher_polls_answers_and_takes_taps(room, bot):
    """The library's own loop, as the notifier runs it."""
    dispatcher = Dispatcher()

    @dispatcher.message(Command("buy"))
    async def buy(message, command):
        button = InlineKeyboardButton(text="Yes", callback_data=f"buy:{command.args}")
        await message.answer(
            f"Buy <b>{command.args}</b>?", parse_mode="HTML",
            reply_markup=InlineKeyboardMarkup(inline_keyboard=[[button]]),
        )  # fmt: skip

    @dispatcher.callback_query()
    async def yes(query):
        await query.message.edit_text(f"Bought {query.data.partition(':')[2]}")
        await query.answer("done")

    polling = asyncio.create_task(
        dispatcher.start_polling(bot, handle_signals=False, close_bot_session=False)
    )
    room.say("/buy ETHUSDT 5")
    await room.until(lambda: len(room.messages) == 2)
    question = room.messages[-1]
    tap = room.people.tap(ANN, question.id, "buy:ETHUSDT 5")
    await room.until(lambda: tap.answer is not None)
    await dispatcher.stop_polling()
    await polling

    assert room.texts == ["/buy ETHUSDT 5", "Bought ETHUSDT 5"]
    assert "reply_markup" not in question.content
    assert tap.answer == {"text": "done", "show_alert": False}
    assert len(room.books.updates) == 0


async def test_a_group_has_its_own_chat_and_people(room, bot):
    room.say("hello all", BEN)
    room.say("me too", Person(user_id=1003, name="Cleo", chat_id=-500))

    found = [each.message for each in await bot.get_updates()]

    assert [(each.chat.id, each.chat.title, each.from_user.first_name) for each in found] == [
        (-500, "The desk", "Ben"), (-500, "The desk", "Cleo"),
    ]  # fmt: skip


@pytest.fixture
async def hook():
    """A webhook that gathers what it is sent; its first answer is 500."""
    seen = []

    async def take(request):
        seen.append((request.headers.get(SECRET_HEADER), await request.json()))
        return web.Response(status=500 if len(seen) == 1 else 200)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", seen
    await runner.cleanup()


async def test_a_webhook_is_pushed_to_with_its_secret_until_it_has_taken_all(room, bot, hook):
    url, seen = hook
    room.say("one")
    room.stand_in.weather.set(Faults(duplicate_every=2))
    await bot.set_webhook(url, secret_token="s3cret-_")
    room.say("two")
    room.say("three")

    async with asyncio.timeout(WAIT_S_MAX):
        while len(seen) < 5 or len(room.books.updates):
            info = await bot.get_webhook_info()

    assert [each[1]["message"]["text"] for each in seen] == ["one", "one", "two", "two", "three"]
    assert {each[0] for each in seen} == {"s3cret-_"}
    assert info.url == url
    with pytest.raises(TelegramConflictError, match="while webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert await bot.get_updates() == []
    assert (await bot.get_webhook_info()).url == ""


async def test_a_webhook_that_is_not_there_is_told_of(room, bot):
    await bot.set_webhook("http://127.0.0.1:9/hook")
    room.say("one")

    async with asyncio.timeout(WAIT_S_MAX):
        while not (info := await bot.get_webhook_info()).last_error_message:
            pass

    assert "Connection failed" in info.last_error_message
    assert info.pending_update_count == 1
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == []


async def test_what_nobody_fetches_is_bounded(room):
    for number in range(PENDING_MAX + 5):
        room.books.updates.add("message", {"text": f"{number}"})

    assert len(room.books.updates) == PENDING_MAX
    assert room.books.updates.forgotten == 5


def test_any_text_of_a_person_becomes_messages_or_is_refused(room):
    room.say("\ud800broken\x00\x07bytes \u202e😀")
    pieces = room.people.say(ANN, "x" * 9000)

    assert room.texts[0] == "\ufffdbroken  bytes \u202e😀"
    assert [len(each.content["text"]) for each in pieces] == [4096, 4096, 808]
    for text in ("", " \n\t ", "\x00"):
        with pytest.raises(ApiError, match="text is empty"):
            room.say(text)


async def test_an_old_button_can_be_tapped_only_where_it_is_asked_for(room, bot):
    button = InlineKeyboardButton(text="Yes", callback_data="y")
    sent = await bot.send_message(
        ANN.user_id, "buy?", reply_markup=InlineKeyboardMarkup(inline_keyboard=[[button]])
    )
    await bot.edit_message_reply_markup(chat_id=ANN.user_id, message_id=sent.message_id)

    with pytest.raises(ApiError, match="has no button"):
        room.people.tap(ANN, sent.message_id, "y")
    room.people.tap(ANN, sent.message_id, "y", unchecked=True)

    assert [each.callback_query.data for each in await bot.get_updates()] == ["y"]
