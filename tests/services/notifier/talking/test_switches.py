"""Switches, pauses, restarts: the commands that they become, for whom, and which are asked back."""

import pytest

from chandler.core.trading.events import Command
from tests.services.notifier.talking.scene import (
    NOW,
    OLGA,
    OTTO,
    RITA,
    Chat,
    taps,
    words,
)


def made(command: Command) -> dict[str, object]:
    """What a command says beside its id and times."""
    ignored = ("id", "who", "expires_ms", "at", "v")
    return {
        name: getattr(command, name)
        for name in command.__struct_fields__
        if name not in ignored and getattr(command, name) not in ("", None)
    }


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/trading off anna", {"what": "trading", "on": False, "agent": "anna"}),
        ("/trading Anna ON btc", {"what": "trading", "agent": "anna", "symbol": "BTCUSDT"}),
        ("/go anna", {"what": "trading", "agent": "anna"}),
        ("/stop scalper sol", {
            "what": "trading", "on": False, "agent": "scalper", "symbol": "SOLUSDT"}),
        ("stop trading scalper", {"what": "trading", "on": False, "agent": "scalper"}),
        ("/buying off anna", {"what": "buying", "on": False, "agent": "anna"}),
        ("/selling on anna", {"what": "selling", "agent": "anna"}),
        ("/pause Trend", {"what": "pause", "source": "trend"}),
        ("/pause scalper scalper", {"what": "pause", "source": "scalper", "agent": "scalper"}),
        ("/resume trend anna", {"what": "resume", "source": "trend", "agent": "anna"}),
        ("/resolve anna", {"what": "resolve", "agent": "anna"}),
        ("/restart pump-guard", {"what": "restart", "service": "pump_guard"}),
    ],
)  # fmt: skip
def test_a_switch_for_one_agent_is_a_command_at_once(text, command):
    chat = Chat(OTTO)
    given = chat.command(text)

    assert made(given) == {"on": True, **command}
    assert given.expires_ms == NOW + 60_000
    assert given.who == "telegram:otto"


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("/trading off", "Stop trading, agents: all (anna, hidden, scalper)?"),
        ("/go", "Start trading, agents: all (anna, hidden, scalper)?"),
        ("/stop all btc", "Stop trading of BTCUSDT, agents: all (anna, hidden, scalper)?"),
        ("/buying off", "Turn buying off, agents: all (anna, hidden, scalper)?"),
    ],
)
def test_a_switch_for_all_is_asked_back(text, question):
    chat = Chat(OTTO)
    decided = chat.says(text)

    assert not decided.commands
    assert words(decided).splitlines()[0] == question
    (command,) = chat.taps(taps(decided)["Confirm"]).commands
    assert command.agent == ""


def test_an_operator_with_agents_who_names_none_means_exactly_these():
    """One of them is in no profile any more: it gets no command."""
    chat = Chat(RITA)

    given = chat.confirms("/stop").commands
    assert [each.agent for each in given] == ["anna", "scalper"]
    assert {each.on for each in given} == {False}

    given = chat.says("/pause trend").commands
    assert [each.agent for each in given] == ["anna", "scalper"]


def test_agents_without_a_name_are_never_all_for_who_has_none_here():
    chat = Chat(RITA, agents=("hidden",))

    for text in ("/stop", "/closeall", "/pause trend", "/close btc"):
        decided = chat.says(text)
        assert not decided.commands
        assert not chat.talks.pending
        assert "your agents are not here" in words(decided)


def test_without_agents_there_is_nothing_to_switch():
    chat = Chat(OLGA, agents=())

    assert "there are no agents" in words(chat.says("/stop"))
    assert chat.command("/restart ingest").service == "ingest"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/trading", "expected on or off, found nothing"),
        ("/trading anna", "expected on or off, found 'anna'"),
        ("/trading on off anna", "found 'on' and 'off'"),
        ("/trading off ana", "'ana' is no agent and no symbol: the nearest is anna"),
        ("/pause", "expected an engine, found none: there are external, scalper, trend"),
        ("/pause anna", "expected an engine, found 'anna'"),
        ("/pause trend btc", "'btc' is no agent"),
        ("/resolve", "expected an agent, found none"),
        ("/resolve all", "expected one agent by name"),
        ("/restart", "expected a service, found none"),
        ("/restart kafka", "'kafka' is no service"),
    ],
)
def test_a_switch_that_is_not_clear_does_nothing(text, says):
    chat = Chat()
    decided = chat.says(text)

    assert not decided.commands
    assert not chat.talks.pending
    assert says in words(decided)
    assert "Example: /" in words(decided)


def test_the_same_update_gives_the_same_ids():
    """The first time its transaction was aborted: nothing of it was kept."""
    first, again = Chat(RITA), Chat(RITA)
    again.now += 5_000

    ids = [each.id for each in first.says("/pause trend").commands]

    assert [each.id for each in again.says("/pause trend").commands] == ids
    assert [each.id for each in first.says("/pause trend").commands] != ids
    assert Chat(OTTO).command("/pause trend").id != Chat(OLGA).command("/pause trend").id
