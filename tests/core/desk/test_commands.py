"""Commands: carried out once, answered once."""

import pytest

from chandler.core.trading.agents import AgentConfig, DeskConfig
from chandler.core.trading.events import Answer, Command, OrderRequested, WindowClosed
from chandler.core.trading.events import NoticeAsked as Notice
from chandler.core.trading.money import shown
from tests.core.desk.scene import (
    BTC,
    ETH,
    Scene,
    desks,
    entered,
    holds,
    only,
    ready,
    reasons,
    requests,
)

TWO = {"anna": AgentConfig(), "ben": AgentConfig(engines=["trend"])}


def answer(events):
    found = only(events, Answer)
    assert found.by == "executor"
    assert found.detail
    return found.outcome


def test_trading_off_and_on_again_for_all():
    scene = ready(agents=TWO)

    off = scene.command("trading", on=False)
    refused = reasons(scene.signal("long"))
    on = scene.command("trading", on=True)

    assert (answer(off), answer(on)) == ("done", "done")
    assert refused == ["trading_off", "trading_off"]
    assert requests(scene.signal("long"))


def test_a_switch_of_one_agent_and_symbol_leaves_the_others():
    scene = ready(agents={"anna": AgentConfig(), "ben": AgentConfig()})

    scene.command("buying", agent="anna", symbol=BTC, on=False)

    assert [each.agent for each in requests(scene.signal("long"))] == ["ben"]
    assert [each.agent for each in requests(scene.signal("long", ETH))] == ["anna", "ben"]


def test_a_switch_for_a_symbol_that_nobody_knows_is_refused():
    assert answer(ready().command("trading", symbol="NONEUSDT", on=False)) == "refused"


def test_the_same_command_again_is_neither_carried_out_nor_answered():
    scene = entered()
    command = Command(id="c", who="cli", what="close_all", at=scene.now)

    first = scene.take(command)

    assert answer(first) == "done"
    assert scene.take(command) == []


def test_a_command_to_an_unknown_agent_is_answered_once():
    scene = ready()
    command = Command(id="c", who="cli", what="trading", agent="nobody", at=scene.now)

    assert answer(scene.take(command)) == "refused"
    assert scene.take(command) == []


def test_a_command_to_another_shards_agent_is_left_to_it():
    agents = {"anna": AgentConfig(), "ben": AgentConfig(), "carl": AgentConfig()}
    shards = desks(agents, desk=DeskConfig(shards=3))
    scenes = [Scene(agents, desk=DeskConfig(shards=3), shard=number) for number in range(3)]

    for name in agents:
        told = [
            scene.take(Command(id=f"c-{name}", who="cli", what="trading", agent=name, at=scene.now))
            for scene in scenes
        ]
        answers = [[each for each in events if isinstance(each, Answer)] for events in told]
        home = next(shard.shard for shard in shards if name in shard.agents)
        assert [len(found) for found in answers] == [int(n == home) for n in range(3)]


def test_force_enters_without_engine_and_strength():
    scene = ready(agents={"anna": AgentConfig(engines=["trend"], strength_min=1.0)})

    made = scene.command("force", agent="anna", symbol=BTC, side="short")

    assert answer(made) == "done"
    assert only(made, OrderRequested).source == "person"
    holds(scene)


def test_force_is_held_back_by_a_pump_like_anything():
    scene = ready()
    scene.guard("up")

    made = scene.command("force", agent="anna", symbol=BTC, side="short")

    assert answer(made) == "refused"
    assert reasons(made) == ["pump"]


def test_force_needs_a_symbol_and_a_side():
    assert answer(ready().command("force", agent="anna")) == "refused"


def test_close_closes_one_symbol_and_close_all_the_rest():
    scene = entered(agents={"anna": AgentConfig(), "ben": AgentConfig()})
    scene.signal("short", ETH)
    scene.tick(100, ETH)

    one = scene.command("close", agent="anna", symbol=BTC)
    rest = scene.command("close_all")

    assert [(each.agent, each.symbol) for each in requests(one)] == [("anna", BTC)]
    assert [(each.agent, each.symbol) for each in requests(rest)] == [
        ("anna", ETH),
        ("ben", BTC),
        ("ben", ETH),
    ]
    scene.tick(100)
    scene.tick(100, ETH, ms=0)
    assert not any(state.holdings for state in scene.states.values())
    holds(scene)


def test_close_of_nothing_and_of_nobody_is_refused():
    scene = ready()

    assert answer(scene.command("close", symbol=BTC)) == "refused"
    assert answer(scene.command("close")) == "refused"
    assert answer(scene.command("close_all")) == "refused"


def test_an_engine_is_paused_and_resumed_for_an_agent():
    scene = ready()

    paused = scene.command("pause", agent="anna", source="scalper")
    refused = reasons(scene.signal("long"))
    resumed = scene.command("resume", agent="anna", source="scalper")

    assert (answer(paused), answer(resumed)) == ("done", "done")
    assert refused == ["engine_not_followed"]
    assert requests(scene.signal("long"))


def test_external_signals_are_paused_together():
    scene = ready()
    scene.command("pause", source="external")

    assert reasons(scene.signal("long", source="webhook")) == ["engine_not_followed"]
    assert requests(scene.signal("long"))


@pytest.mark.parametrize("source", ["", "nothing"])
def test_an_engine_that_is_not_there_cannot_be_paused(source):
    assert answer(ready().command("pause", source=source)) == "refused"


def test_resolve_without_a_difference_is_refused():
    assert answer(ready().command("resolve", agent="anna")) == "refused"


def test_a_window_that_was_closed_is_told_and_changes_nothing():
    scene = ready()
    before = dict(scene.states)

    made = scene.take(WindowClosed(input="signals", partition=3, waited_ms=5_000, at=scene.now))

    assert "signals" in only(made, Notice).text
    assert scene.states == before


def test_an_empty_shard_answers_only_as_the_first():
    scene = Scene({})

    assert answer(scene.command("trading", on=False)) == "done"
    assert scene.states == {}


def test_a_forced_entry_says_what_is_ordered_at_which_price_and_under_which_id():
    scene = ready()
    made = scene.command("force", agent="anna", symbol=BTC, side="long")

    [order] = [each for each in made if isinstance(each, OrderRequested)]
    [said] = [each.detail for each in made if isinstance(each, Answer)]
    assert said == f"anna buys {shown(order.size)} BTCUSDT at about {order.price}, order {order.id}"


def test_a_pause_says_of_each_agent_what_became_of_it():
    scene = ready()
    scene.command("pause", agent="anna", source="scalper")
    made = scene.command("pause", source="scalper")

    [said] = [each.detail for each in made if isinstance(each, Answer)]
    assert said.startswith("scalper, anna: it was so already")
    assert all(f"{name}: " in said for name in scene.desk.agents)
