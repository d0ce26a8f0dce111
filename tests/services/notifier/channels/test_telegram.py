"""Telegram's channel against a Bot API server that fails on demand."""

import logging
import struct
import zlib
from collections.abc import AsyncIterator

import pytest

from chandler.core.notices.channel import ARRIVED
from chandler.core.notices.inputs import Button, Send
from services.notifier.channels.telegram import Telegram, TelegramError
from services.telegram import STAND_IN_TOKEN
from services.telegram_stand_in.faults import Faults
from services.telegram_stand_in.limits import OFF, Limits
from services.telegram_stand_in.people import People, Person
from services.telegram_stand_in.server import StandIn

ANN = Person(user_id=1001, name="Ann")
LOG = logging.getLogger("test")


def png() -> bytes:
    """A picture of one dot."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    dot = zlib.compress(b"\x00\x10\x20\x30")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", dot) + chunk(b"IEND", b"")


def message(html: str = "<b>hello</b>", **changed) -> Send:
    fields = {"user": "ann", "telegram_id": 1001, "id": "m1", "loud": True, "repeat": False}
    return Send(html=html, **{**fields, **changed})


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    async with StandIn(people=(ANN,), limits=OFF) as started:
        yield started


@pytest.fixture
async def telegram(stand_in) -> AsyncIterator[Telegram]:
    async with Telegram(STAND_IN_TOKEN, stand_in.url, LOG) as found:
        yield found


def texts(stand_in: StandIn) -> list[str | None]:
    chat = stand_in.bots[STAND_IN_TOKEN].chats[ANN.user_id]
    return [
        each.content.get("text", each.content.get("caption")) for each in chat.messages.values()
    ]


async def test_a_message_arrives_with_its_marks_and_its_buttons(stand_in, telegram):
    buttons = [[Button(text="Yes", data="yes"), Button(text="No", data="no")]]

    assert await telegram.bring(message(buttons=buttons), None) == ARRIVED

    [sent] = stand_in.bots[STAND_IN_TOKEN].chats[ANN.user_id].messages.values()
    assert sent.content["text"] == "hello"
    assert [each["type"] for each in sent.content["entities"]] == ["bold"]
    keyboard = sent.content["reply_markup"]["inline_keyboard"]
    assert [button["callback_data"] for button in keyboard[0]] == ["yes", "no"]


async def test_a_picture_comes_with_its_words(stand_in, telegram):
    assert await telegram.bring(message("a day"), png()) == ARRIVED

    assert texts(stand_in) == ["a day"]


async def test_words_too_long_for_a_caption_follow_their_picture(stand_in, telegram):
    words = "x" * 1_025

    assert await telegram.bring(message(words), png()) == ARRIVED

    assert texts(stand_in) == [None, words]


@pytest.mark.parametrize(
    ("faults", "perhaps", "retry_ms"),
    [
        (Faults(storm_s=7), False, 7_000),
        (Faults(server_error=1.0), True, 0),
        (Faults(lost_reply=1.0), True, 0),
        (Faults(down=True), True, 0),
    ],
    ids=["429", "5xx", "lost reply", "cut off"],
)
async def test_what_goes_wrong_for_now_comes_later(stand_in, telegram, faults, perhaps, retry_ms):
    stand_in.weather.set(faults)

    outcome = await telegram.bring(message(), None)

    assert (outcome.what, outcome.perhaps) == ("later", perhaps)
    assert outcome.retry_after_ms == retry_ms
    assert outcome.reason


async def test_words_that_have_to_wait_after_their_picture_come_as_a_repeat(stand_in, telegram):
    """The picture comes once more with them."""
    stand_in.weather.set(Faults(storm_s=7, methods=("sendMessage",)))

    outcome = await telegram.bring(message("x" * 1_025), png())

    assert texts(stand_in) == [None]
    assert (outcome.what, outcome.perhaps, outcome.retry_after_ms) == ("later", True, 7_000)


async def test_a_closed_port_has_taken_nothing(stand_in, telegram):
    await stand_in.close_port()

    outcome = await telegram.bring(message(), None)

    assert (outcome.what, outcome.perhaps) == ("later", False)


async def test_who_has_blocked_the_bot_never_gets_it(stand_in, telegram):
    People(stand_in.bots[STAND_IN_TOKEN]).block(ANN, blocked=True)

    assert (await telegram.bring(message(), None)).what == "never"


async def test_a_chat_that_there_is_not_never_gets_it(telegram):
    assert (await telegram.bring(message(telegram_id=77), None)).what == "never"


async def test_too_much_in_a_second_is_told_to_wait(stand_in, telegram):
    stand_in.set_limits(Limits())
    outcomes = [await telegram.bring(message(), None) for _ in range(40)]

    late = [each for each in outcomes if each.what == "later"]
    assert late
    assert all(each.retry_after_ms > 0 for each in late)


async def test_what_is_written_and_tapped_comes_once_and_in_order(stand_in, telegram):
    people = People(stand_in.bots[STAND_IN_TOKEN])
    await telegram.bring(message(buttons=[[Button(text="Yes", data="yes")]]), None)
    [sent] = stand_in.bots[STAND_IN_TOKEN].chats[ANN.user_id].messages
    people.say(ANN, "/status")
    tap = people.tap(ANN, sent, "yes")

    first = await telegram.asked(-1, 5)
    again = await telegram.asked(-1, 5)

    assert [(each.user_id, each.text, each.data) for each in first] == [
        (1001, "/status", ""),
        (1001, "", "yes"),
    ]
    assert first == again  # nothing was said to be kept
    assert first[1].tap == tap.id
    people.say(ANN, "later")
    assert [each.text for each in await telegram.asked(first[1].update, 5)] == ["later"]


async def test_an_update_that_cannot_be_read_is_passed_over_and_the_others_are_taken(
    stand_in, telegram
):
    books = stand_in.bots[STAND_IN_TOKEN]
    People(books).say(ANN, "before")
    strange = books.updates.add("message", {"message_id": "ninety", "chat": 7})
    People(books).say(ANN, "after")

    first = await telegram.asked(-1, 5)
    People(books).say(ANN, "later")

    assert [each.text for each in first] == ["before", "", "after"]
    assert (first[1].update, first[1].user_id) == (strange, 0)
    assert [each.text for each in await telegram.asked(first[-1].update, 5)] == ["later"]


async def test_a_token_that_telegram_does_not_know_is_said_without_it(stand_in):
    token = "123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    async with Telegram(token, stand_in.url, LOG) as stranger:
        with pytest.raises(TelegramError, match="setup") as caught:
            await stranger.asked(-1, 0)

    assert caught.value.grave
    assert token not in repr(caught.value)


async def test_no_fault_is_told_with_the_token(stand_in, telegram):
    for faults in (Faults(down=True), Faults(server_error=1.0), Faults(storm_s=3)):
        stand_in.weather.set(faults)
        outcome = await telegram.bring(message(), None)
        assert STAND_IN_TOKEN not in outcome.reason
        with pytest.raises(TelegramError) as caught:
            await telegram.name()
        assert STAND_IN_TOKEN not in str(caught.value)


async def test_commands_are_offered_in_a_chat(stand_in, telegram):
    await telegram.offer(ANN.user_id, [("status", "how it stands")])

    assert stand_in.bots[STAND_IN_TOKEN].commands


async def test_an_answer_quotes_what_it_answers_and_one_to_a_deleted_message_comes_without(
    stand_in, telegram
):
    people = People(stand_in.bots[STAND_IN_TOKEN])
    people.say(ANN, "/status")
    [asked] = await telegram.asked(-1, 0)

    assert await telegram.bring(message("first", reply_to=asked.message), None) == ARRIVED
    assert await telegram.bring(message("second", reply_to=999_999), None) == ARRIVED

    *_, first, second = stand_in.bots[STAND_IN_TOKEN].chats[ANN.user_id].messages.values()
    assert first.reply_to == asked.message > 0
    assert second.reply_to is None


async def test_the_buttons_of_a_question_that_is_over_are_taken_away(stand_in, telegram):
    """Confirm and Cancel stood under what had been confirmed or had expired."""
    buttons = [[Button(text="Confirm", data="yes:1")]]
    await telegram.bring(message("Close all?", buttons=buttons), None)
    [sent] = stand_in.bots[STAND_IN_TOKEN].chats[ANN.user_id].messages.values()
    People(stand_in.bots[STAND_IN_TOKEN]).tap(ANN, sent.id, "yes:1")
    [tapped] = await telegram.asked(-1, 0)

    await telegram.close(tapped.chat_id, tapped.message)
    await telegram.close(tapped.chat_id, tapped.message)  # again: nothing is to be done

    assert tapped.message == sent.id
    assert "reply_markup" not in sent.content
    assert sent.content["text"] == "Close all?"
