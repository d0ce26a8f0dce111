"""Who may ask what: roles, agents that are hidden, groups, strangers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chandler.core.granularity import DAY_MS
from services.notifier.talk import Decided
from services.notifier.talking import commands_for
from services.notifier.talking.commands import COMMANDS, ROLES, may
from services.notifier.talking.strangers import STRANGERS_MAX
from tests.services.notifier.talking.scene import (
    NOW,
    OLGA,
    OTTO,
    RITA,
    STRANGER,
    TALKING,
    VERA,
    Chat,
    taps,
    words,
)

LINES = st.builds(
    "{} {}".format,
    st.sampled_from(sorted(f"/{name}" for name in COMMANDS)),
    st.lists(
        st.sampled_from(
            ["hidden", "HIDDEN", "hiden", "anna", "btc", "by", "agent", "5", "agents", "off", "all",
             "scalper", "nobody"]
        ),
        max_size=3,
    ).map(" ".join),
)  # fmt: skip


@given(LINES, st.booleans())
def test_an_agent_that_somebody_may_not_see_is_as_one_that_does_not_exist(text, tapped):
    seen = Chat(VERA)
    gone = Chat(VERA, agents=("anna",))
    rita, alone = Chat(RITA), Chat(RITA, agents=("anna", "scalper"))

    for one, other in ((seen, gone), (rita, alone)):
        assert (one.taps if tapped else one.says)(text) == (other.taps if tapped else other.says)(
            text
        )


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_what_is_not_allowed_is_said_with_the_role_that_it_needs(name):
    role = COMMANDS[name].role
    decided = Chat(VERA).says(f"/{name} anna")

    said = words(decided)
    assert (f"/{name} needs an" in said) == (role != "viewer")
    if role != "viewer":
        assert role in said
        assert decided.query is None
        assert not decided.commands
        assert not decided.talks.pending


def test_the_commands_of_a_role_are_those_of_the_lower_ones_and_more():
    viewer, operator, owner = (dict(commands_for(role)) for role in ROLES)

    assert viewer.keys() < operator.keys() < owner.keys() == COMMANDS.keys()
    assert "logs" not in viewer
    assert "buy" not in operator


def test_telegram_takes_the_commands():
    for name, description in commands_for("owner"):
        assert 1 <= len(name) <= 32
        assert name.isascii()
        assert name.replace("_", "a").isalnum()
        assert name == name.lower()
        assert 3 <= len(description) <= 256


def test_a_stranger_is_refused_with_the_id_and_the_owners_are_told_once():
    chat = Chat(STRANGER)
    first = chat.says("/buy btc 100", name="<b>Mallory\n\u202e")
    again = chat.taps("yes:abc")

    assert first.user == again.user == ""
    assert first.refusal == again.refusal
    assert "Your id is 99" in first.refusal
    assert "id 99, calls itself '<b>Mallory \ufffd'" in first.owners
    assert again.owners == ""
    assert again.tapped
    assert not first.commands
    assert (first.reply, first.query, first.wish) == (None, None, None)


def test_the_owners_are_told_of_a_stranger_again_after_a_day():
    chat = Chat(STRANGER)
    assert chat.says("hello").owners
    chat.now += DAY_MS - 1
    assert not chat.says("hello").owners
    chat.now += 1
    assert chat.says("hello").owners


def test_a_crowd_of_strangers_neither_floods_the_owners_nor_the_state():
    chat = Chat()
    told = [chat.says("x", user_id=1_000 + number).owners for number in range(STRANGERS_MAX + 20)]

    assert sum(map(bool, told)) == STRANGERS_MAX == len(chat.talks.strangers)
    assert "of more you are not told" in told[STRANGERS_MAX - 1]
    chat.now += DAY_MS
    assert chat.says("x", user_id=5_000).owners
    assert len(chat.talks.strangers) == 1


def test_in_a_group_a_stranger_gets_no_answer():
    chat = Chat(STRANGER)
    assert chat.says("hello all", private=False) == Decided(talks=chat.talks)
    decided = chat.says("/status", private=False)

    assert not decided.refusal
    assert decided.owners


def test_in_a_group_questions_are_answered_and_nothing_costly_is_taken():
    chat = Chat(OLGA, bot="chandler_bot")

    assert chat.says("/status", private=False).query
    assert chat.says("/status@Chandler_Bot", private=False).query
    assert chat.says("/pause trend anna", private=False).commands
    for text in ("/buy btc 100", "/closeall", "/limit anna leverage 2", "/stop"):
        decided = chat.says(text, private=False)
        assert not decided.commands
        assert "Write to me directly" in words(decided)
    assert not chat.taps("/pause trend anna", private=False).commands
    assert not chat.talks.pending


def test_a_question_asked_in_private_is_not_confirmed_in_a_group():
    chat = Chat()
    data = taps(chat.says("/closeall"))["Confirm"]

    assert not chat.taps(data, private=False).commands


@pytest.mark.parametrize("text", ["status", "hello", "/status@another_bot", "", "buy btc 100"])
def test_what_people_say_to_each_other_in_a_group_is_not_answered(text):
    chat = Chat(OLGA, bot="chandler_bot")
    decided = chat.says(text, private=False)

    assert decided == Decided(talks=chat.talks)


def test_the_name_of_the_bot_need_not_be_known():
    assert Chat(OLGA).says("/status@chandler_bot", private=False).query


def test_a_message_without_text_and_an_unknown_command_are_answered():
    chat = Chat(OTTO)

    assert "text only" in words(chat.says(""))
    assert "'/stauts' is no command: the nearest are /stats, /status" in words(chat.says("/stauts"))
    assert words(chat.says("/" + "x" * 4_000)).startswith("'/xxxx")
    assert "nearest" not in words(chat.says("/limitt"))
    assert "the nearest is /limit" in words(chat.says("/limitt", user_id=OLGA))
    greeted = words(chat.says("hello there", user_id=OLGA))  # it was taken for /sell
    assert greeted == "'hello' is no command. /help lists them."
    assert "/status" in words(chat.says("stauts"))


def test_users_may_change_while_talks_are_kept():
    chat = Chat(OTTO)
    chat.says("/closeall")
    users = {name: user for name, user in TALKING.users.items() if name != "otto"}
    chat.talking = replace(TALKING, users=users)

    assert chat.says("/status").refusal
    chat.says("/closeall", user_id=OLGA)
    assert [each.user for each in chat.talks.pending.values()] == ["olga"]
    assert chat.now == NOW


def test_every_role_may_do_what_the_lower_ones_may():
    assert may("owner", "viewer")
    assert may("operator", "operator")
    assert not may("viewer", "operator")
    assert not may("operator", "owner")
