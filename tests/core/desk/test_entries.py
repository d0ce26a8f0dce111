"""Signals on paper: entries, what opposite and flat ones do, and that money adds up."""

from decimal import Decimal

import pytest

from chandler.core.desk.state import available
from chandler.core.trading.agents import AgentConfig, PaperConfig
from chandler.core.trading.events import (
    BalanceChanged,
    OrderCancelled,
    OrderFilled,
    OrderRefused,
    OrderRequested,
)
from tests.core.desk.scene import (
    BTC,
    ETH,
    LATENCY_MS,
    START_MS,
    Scene,
    entered,
    holds,
    instrument,
    of,
    only,
    ready,
    reasons,
    requests,
    ticker,
)

D = Decimal


def test_every_agent_starts_with_its_balance_said_once():
    scene = Scene({"anna": AgentConfig(balance=D(500)), "ben": AgentConfig()})

    first = scene.tick(100)
    second = scene.tick(101)

    assert [(each.agent, each.kind, each.balance) for each in of(first, BalanceChanged)] == [
        ("anna", "start", D(500)),
        ("ben", "start", D(10_000)),
    ]
    assert second == []


def test_a_signal_becomes_an_order_of_the_agents_size_in_the_venues_steps():
    scene = ready(agents={"anna": AgentConfig(size_percent=D(10), leverage=3)})

    made = only(scene.signal("long", stop=95.04, targets=[105.0]), OrderRequested)

    # 10 % of 10,000 as margin, times 3, at an ask of 100.1, down to steps of 0.001
    assert made.size == D("29.970")
    assert (made.leverage, made.side, made.action, made.buys) == (3, "long", "open", True)
    assert made.stop == D("95.0")
    assert made.targets == [D("105.0")]
    assert made.ready_ms == scene.now + LATENCY_MS
    assert made.sent_ms == 0
    assert len(made.id) <= 32
    assert made.id.isalnum()


def test_it_is_filled_by_the_first_ticker_at_or_after_it_is_ready():
    scene = ready()
    scene.signal("long")

    early = scene.tick(101, ms=LATENCY_MS - 1)
    fills = of(scene.tick(102, ms=1), OrderFilled)

    assert early == []
    assert [each.price for each in fills] == [D("102.2")]  # ask and slippage, up to the step
    assert fills[0].done
    assert fills[0].at == scene.now
    holds(scene)


def test_without_latency_it_meets_the_newest_ticker_at_once():
    scene = ready(paper=PaperConfig(latency_ms=0))

    fill = only(scene.signal("long"), OrderFilled)

    assert fill.at == scene.now
    holds(scene)


def test_with_a_ticker_that_is_older_than_ready_it_waits():
    scene = ready(paper=PaperConfig(latency_ms=0))
    scene.wait(5)

    assert of(scene.signal("long"), OrderFilled) == []


def test_a_stop_of_the_profile_moves_with_the_pace():
    scene = ready(pace=60.0)

    made = only(scene.signal("long"), OrderRequested)

    assert made.ready_ms == scene.now + 60 * LATENCY_MS


def test_leverage_is_capped_by_the_instrument():
    scene = Scene({"anna": AgentConfig(leverage=20)})
    scene.instruments[BTC] = instrument(leverage_max=5)
    scene.tick(100)

    made = only(scene.signal("long"), OrderRequested)

    assert made.leverage == 5
    assert made.size * D("100.1") <= D(5_000)


def test_a_second_signal_for_an_open_position_is_refused():
    scene = entered()

    assert reasons(scene.signal("long")) == ["position_open"]


def test_a_second_signal_while_the_first_is_on_its_way_is_refused():
    scene = ready()
    scene.signal("long")

    assert reasons(scene.signal("long")) == ["position_open"]
    assert reasons(scene.signal("short")) == ["position_open"]


def test_an_agents_position_is_its_own():
    scene = ready(agents={"anna": AgentConfig(), "ben": AgentConfig(sides=("short",))})

    made = scene.signal("long")
    also = scene.signal("short")

    assert [each.agent for each in requests(made)] == ["anna"]
    assert reasons(made) == ["side_not_allowed"]
    assert [each.agent for each in requests(also)] == ["ben"]


def test_an_opposite_signal_is_refused_where_it_is_to_be_ignored():
    scene = entered()

    assert reasons(scene.signal("short")) == ["position_open"]


def test_an_opposite_signal_closes_where_it_is_to_close():
    scene = entered(agents={"anna": AgentConfig(on_opposite="close")})

    made = only(scene.signal("short"), OrderRequested)
    fill = only(scene.tick(101), OrderFilled)

    assert (made.action, made.leg, made.source, made.buys) == (
        "close",
        "opposite",
        "opposite",
        False,
    )
    assert fill.done
    assert scene.states["anna"].holdings == {}
    holds(scene)


