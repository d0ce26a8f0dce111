"""What can go wrong, and how much may be written: through the real library."""

import asyncio
import logging

import aiohttp
import pytest
from aiogram.exceptions import TelegramNetworkError, TelegramRetryAfter, TelegramServerError

from services.telegram_stand_in.api.methods import KNOWN
from services.telegram_stand_in.faults import Faults, Weather
from services.telegram_stand_in.limits import OFF, Limits, Throttle
from services.telegram_stand_in.people import Person
from services.telegram_stand_in.server import TOKEN, StandIn, StandInError
from tests.services.telegram_stand_in.conftest import ANN, WAIT_S_MAX

CHAT = ANN.user_id


async def test_a_lost_reply_leaves_the_message_in_the_chat(room, bot):
    room.stand_in.weather.set(Faults(lost_reply=1.0, methods=("sendMessage",), most=1))

    with pytest.raises(TelegramNetworkError):
        await bot.send_message(CHAT, "one")
    await bot.send_message(CHAT, "one, again")

    assert room.texts == ["one", "one, again"]


@pytest.mark.parametrize("faults", [Faults(down=True), Faults(server_error=1.0)])
async def test_nothing_is_taken_while_telegram_is_down(room, bot, faults):
    room.stand_in.weather.set(faults)

    with pytest.raises((TelegramNetworkError, TelegramServerError)):
        await bot.send_message(CHAT, "one")
    room.stand_in.weather.set(Faults())
    await bot.send_message(CHAT, "two")

    assert room.texts == ["two"]


async def test_silence_lasts_until_it_is_ended(room, bot):
    room.stand_in.weather.set(Faults(silence=True))
    sending = asyncio.create_task(bot.send_message(CHAT, "one"))
    async with asyncio.timeout(WAIT_S_MAX):
        while not room.stand_in.weather.counts["silence"]:
            await asyncio.sleep(0)

    assert not sending.done()
    room.stand_in.weather.set(Faults())
    with pytest.raises(TelegramNetworkError):
        await asyncio.wait_for(sending, WAIT_S_MAX)
    assert room.messages == []


async def test_a_closed_port_refuses_and_opens_again_with_all_it_knew(room, bot):
    await bot.send_message(CHAT, "one")
    await room.stand_in.close_port()

    with pytest.raises(TelegramNetworkError):
        await bot.send_message(CHAT, "two")
    with pytest.raises(TelegramNetworkError, match="Cannot connect"):
        await bot.send_message(CHAT, "two")
    await room.stand_in.open_port()
    await bot.send_message(CHAT, "three")

    assert room.texts == ["one", "three"]


async def test_a_storm_says_when_to_come_back(room, bot):
    room.stand_in.weather.set(Faults(storm_s=7))

    with pytest.raises(TelegramRetryAfter) as refused:
        await bot.send_message(CHAT, "one")

    assert refused.value.retry_after == 7
    assert room.messages == []


async def test_a_slow_answer_comes(room, bot):
    room.stand_in.weather.set(Faults(slow=1.0, slow_s=0.01))

    assert (await bot.send_message(CHAT, "one")).text == "one"
    assert room.stand_in.weather.counts == {"slow": 1}


def test_the_same_seed_gives_the_same_faults():
    def drawn(seed, others):
        weather = Weather(Faults(server_error=0.2, lost_reply=0.3, seed=seed))
        found = []
        for number in range(200):
            found.append(weather.meets("sendMessage"))
            if others and number % 3 == 0:
                weather.meets("getUpdates")
        return found

    one = drawn(1, others=False)
    assert one == drawn(1, others=True)
    assert one != drawn(2, others=False)
    assert 20 <= one.count("server_error") <= 60
    assert 40 <= one.count("lost_reply") <= 80


async def test_a_chat_takes_a_burst_and_then_one_a_second(room, bot):
    room.stand_in.set_limits(Limits())
    for number in range(5):
        await bot.send_message(CHAT, f"{number}")

    with pytest.raises(TelegramRetryAfter) as refused:
        await bot.send_message(CHAT, "6")
    assert refused.value.retry_after == 1
    room.stand_in.clock.advance(refused.value.retry_after)
    await bot.send_message(CHAT, "6")

    assert len(room.messages) == 6


def test_thirty_messages_a_second_go_out_in_all():
    throttle = Throttle(Limits())

    taken = [throttle.wait_s(chat, 100.0) for chat in range(40)]

    assert taken == [0] * 30 + [1] * 10
    assert throttle.wait_s(50, 101.0) == 0


def test_a_group_takes_twenty_a_minute():
    throttle = Throttle(Limits(chat_burst=100))

    taken = [throttle.wait_s(-5, 100.0 + number) for number in range(25)]

    assert taken == [0] * 20 + [40, 39, 38, 37, 36]
    assert throttle.wait_s(5, 125.0) == 0
    assert throttle.wait_s(-5, 160.0) == 0


def test_whoever_waits_as_long_as_was_said_is_let_through():
    """Also where limits meet: the longest of them is what is said."""
    throttle, now = Throttle(Limits(chat_per_second=0.3, chat_burst=3)), 100.0
    for _ in range(60):
        wait = throttle.wait_s(-5, now)
        if wait:
            now += wait
            assert throttle.wait_s(-5, now) == 0


