"""What people may set while an agent trades: limits, the size of a forced entry, an expiry."""

from decimal import Decimal

import pytest

from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import Answer, OrderRequested
from chandler.core.trading.limits import LIMITS
from tests.core.desk.scene import BTC, ETH, entered, holds, of, only, ready, reasons, requests

D = Decimal
TWO = {"anna": AgentConfig(), "ben": AgentConfig()}


def answer(events):
    return only(events, Answer).outcome


def test_a_limit_holds_from_then_on_and_for_that_agent_alone():
    scene = ready(agents=TWO)

    set_ = scene.command("limit", agent="anna", limit="positions_max", value=D(0))

    assert answer(set_) == "done"
    made = scene.signal("long")
    assert [each.agent for each in requests(made)] == ["ben"]
    assert reasons(made) == ["positions_max"]


def test_without_a_value_the_profiles_limit_holds_again():
    scene = ready()
    scene.command("limit", limit="positions_max", value=D(0))
    scene.command("limit", limit="positions_max")

    assert requests(scene.signal("long"))
    assert scene.states["anna"].limits == {}


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_every_limit_takes_its_bounds_and_nothing_beyond(name):
    limit = LIMITS[name]
    kind = type(getattr(AgentConfig(), name))
    for value in (limit.least, limit.most):
        scene = ready()
        assert answer(scene.command("limit", agent="anna", limit=name, value=value)) == "done"
        scene.signal("long")  # nothing of it breaks a decision
        holds(scene)
        assert scene.states["anna"].limits == {name: value}
        assert kind(value) == value
    for value in (limit.least - 1, limit.most + 1, D("NaN"), D("Infinity"), D("1E+30")):
        refused = ready().command("limit", agent="anna", limit=name, value=value)
        assert answer(refused) == "refused"
    if limit.whole:
        half = limit.least + D("0.5")
        assert answer(ready().command("limit", agent="anna", limit=name, value=half)) == "refused"


def test_a_limit_that_there_is_not_is_refused():
    assert answer(ready().command("limit", agent="anna", limit="balance", value=D(1))) == "refused"


def test_the_size_of_entries_can_be_set():
    scene = ready(price=100)
    scene.command("limit", agent="anna", limit="size", value=D("50.05"))  # the ask is 100.1

    assert only(scene.signal("long"), OrderRequested).size == D("0.5")


def test_a_forced_entry_is_of_the_amount_that_was_asked_for():
    scene = ready(price=100)

    made = scene.command("force", agent="anna", symbol=BTC, side="long", notional=D("200.2"))

    assert answer(made) == "done"
    assert only(made, OrderRequested).size == D(2)
    holds(scene)


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_an_amount_that_is_none_is_refused(amount):
    made = ready().command("force", agent="anna", symbol=BTC, side="long", notional=D(amount))

    assert answer(made) == "refused"
    assert not of(made, OrderRequested)


def test_an_amount_beyond_the_balance_is_refused_like_any_entry():
    made = ready().command("force", agent="anna", symbol=BTC, side="long", notional=D("1E+30"))

    assert answer(made) == "refused"
    assert not of(made, OrderRequested)


def test_an_amount_is_not_spent_on_closing_the_other_side():
    scene = entered("long", agents={"anna": AgentConfig(on_opposite="reverse")})

    made = scene.command("force", agent="anna", symbol=BTC, side="short", notional=D(10))

    assert answer(made) == "refused"
    assert not of(made, OrderRequested)


def test_a_command_that_expired_before_it_was_read_is_refused_once():
    scene = ready()
    scene.taken_ms = 1_000_000

    late = scene.command("force", agent="anna", symbol=BTC, side="long", expires_ms=1_000_000)
    in_time = scene.command("force", agent="anna", symbol=ETH, side="long", expires_ms=1_000_001)

    assert (answer(late), answer(in_time)) == ("refused", "done")
    assert "expired" in only(late, Answer).detail
    assert [each.symbol for each in requests(in_time)] == [ETH]


def test_a_restart_of_a_service_is_none_of_the_desks_business():
    assert ready().command("restart", service="ingest") == []
