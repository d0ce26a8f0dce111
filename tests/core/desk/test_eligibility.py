"""Each reason not to trade, and the order in which they are looked at."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from chandler.core.desk import eligibility
from chandler.core.events import Symbol
from chandler.core.granularity import DAY_MS
from chandler.core.trading.agents import AgentConfig, PaperConfig, PumpConfig
from chandler.core.trading.events import OrderRequested, Refusal
from tests.core.desk.scene import (
    BTC,
    ETH,
    START_MS,
    Scene,
    entered,
    instrument,
    of,
    only,
    ready,
    reasons,
    requests,
    ticker,
)

D = Decimal


def anna(**changed):
    return {"anna": AgentConfig(**changed)}


def said(scene, side="long", symbol=BTC, **changed):
    refusal = only(scene.signal(side, symbol, **changed), Refusal)
    assert refusal.detail
    assert refusal.agent in ("anna", "nobody")
    assert "\n" not in refusal.detail
    return refusal.reason


def test_a_signal_is_acted_on_once():
    scene = ready()
    wish = scene.wish("long")
    scene.take(wish)

    assert reasons(scene.take(wish)) == ["processed"]


def test_an_agent_that_is_not_enabled_trades_nothing():
    assert said(ready(agents=anna(enabled=False))) == "agent_inactive"


@pytest.mark.parametrize("switch", ["trading", "buying"])
def test_a_switch_of_the_profile_stops_entries(switch):
    assert said(ready(agents=anna(**{switch: False}))) == f"{switch}_off"


def test_buying_off_lets_shorts_through_and_selling_off_longs():
    assert requests(ready(agents=anna(buying=False)).signal("short"))
    assert requests(ready(agents=anna(selling=False)).signal("long"))
    assert said(ready(agents=anna(selling=False)), "short") == "selling_off"


def test_a_side_that_is_not_the_agents():
    assert said(ready(agents=anna(sides=("short",)))) == "side_not_allowed"


def test_an_engine_that_the_agent_does_not_follow():
    scene = ready(agents=anna(engines=["trend"]))

    assert said(scene) == "engine_not_followed"
    assert requests(scene.signal("long", source="trend"))


def test_an_external_signal_reaches_agents_by_name_or_those_that_follow_all():
    follower, other = ready(), ready(agents=anna(engines=["trend"]))

    assert requests(follower.signal("long", source="webhook"))
    assert said(other, source="webhook") == "engine_not_followed"
    assert requests(other.signal("long", source="webhook", agents=["anna"]))


def test_a_signal_for_an_agent_that_does_not_exist_is_refused_by_the_first_shard():
    scene = ready()

    refusal = only(scene.signal("long", agents=["nobody"]), Refusal)

    assert (refusal.agent, refusal.reason) == ("nobody", "unknown_agent")
    assert "anna" in refusal.detail


def test_a_signal_for_others_is_none_of_an_agents_business():
    scene = ready(agents={"anna": AgentConfig(), "ben": AgentConfig()})

    made = scene.signal("long", agents=["ben"])

    assert [each.agent for each in requests(made)] == ["ben"]
    assert reasons(made) == []


def test_a_symbol_that_the_agent_does_not_trade():
    assert said(ready(agents=anna(symbols=["ETHUSDT"]))) == "symbol_not_followed"


def test_a_symbol_that_nobody_knows():
    assert said(ready(), symbol=Symbol("NONEUSDT")) == "unknown_symbol"


def test_an_instrument_that_makes_no_sense_is_none():
    scene = ready()
    scene.instruments[BTC] = instrument(size_step="0")

    assert said(scene) == "unknown_symbol"


def test_a_symbol_that_the_venue_suspended():
    scene = ready()
    scene.instruments[BTC] = instrument(status="maintain")

    assert said(scene) == "symbol_suspended"


@pytest.mark.parametrize("strength", [0.0, -0.5, 1.5, 1e300])
def test_an_absurd_strength(strength):
    assert said(ready(), strength=strength) == "absurd_strength"


def test_a_strength_below_the_agents_minimum():
    assert said(ready(agents=anna(strength_min=0.9))) == "strength_low"


def test_a_signal_that_is_too_old():
    scene = ready()
    wish = scene.wish("long")
    scene.tick(100, ms=121_000)

    assert reasons(scene.take(wish)) == ["stale"]


def test_a_signal_from_before_the_agents_first_input_is_stale_however_fresh():
    """A fresh desk took what had closed just before it began, and a backtest of it could not."""
    scene = ready()
    began = scene.states["anna"].begun_ms
    before = scene.wish(close_ms=began - 1, expires_ms=began + 900_000)
    then = scene.wish(close_ms=began, expires_ms=began + 900_000)

    assert reasons(scene.take(before)) == ["stale"]
    assert requests(scene.take(then))


def test_on_paper_a_late_signal_is_stale_whatever_the_pace():
    """At 300x signals of ten hours ago were acted on at the start, their stops long overtaken."""
    scene = ready(pace=60.0)
    wish = scene.wish("long")
    scene.tick(100, ms=121_000)

    assert reasons(scene.take(wish)) == ["stale"]


@pytest.mark.parametrize(("kind", "pace", "way_ms"), [("paper", 60, 0), ("live", 60, 590_000)])
def test_what_the_way_of_a_live_signal_takes_is_longer_on_a_fast_clock(kind, pace, way_ms):
    scene = ready()
    wish = scene.wish("long")
    desk = replace(scene.desk, kind=kind, pace=pace)

    assert eligibility.fresh_until(wish, desk) == wish.expires_ms + way_ms


def test_a_signal_that_never_expires_expires_after_a_day():
    scene = ready()
    wish = replace(scene.wish("long"), expires_ms=2**60)
    scene.tick(100, ms=DAY_MS + 1)

    assert reasons(scene.take(wish)) == ["stale"]


def test_a_signal_from_the_future():
    scene = ready()

    assert said(scene, close_ms=scene.now + 3_600_000, expires_ms=2**60) == "from_future"


def test_a_short_is_refused_during_a_pump():
    scene = ready()
    scene.guard("up")

    assert said(scene, "short") == "pump"
    assert requests(scene.signal("long"))


def test_a_long_is_refused_in_a_crash_only_where_the_guard_mirrors():
    plain, mirrored = ready(), ready(pump=PumpConfig(mirror=True))
    plain.guard("down")
    mirrored.guard("down")

    assert requests(plain.signal("long"))
    assert said(mirrored) == "crash"


def test_a_guard_that_lags_or_is_silent_refuses_shorts():
    late, silent = ready(), ready()
    late.guard(age_ms=30_001)
    del silent.pumps[BTC]

    assert said(late, "short") == "guard_stale"
    assert said(silent, "short") == "guard_stale"
    assert requests(late.signal("long"))


def test_without_a_guard_shorts_go_through():
    scene = ready(pump=PumpConfig(enabled=False))
    del scene.pumps[BTC]

    assert requests(scene.signal("short"))


def test_a_price_that_is_too_old_or_none():
    scene, none = ready(), ready()
    scene.wait(10_001)
    del none.tickers[BTC]

    assert said(scene) == "price_stale"
    assert said(none) == "price_stale"


def test_a_pair_without_a_price_yet_has_none():
    scene = ready()
    scene.tickers[BTC] = replace(ticker(scene.now, 100), last="", bid="", ask="", mark="")

    assert said(scene) == "price_stale"


@pytest.mark.parametrize(
    ("side", "stop"), [("long", 100.2), ("long", -1.0), ("long", 0.0), ("short", 99.0)]
)
def test_a_stop_on_the_wrong_side(side, stop):
    assert said(ready(), side, stop=stop) == "stop_wrong_side"


@pytest.mark.parametrize("stop", [1e300, float("inf"), 1e-300])
def test_an_absurd_stop(stop):
    assert said(ready(), "short", stop=stop) == "stop_wrong_side"


def test_a_target_on_the_wrong_side():
    assert said(ready(), targets=[105.0, 99.0]) == "target_wrong_side"


def test_the_most_positions():
    scene = entered(agents=anna(positions_max=1))

    assert said(scene, symbol=ETH) == "positions_max"


def test_the_most_positions_counts_what_is_on_its_way():
    scene = ready(agents=anna(positions_max=1))
    scene.signal("long")

    assert said(scene, symbol=ETH) == "positions_max"


def test_the_most_entries_of_a_symbol_and_day():
    scene = entered(agents=anna(orders_per_symbol_day_max=1))
    scene.signal("flat")
    scene.tick(100)

    assert said(scene) == "day_limit"
    scene.now = START_MS + DAY_MS
    scene.tick(100)
    assert requests(scene.signal("long"))


def test_the_most_loss_of_a_day():
    scene = entered(agents=anna(size_percent=D(90), daily_loss_max_percent=D(10)))
    scene.tick(90)
    scene.signal("flat")
    scene.tick(90)

    assert said(scene) == "daily_loss"
    scene.now = START_MS + DAY_MS
    scene.tick(90)
    assert requests(scene.signal("long"))


def test_a_size_below_the_venues_minimum():
    scene = ready(agents=anna(size=D(50)))
    scene.instruments[BTC] = instrument(size_min="1", size_step="1")

    assert said(scene) == "size_min"


def test_a_notional_below_the_venues_minimum():
    assert said(ready(agents=anna(size=D(4)))) == "notional_min"


def test_a_price_impact_beyond_the_limit():
    scene = ready(paper=PaperConfig(slippage_percent=D(1)))

    assert said(scene) == "impact"
    free = ready(paper=PaperConfig(slippage_percent=D(1)), agents=anna(impact_max_percent=D(0)))
    assert requests(free.signal("long"))


def test_the_checks_are_in_the_order_of_the_design():
    """DESIGN.md §8's order; between its checks stand the faults of a signal itself."""
    order = [rule.reason for rule in (*eligibility.BEFORE_PLAN, *eligibility.AFTER_PLAN)]
    told = [
        "agent_inactive",
        "trading_off",
        "buying_off",
        "selling_off",
        "side_not_allowed",
        "engine_not_followed",
        "strength_low",
        "stale",
        "guard_stale",
        "pump",
        "price_stale",
        "position_open",
        "positions_max",
        "daily_loss",
        "balance",
        "size_min",
        "impact",
    ]

    assert [reason for reason in order if reason in told] == told
    assert len(set(eligibility.REASONS)) == len(eligibility.REASONS)


