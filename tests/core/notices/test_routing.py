"""Who gets what: roles, agents, switches."""

from typing import Any

import pytest
from msgspec.structs import replace

from chandler.core.notices.routing import SignalsWanted, User, faults, gets, told_how
from tests.core.notices.scene import OPERATOR, OWNER, VIEWER, notice

USERS = {"olga": OWNER, "otto": OPERATOR, "vera": VIEWER}


def getting(told, users=USERS):
    return [name for name, user in users.items() if gets(name, user, users, told)]


def test_a_viewer_sees_only_the_agents_that_are_named():
    assert getting(notice(agent="anna")) == ["olga", "otto", "vera"]
    assert getting(notice(agent="ben")) == ["olga", "otto"]


def test_an_operator_with_named_agents_sees_these_and_an_owner_all():
    users = {
        "olga": User(role="owner", telegram_id=1, agents=["anna"]),
        "otto": User(role="operator", telegram_id=2, agents=["anna"]),
    }

    assert getting(notice(agent="ben"), users) == ["olga"]


@pytest.mark.parametrize("kind", ["infra", "connection", "dead_letters"])
def test_what_happens_to_services_is_for_operators_and_owners(kind):
    told = notice(kind=kind, agent="", level="alarm")

    assert getting(told) == ["olga", "otto"]


def test_a_notice_of_the_desk_about_no_agent_is_for_operators_and_owners():
    assert getting(notice(kind="desk", agent="")) == ["olga", "otto"]


def test_pumps_are_for_all():
    assert getting(notice(kind="pump", agent="")) == ["olga", "otto", "vera"]


def test_an_answer_goes_to_who_asked_and_one_to_nobody_here_to_operators_and_owners():
    assert getting(notice(kind="answer", agent="", who="telegram:vera")) == ["vera"]
    assert getting(notice(kind="answer", agent="", who="cli")) == ["olga", "otto"]
    assert getting(notice(kind="answer", agent="", who="telegram:gone")) == ["olga", "otto"]
    assert getting(notice(kind="answer", agent="", who="vera")) == ["olga", "otto"]


def test_signals_are_chosen_by_engine_symbol_and_least_strength():
    wanted = SignalsWanted(engines=["trend"], symbols=["BTCUSDT"], strength_min=0.5)
    users = {"vera": User(role="viewer", telegram_id=1, signals=wanted)}
    told = notice(kind="signal", agent="", source="trend", symbol="BTCUSDT", strength=0.5)

    assert getting(told, users) == ["vera"]
    others: list[dict[str, Any]] = [
        {"source": "scalper"},
        {"symbol": "ETHUSDT"},
        {"strength": 0.4},
    ]
    for other in others:
        assert getting(replace(told, **other), users) == []


def test_a_switch_counts_before_the_profile_and_the_profile_before_the_kind():
    user = User(role="owner", telegram_id=1, notices={"refusal": "gathered"})

    assert told_how(user, {}, "refusal", alerts_only=False) == "gathered"
    assert told_how(user, {"refusal": "on"}, "refusal", alerts_only=False) == "on"
    assert told_how(user, {}, "funding", alerts_only=False) == "off"


def test_two_users_of_one_id_and_a_viewer_without_agents_are_named():
    users = {"a": OWNER, "b": User(role="viewer", telegram_id=OWNER.telegram_id)}

    first, second = faults(users)

    assert first.startswith("users.b: telegram_id 1 is a's already")
    assert second.startswith("users.b: a viewer without agents sees no trade")


def test_who_has_the_page_alone_needs_no_telegram_and_is_told_nothing():
    """Whoever only logs in on the page had to invent the id of a person on Telegram."""
    users = {"ann": User(role="owner", channel="")}

    assert faults(users) == []
    assert not gets("ann", users["ann"], users, notice(kind="alarm"))
