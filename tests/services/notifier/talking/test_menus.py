"""Menus: every button leads somewhere, and only where the person may go."""

import pytest

from services.notifier.talking.commands import COMMANDS, commands_for, example_of
from services.notifier.talking.known import Person
from tests.services.notifier.talking.scene import OLGA, OTTO, TALKING, VERA, Chat, taps, words

NAMES = {each.telegram_id: name for name, each in TALKING.users.items()}


def person(user_id: int) -> Person:
    name = NAMES[user_id]
    return Person(name, TALKING.users[name], TALKING)


@pytest.mark.parametrize("user_id", sorted(NAMES))
def test_every_button_can_be_tapped_by_who_gets_it(user_id):
    """All pages that can be reached from the main menu, each once."""
    chat = Chat(user_id)
    new, seen = {"/start", "/help"}, set[str]()
    while new:
        seen |= new
        found = set[str]()
        for line in sorted(new):
            decided = chat.taps(line)
            said = words(decided)
            assert decided.query or decided.wish or decided.reply
            assert "needs a" not in said
            assert "Expected:" not in said or line.count(" ") == 0, f"{line}: {said}"
            found |= {each for each in taps(decided).values() if each.startswith("/")}
        new = found - seen
    assert len(seen) > 20
    assert ("/stop" in seen) == (user_id != VERA)


@pytest.mark.parametrize("user_id", sorted(NAMES))
def test_the_example_of_every_command_is_understood(user_id):
    role = TALKING.users[NAMES[user_id]].role
    for name, _ in commands_for(role):
        example = example_of(person(user_id), name)
        decided = Chat(user_id).says(example)

        assert "Expected:" not in words(decided), example
        assert decided.query or decided.wish or decided.reply


@pytest.mark.parametrize("user_id", [VERA, OTTO, OLGA])
def test_help_lists_what_the_person_may_ask(user_id):
    role = TALKING.users[NAMES[user_id]].role
    said = words(Chat(user_id).says("/help"))

    for name, about in COMMANDS.items():
        assert (about.words in said) == (name in dict(commands_for(role)))


def test_the_menu_comes_by_its_name_too():
    assert taps(Chat().says("/menu")) == taps(Chat().says("/start"))


def test_help_on_a_command_says_how_it_is_written():
    said = words(Chat().says("/help /sell"))

    assert "/sell SYMBOL [NOTIONAL] [AGENT]" in said
    assert "opens a short" in said
    assert "Example: /sell BTCUSDT 100 anna" in said


def test_help_on_what_is_not_there_or_not_allowed_is_refused():
    assert "is no command of yours" in words(Chat(OTTO).says("/help buy"))
    assert "the nearest are /market" in words(Chat().says("/help markt"))
    assert "expected an agent, found 'hidden'" in words(Chat(VERA).says("/help agent hidden"))


def test_an_agent_whose_name_is_too_long_for_a_button_is_named_in_words():
    name = "a" * 60
    chat = Chat(agents=("anna", name))
    decided = chat.says("/help agents")

    assert list(taps(decided).values()) == ["/help agent anna", "/start"]
    assert name in words(decided)
    assert chat.says(f"/help agent {name}").reply


def test_many_agents_make_a_page_that_telegram_takes():
    chat = Chat(agents=tuple(f"agent-{number:03}" for number in range(300)))

    decided = chat.says("/help agents")
    assert len(taps(decided)) <= 61
    assert "… and 290 more" in words(chat.says("/stop"))