def test_of_many_faults_the_first_is_told():
    scene = ready(agents=anna(enabled=False, trading=False, sides=("short",)))

    assert said(scene, source="unknown", strength=7.0, stop=200.0) == "agent_inactive"


def test_every_reason_that_is_said_is_listed():
    scene = ready()
    for side in ("long", "short", "flat"):
        scene.signal(side, Symbol("NONEUSDT"), agents=["anna", "nobody"])

    assert {each.reason for each in scene.all(Refusal)} <= set(eligibility.REASONS)
    assert len(scene.all(Refusal)) == 6


def test_a_refusal_changes_nothing_so_the_agent_may_trade_later():
    scene = ready()
    wish = scene.wish("short")
    scene.guard("up")
    before = dict(scene.states)
    scene.take(wish)

    assert scene.states == before
    scene.guard("none")
    assert len(of(scene.take(wish), OrderRequested)) == 1


def test_a_scene_starts_at_the_day():
    assert Scene().now == START_MS


def test_a_crash_out_of_a_pump_bars_both_sides():
    """The guard says "up" and both: longs went through in the crash that followed a pump."""
    scene = ready(pump=PumpConfig(mirror=True))
    scene.guard("up", both=True)

    assert said(scene) == "crash"
    assert said(scene, "short") == "pump"
