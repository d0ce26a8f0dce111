"""Confirmations: once, in time, by who was asked. Nothing is ever carried out late."""

import pytest
from msgspec.structs import replace

from services.notifier.talk import Asked, Decided
from services.notifier.talking import decide
from services.notifier.talking.confirming import OPEN_MAX
from tests.services.notifier.talking.scene import (
    NOW,
    OLGA,
    OTTO,
    RITA,
    VERA,
    Chat,
    taps,
    words,
)


def test_a_double_tap_is_one_command():
    chat = Chat()
    data = taps(chat.says("/closeall"))["Confirm"]

    assert len(chat.taps(data).commands) == 1
    again = chat.taps(data)
    assert not again.commands
    assert "not open" in words(again)
    assert again.tapped == "Nothing was done"


def test_the_same_tap_delivered_twice_is_one_command_and_one_answer():
    chat = Chat()
    data = taps(chat.says("/closeall"))["Confirm"]
    chat.taps(data)
    before = chat.talks

    again = chat.taps(data, update=chat.update)

    assert again == Decided(talks=before)


@pytest.mark.parametrize("passed", [60_000, 600_000, 86_400_000, -1])
def test_a_tap_too_late_does_nothing_and_says_so(passed):
    """Also where the clock was set back: nobody knows how late it is."""
    chat = Chat()
    data = taps(chat.says("/buy btc 100 anna"))["Confirm"]
    chat.now += passed

    decided = chat.taps(data)

    assert not decided.commands
    assert "Too late, 60 s have passed: Buy (open long) BTCUSDT" in words(decided)
    chat.now = NOW
    assert not chat.taps(data).commands


@pytest.mark.parametrize("user_id", [OTTO, RITA, VERA])
def test_nobody_else_confirms_it(user_id):
    chat = Chat()
    data = taps(chat.says("/closeall"))["Confirm"]

    others = chat.taps(data, user_id=user_id)
    assert not others.commands
    assert not others.closes
    assert chat.taps(data).commands


def test_a_cancelled_question_can_not_be_confirmed():
    chat = Chat()
    buttons = taps(chat.says("/closeall"))

    assert words(chat.taps(buttons["Cancel"])).startswith("Cancelled: Close all positions")
    assert not chat.taps(buttons["Confirm"]).commands


def test_the_buttons_of_a_question_go_when_it_is_answered_and_at_the_next_tap_when_it_is_old():
    chat = Chat()
    first, second = (taps(chat.says("/closeall", message=7)) for _ in range(2))

    confirmed = chat.taps(first["Confirm"])
    chat.now += 61_000
    late = chat.taps(second["Confirm"])

    assert confirmed.closes
    assert (late.closes, late.commands) == (True, [])
    assert chat.taps(first["Cancel"]).closes
    assert not chat.says("/status").closes
    assert confirmed.message == 7  # what the desk says of it answers the line that asked


def test_cancel_forgets_all_open_questions_of_who_asks():
    chat = Chat()
    mine = [taps(chat.says(text))["Confirm"] for text in ("/closeall", "/go")]
    others = taps(chat.says("/stop", user_id=OTTO))["Confirm"]

    assert "Forgotten: 2 questions" in words(chat.says("/cancel"))
    assert not any(chat.taps(data).commands for data in mine)
    assert chat.taps(others, user_id=OTTO).commands
    assert words(chat.says("/cancel")) == "Nothing waits."


def test_a_button_of_a_menu_asks_back_what_a_written_line_does_at_once():
    """A tap has no time of its own: it may have waited for the notifier for hours."""
    chat = Chat()

    assert chat.says("/pause trend anna").commands
    decided = chat.taps("/pause trend anna")
    assert not decided.commands
    assert words(decided).startswith("Pause engine trend, agents: anna?")
    assert chat.taps(taps(decided)["Confirm"]).commands


def test_an_operator_with_agents_restarts_by_button_too():
    chat = Chat(RITA)

    (command,) = chat.taps(taps(chat.taps("/restart ingest"))["Confirm"]).commands

    assert (command.what, command.service) == ("restart", "ingest")