def test_an_opposite_signal_reverses_in_one_tick():
    scene = entered(agents={"anna": AgentConfig(on_opposite="reverse")})

    close, entry = requests(scene.signal("short"))
    fills = of(scene.tick(101), OrderFilled)

    assert (close.action, close.side, entry.action, entry.side) == (
        "close",
        "long",
        "open",
        "short",
    )
    assert [(each.id, each.at) for each in fills] == [
        (close.id, scene.now),
        (entry.id, scene.now),
    ]
    holding = scene.states["anna"].holdings[BTC]
    assert holding.position.side == "short"
    assert holding.id == entry.position
    holds(scene)


def test_a_reversal_that_may_not_enter_still_closes():
    scene = entered(agents={"anna": AgentConfig(on_opposite="reverse")})
    scene.guard("up")

    made = scene.signal("short")

    assert reasons(made) == ["pump"]
    assert [each.action for each in requests(made)] == ["close"]


def test_a_reversal_follows_a_stop_that_came_first():
    scene = entered(agents={"anna": AgentConfig(on_opposite="reverse")})
    scene.take(scene.exit())

    made = scene.signal("short")
    scene.tick(99)

    assert [each.action for each in requests(made)] == ["open"]
    assert scene.states["anna"].holdings[BTC].position.side == "short"
    holds(scene)


def test_a_flat_signal_closes():
    scene = entered("short")

    made = only(scene.signal("flat"), OrderRequested)
    scene.tick(99)

    assert (made.action, made.leg, made.buys) == ("close", "flat", True)
    assert scene.states["anna"].holdings == {}
    assert reasons(scene.signal("flat")) == ["nothing_to_close"]
    holds(scene)


def test_a_flat_signal_takes_an_entry_back_that_is_on_its_way():
    scene = ready()
    made = only(scene.signal("long"), OrderRequested)

    cancelled = only(scene.signal("flat"), OrderCancelled)
    scene.tick(100)

    assert cancelled.id == made.id
    assert scene.states["anna"].holdings == {}
    assert scene.states["anna"].intents == {}


def test_a_flat_signal_closes_though_trading_is_off_and_a_pump_is_on():
    scene = entered(agents={"anna": AgentConfig(trading=True)})
    scene.command("trading", on=False)
    scene.guard("up")

    assert [each.action for each in requests(scene.signal("flat"))] == ["close"]


def test_a_mode_that_adds_adds_to_what_is_open():
    scene = entered(agents={"anna": AgentConfig(trading_mode="adding")})
    first = scene.states["anna"].holdings[BTC]

    made = only(scene.signal("long"), OrderRequested)
    scene.tick(99)

    after = scene.states["anna"].holdings[BTC]
    assert (made.action, made.position) == ("add", first.id)
    assert after.id == first.id
    assert after.adds == 1
    assert after.position.size == first.position.size + made.size
    holds(scene)


def test_a_mode_that_raises_refuses_and_the_desk_goes_on():
    scene = ready(agents={"anna": AgentConfig(trading_mode="broken"), "ben": AgentConfig()})

    made = scene.signal("long")

    assert reasons(made) == ["mode_declined"]
    assert [each.agent for each in requests(made)] == ["ben"]


def test_what_margin_is_bound_is_not_spent_twice():
    scene = ready(agents={"anna": AgentConfig(size_percent=D(60))})

    first = scene.signal("long")
    second = scene.signal("long", ETH)

    assert len(requests(first)) == 1
    assert reasons(second) == ["balance"]
    assert available(scene.states["anna"]) < D(4_001)


def test_ids_are_of_the_decision_alone():
    one, other = ready(), ready()
    other.tick(100)
    other.tick(100, ETH, ms=0)
    other.now = one.now

    assert [each.id for each in requests(one.signal("long"))] == [
        each.id for each in requests(other.signal("long"))
    ]


@pytest.mark.parametrize("side", ["long", "short"])
def test_profit_and_loss_are_mirrored(side):
    scene = entered(side)
    up, down = scene.states["anna"].holdings[BTC].position.size, 110 if side == "long" else 90
    scene.tick(down)
    scene.signal("flat")
    scene.tick(down)

    state = scene.states["anna"]
    assert up * 9 < state.realised < up * 10
    assert state.balance > state.start
    holds(scene)


def test_a_symbol_that_is_suspended_keeps_its_position_and_says_so():
    scene = entered()
    scene.instruments[BTC] = instrument(status="off")

    refused = only(scene.signal("flat"), OrderRefused)

    assert refused.code == "suspended"
    assert not scene.states["anna"].holdings[BTC].closing
    scene.instruments[BTC] = instrument()
    assert len(requests(scene.signal("flat"))) == 1


def test_steps_that_change_leave_no_rest():
    scene = entered()
    scene.instruments[BTC] = instrument(size_step="7", size_min="7")

    scene.signal("flat")
    scene.tick(100)

    assert scene.states["anna"].holdings == {}


def test_a_ticker_of_another_symbol_does_nothing():
    scene = entered()

    assert scene.take(ticker(scene.now, 50, ETH)) == []
    assert scene.now > START_MS
