"""Exits, adds, funding, liquidation on paper."""

from decimal import Decimal

import pytest

from chandler.core.events import FundingRate
from chandler.core.granularity import HOUR_MS
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import (
    BalanceChanged,
    FundingPaid,
    Liquidated,
    NoticeAsked,
    OrderCancelled,
    OrderFilled,
    OrderRequested,
)
from tests.core.desk.scene import (
    BTC,
    START_MS,
    entered,
    holds,
    instrument,
    of,
    only,
    reasons,
    requests,
)

D = Decimal


def size_of(scene):
    return scene.states["anna"].holdings[BTC].position.size


def test_an_exit_is_ready_when_it_is_due():
    scene = entered()
    scene.wait(250)

    made = only(scene.take(scene.exit()), OrderRequested)
    fill = only(scene.tick(99, ms=1), OrderFilled)

    assert made.ready_ms == scene.now - 1
    assert (made.action, made.leg, made.source) == ("close", "stop", "stop")
    assert (fill.source, fill.done) == ("stop", True)
    assert scene.states["anna"].holdings == {}
    holds(scene)


def test_an_exit_that_is_due_at_the_newest_ticker_meets_it():
    scene = entered()

    fill = only(scene.take(scene.exit()), OrderFilled)

    assert fill.at == scene.now


def test_an_exit_again_closes_nothing_twice():
    scene = entered()
    part = scene.exit(leg="take_profit-1", kind="take_profit", size=D("1"))
    scene.take(part)
    left = size_of(scene)

    assert reasons(scene.take(part)) == ["processed"]
    assert size_of(scene) == left


def test_an_exit_of_a_position_that_is_gone_is_a_quiet_refusal():
    scene = entered()
    exit_ = scene.exit()
    scene.take(exit_)

    made = scene.take(exit_)

    assert reasons(made) == ["position_gone"]
    assert of(made, NoticeAsked) == []


def test_an_exit_of_an_earlier_position_does_not_touch_the_next():
    scene = entered()
    exit_ = scene.exit()
    scene.signal("flat")
    scene.tick(100)
    scene.signal("long")
    scene.tick(100)

    assert reasons(scene.take(exit_)) == ["position_gone"]
    assert BTC in scene.states["anna"].holdings


def test_a_second_close_of_all_while_the_first_is_on_its_way():
    scene = entered()
    scene.signal("flat")

    assert reasons(scene.take(scene.exit())) == ["closing"]


def test_a_part_is_closed_in_the_venues_steps_and_the_rest_later():
    scene = entered()
    whole = size_of(scene)
    scene.wait(1)

    made = only(
        scene.take(scene.exit(leg="take_profit-1", kind="take_profit", size=D("1.23456"))),
        OrderRequested,
    )
    stop = only(scene.take(scene.exit()), OrderRequested)
    scene.tick(101)

    assert made.size == D("1.234")
    assert stop.size == whole - D("1.234")
    assert scene.states["anna"].holdings == {}
    holds(scene)


def test_a_part_that_would_leave_less_than_the_minimum_closes_all():
    scene = entered()
    whole = size_of(scene)
    scene.instruments[BTC] = instrument(size_min="0.5")

    made = only(scene.take(scene.exit(size=whole - D("0.4"))), OrderRequested)

    assert made.size == whole


def test_a_part_below_the_minimum_becomes_the_minimum():
    scene = entered()
    scene.instruments[BTC] = instrument(size_min="0.5")

    assert only(scene.take(scene.exit(size=D("0.01"))), OrderRequested).size == D("0.5")


def test_an_exit_is_carried_out_though_the_trading_mode_raises():
    scene = entered()
    scene.desk.agents["anna"] = _with_broken_mode(scene.desk.agents["anna"])

    made = scene.take(scene.exit())

    assert len(requests(made)) == 1
    assert "boom" in only(made, NoticeAsked).text


def _with_broken_mode(agent):
    from msgspec.structs import replace

    from tests.core.desk.scene import broken

    return replace(agent, mode=broken)


def test_an_exit_of_another_shards_agent_is_none_of_ours():
    scene = entered()

    assert scene.take(scene.exit().__class__(**{**_fields(scene.exit()), "agent": "ben"})) == []


def _fields(event):
    return {name: getattr(event, name) for name in event.__struct_fields__ if name != "v"}


def add(scene, **changed):
    return scene.exit(leg="dca-1", kind="dca", action="add", size=D("2.0004"), **changed)


def test_an_add_makes_the_position_larger():
    scene = entered(agents={"anna": AgentConfig(trading_mode="dca")})
    before = size_of(scene)

    made = scene.take(add(scene))

    assert only(made, OrderRequested).action == "add"
    assert only(made, OrderRequested).size == D("2.000")
    assert size_of(scene) == before + 2
    assert scene.states["anna"].holdings[BTC].adds == 1
    holds(scene)


def test_an_add_to_a_short_is_refused_in_a_pump():
    scene = entered("short", agents={"anna": AgentConfig(trading_mode="dca")})
    scene.guard("up")

    assert reasons(scene.take(add(scene))) == ["pump"]


def test_an_add_is_refused_while_trading_is_off_and_may_fire_again():
    scene = entered(agents={"anna": AgentConfig(trading_mode="dca")})
    scene.command("trading", on=False)
    refused = reasons(scene.take(add(scene)))
    scene.command("trading", on=True)

    assert refused == ["trading_off"]
    assert len(requests(scene.take(add(scene)))) == 1


def test_an_add_on_its_way_is_taken_back_when_all_is_closed():
    scene = entered(agents={"anna": AgentConfig(trading_mode="dca")})
    scene.wait(100)
    asked = only(scene.take(add(scene)), OrderRequested)

    made = scene.signal("flat")
    scene.tick(100)

    assert only(made, OrderCancelled).id == asked.id
    assert scene.states["anna"].holdings == {}
    holds(scene)


def funding(next_ms, rate="0.001"):
    return FundingRate(symbol=BTC, rate=rate, interval_h=8, next_ms=next_ms, seen_at=START_MS)


@pytest.mark.parametrize(("side", "sign"), [("long", 1), ("short", -1)])
def test_funding_is_paid_once_at_its_mark(side, sign):
    scene = entered(side)
    scene.fundings[BTC] = funding(START_MS + 8 * HOUR_MS)

    before = scene.tick(100)
    paid = scene.tick(100, ms=8 * HOUR_MS)
    after = scene.tick(100)

    expected = sign * size_of(scene) * 100 * D("0.001")
    assert before == after == []
    assert only(paid, FundingPaid).amount == expected
    assert only(paid, BalanceChanged).change == -expected
    holds(scene)


def test_a_funding_rate_by_itself_changes_nothing():
    scene = entered()

    assert scene.take(funding(START_MS + 8 * HOUR_MS)) == []


def test_a_position_is_liquidated_when_its_margin_is_gone():
    scene = entered(agents={"anna": AgentConfig(leverage=10)})
    scene.wait(100)
    scene.signal("flat")

    made = scene.tick(85, ms=250)

    gone = only(made, Liquidated)
    assert gone.price == D(85)
    assert only(made, OrderCancelled).at == scene.now
    assert [each.kind for each in of(made, BalanceChanged)] == ["liquidation"]
    assert scene.states["anna"].holdings == {}
    holds(scene)