@pytest.mark.parametrize(
    "text", ["/pause trend anna", "/closeall", "/buy btc 100", "/restart ingest"]
)
def test_a_command_written_while_nobody_was_here_is_not_carried_out(text):
    chat = Chat()
    decided = chat.says(text, at=NOW - 300_000)

    assert not decided.commands
    assert not chat.talks.pending
    assert "written 5 min ago, while nobody was here. Nothing was done: ask again." in words(
        decided
    )
    assert not chat.says(text, at=NOW - 60_001).commands
    assert "nobody knows when" in words(chat.says(text, at=0))
    chat.says(text, at=NOW - 60_000)
    assert chat.made or chat.talks.pending


def test_an_update_is_taken_once():
    chat = Chat()
    chat.says("/pause trend anna")
    before = chat.talks

    for update in (chat.update, chat.update - 1, 0, -5):
        asked = Asked(
            update=update, user_id=OLGA, chat_id=1, private=True, text="/pause trend", at=NOW
        )
        assert decide(chat.talking, before, asked, NOW) == Decided(talks=before)


def test_updates_that_are_numbered_anew_after_a_week_are_taken():
    """Telegram does so where there was none for a week; the bot would be deaf for ever."""
    chat = Chat()
    chat.says("/status")
    chat.now += 7 * 86_400_000

    assert chat.says("/status", update=5).query is not None
    assert chat.talks.update == 5
    assert chat.says("/status", update=5).query is None
    assert chat.says("/status", update=6).query is not None


def test_a_code_is_of_the_update_the_user_and_what_is_asked():
    codes = [
        taps(chat.says(text, **more))["Confirm"]
        for chat, text, more in (
            (Chat(OLGA), "/closeall", {}),
            (Chat(OLGA), "/closeall", {"update": 500}),
            (Chat(OTTO), "/closeall", {}),
            (Chat(OLGA), "/closeall anna", {}),
        )
    ]

    assert len(set(codes)) == len(codes)
    assert taps(Chat(OLGA).says("/closeall"))["Confirm"] == codes[0]


def test_the_id_is_of_the_update_that_asked():
    first, later = Chat(), Chat()
    data = taps(first.says("/closeall"))["Confirm"]
    assert taps(later.says("/closeall"))["Confirm"] == data
    later.update += 50

    (one,), (other,) = first.taps(data).commands, later.taps(data).commands

    assert one.id == other.id


def test_open_questions_are_bounded():
    chat = Chat()
    asked = [taps(chat.says("/closeall"))["Confirm"] for _ in range(OPEN_MAX + 3)]

    assert len(chat.talks.pending) == OPEN_MAX
    assert not chat.taps(asked[2]).commands
    assert chat.taps(asked[3]).commands


@pytest.mark.parametrize(
    "demoted",
    [
        {"role": "viewer", "agents": ["anna", "hidden", "scalper"]},
        {"role": "operator"},
        {"role": "operator", "agents": ["anna"]},
    ],
)
def test_who_may_not_ask_for_it_any_more_does_not_confirm_it(demoted):
    chat = Chat()
    data = taps(chat.says("/buy btc 100"))["Confirm"]
    users = dict(chat.talking.users)
    users["olga"] = replace(users["olga"], **demoted)
    chat.talking = replace(chat.talking, users=users)

    decided = chat.taps(data)

    assert not decided.commands
    assert "You may not ask for it any more" in words(decided)


def test_who_has_fewer_agents_by_now_does_not_close_the_others():
    chat = Chat(OTTO)
    lines = ("/closeall", "/close scalper", "/close anna")
    every, scalper, anna = [taps(chat.says(line))["Confirm"] for line in lines]
    users = dict(chat.talking.users)
    users["otto"] = replace(users["otto"], agents=["anna"])
    chat.talking = replace(chat.talking, users=users)

    assert not chat.taps(every).commands
    assert not chat.taps(scalper).commands
    assert chat.taps(anna).commands


@pytest.mark.parametrize("data", ["yes:", "no:", "yes:abc", "no:" + "x" * 60, "yes:yes:", "", "zz"])
def test_a_button_that_nobody_made_does_nothing(data):
    chat = Chat()
    chat.says("/closeall")
    decided = chat.taps(data)

    assert not decided.commands
    assert len(chat.talks.pending) == 1
    assert decided.tapped == "Nothing was done"