def test_limits_can_be_switched_off():
    throttle = Throttle(OFF)

    assert {throttle.wait_s(-5, 100.0) for _ in range(1000)} == {0}


async def test_faults_and_limits_are_set_over_http(room, http):
    async def post(path, body):
        answer = await http.post(f"/control/{path}", json=body)
        return answer.status, await answer.json()

    status, said = await post("faults", {"server_error": 0.5, "seed": 3})
    assert (status, said["faults"]["server_error"]) == (200, 0.5)
    assert (await http.delete("/control/faults")).status == 200
    assert room.stand_in.weather.faults == Faults()
    assert (await post("limits", {"chat_burst": 9}))[1]["chat_burst"] == 9
    assert (await post("limits", {"off": True}))[1]["all_per_second"] == 0
    before = room.stand_in.clock.now()
    assert (await post("clock", {"advance_s": 60}))[1]["now_s"] == before + 60
    for path, body in (
        ("faults", {"server_error": 2}), ("faults", {"sever_error": 1}), ("limits", [1]),
        ("messages", {"user_id": 5}), ("messages", {"user_id": -5, "text": "x"}),
        ("messages", {"user_id": 5, "text": ""}), ("taps", {"user_id": 5, "message_id": 1,
         "data": "x"}), ("edits", {"user_id": 5, "message_id": 1, "text": "x"}),
    ):  # fmt: skip
        status, said = await post(path, body)
        assert (status, len(said["error"].splitlines())) == (400, 1), (path, body)


async def test_a_persons_doings_over_http_are_updates(room, bot, http):
    person = {"user_id": 77, "name": "Zoe"}
    said = await (await http.post("/control/messages", json=person | {"text": "/start a"})).json()
    number = said["messages"][0]["message_id"]
    await http.post("/control/edits", json=person | {"message_id": number, "text": "/start b"})
    await http.post("/control/blocks", json=person)

    found = await bot.get_updates()

    assert [each.event_type for each in found] == ["message", "edited_message", "my_chat_member"]
    assert found[1].edited_message.text == "/start b"
    assert found[2].my_chat_member.new_chat_member.status == "kicked"


async def test_the_port_is_closed_for_a_while_over_http(room, http):
    assert (await http.post("/control/refuse", json={"seconds": 600})).status == 200

    refused = False
    while not refused:
        try:
            await http.get("/control/state")
        except aiohttp.ClientError:
            refused = True
    await room.stand_in.open_port()
    assert (await http.get("/control/state")).status == 200


async def test_no_other_page_of_a_browser_reaches_the_control(room, http):
    body = '{"user_id": 1001, "text": "/stop"}'

    plain = await http.post("/control/messages", data=body)
    rebound = await http.get("/control/state", headers={"Host": "evil.example:80"})

    assert plain.status == 400
    assert rebound.status == 403
    assert room.messages == []


async def test_a_token_is_never_logged(room, bot, http, caplog, monkeypatch):
    """Not even when a method fails with something that nobody thought of."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(room.books, "put", lambda *_: 1 / 0)

    with pytest.raises(TelegramServerError):
        await bot.send_message(CHAT, "one")
    await http.get(f"/bot{TOKEN}/nothing")
    await http.get(f"/bot{TOKEN}wrong/getMe")

    assert "sendMessage failed" in caplog.text
    assert TOKEN.partition(":")[2] not in caplog.text


async def test_a_port_that_is_taken_is_said(room):
    with pytest.raises(StandInError, match="can't be used"):
        async with StandIn(room.stand_in.port):
            pass


async def test_several_bots_have_chats_of_their_own(room):
    with pytest.raises(StandInError, match="expected DIGITS:LETTERS"):
        StandIn(bots={"x:y": "one"})
    bots = {"5:a": "one_bot", "6:b": "two_bot"}
    person = Person(user_id=1, name="Ann")
    async with (
        StandIn(bots=bots, people=(person,)) as stand_in,
        aiohttp.ClientSession(stand_in.url) as http,
    ):
        await http.post("/bot6:b/sendMessage", json={"chat_id": 1, "text": "x"})
        counts = [
            (await (await http.get("/control/chats", params={"bot": name})).json())[0]["messages"]
            for name in bots.values()
        ]
        unknown = await http.get("/control/chats", params={"bot": "three_bot"})

    assert counts == [0, 1]
    assert unknown.status == 400


async def test_methods_are_counted_by_their_names_and_made_up_ones_as_one(room, bot, http):
    await bot.get_me()
    for name in ("dance", "sing"):
        await http.get(f"/bot{TOKEN}/{name}")

    state = await (await http.get("/control/state")).json()

    assert state["counts"] == {"getMe 200": 1, "unknown 404": 2}
    assert state["bots"][0]["username"] == room.books.username


def test_every_method_that_is_known_by_name_is_there(room):
    tables = list(room.stand_in._methods.values())

    assert tables
    assert all(set(table) == KNOWN for table in tables)
