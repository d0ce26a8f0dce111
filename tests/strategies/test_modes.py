"""The shipped trading modes: how they enter, what makes them leave, and their settings."""

from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.events import Signal, Symbol
from chandler.core.granularity import Granularity
from chandler.core.positions.stage import Watching
from chandler.core.trading.events import ExitRequested, PositionClosed
from chandler.core.trading.modes import ModeError, View, check_mode, settings_of
from chandler.strategies import dca, fixed, trailing
from tests.core.positions.playing import BTC, LATENCY_MS, START_MS, fill, play, ticker

D = Decimal
MODES = [fixed, dca, trailing]


def signal(side="long", stop=None, targets=()):
    return Signal(
        id="s1",
        symbol=BTC,
        side=side,
        strength=0.5,
        source="trend",
        granularity=Granularity("5m"),
        close_ms=START_MS,
        expires_ms=START_MS + 60_000,
        stop=stop,
        targets=list(targets),
        reason="because",
        inputs=[],
        config="",
        code="",
    )


def view(price="100", position=None):
    return View(price=D(price), at=START_MS, position=position)


def exit_of(kind="take_profit", leg="take_profit-1", action="close", size="0.5"):
    return ExitRequested(
        id="e1",
        position="p1",
        account="anna",
        agent="anna",
        symbol=Symbol("BTCUSDT"),
        side="long",
        kind=kind,
        leg=leg,
        action=action,
        size=D(size),
        price=D(101),
        reason="",
        at=START_MS,
        due_ms=START_MS,
    )


def entered(mode, prices, side="long", **values):
    """The mode played through: its plan's entry at 100, then a price a second."""
    chosen = settings_of(mode, values)
    (leg,) = mode.plan(chosen, signal(side), view())
    entry = fill(START_MS, "100", "1", side=side, stop=leg.stop, targets=leg.targets)
    watch = Watching(
        name="positions",
        judges={"anna": partial(mode.watch, chosen)},
        belongs=lambda account: True,
        latency_ms=LATENCY_MS,
        mark_every_ms=10_000,
        retry_ms=5_000,
    )
    ticks = [ticker(START_MS + 1_000 * (n + 1), str(price)) for n, price in enumerate(prices)]
    return play(watch, entry, ticks)


def legs_of(played):
    return [each.leg for each in played.exits]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_a_shipped_mode_can_be_used_as_it_is(mode):
    check_mode(mode)

    assert mode.version
    assert mode.doc.endswith(".")


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_an_exit_is_carried_out_as_it_was_asked_for(mode):
    (leg,) = mode.plan(mode.config(), exit_of(), view())

    assert (leg.action, leg.leg, leg.size) == ("close", "take_profit-1", D("0.5"))


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_a_second_signal_adds_nothing_to_what_is_open(mode):
    held = entered(mode, ["100"]).state.open["p1"]

    assert mode.plan(mode.config(), signal(), view(position=held)) == ()


def test_fixed_takes_stop_and_targets_of_the_signal():
    (leg,) = fixed.plan(fixed.config(), signal(stop=97.5, targets=(102.25, 104.0)), view())

    assert (leg.action, leg.leg, leg.share) == ("open", "entry", D(1))
    assert leg.size is None
    assert (leg.stop, leg.targets) == (D("97.5"), (D("102.25"), D("104.0")))


def test_fixed_uses_percent_where_the_signal_has_nothing():
    settings_ = settings_of(fixed, {"stop_percent": 1, "target_percent": [2, 3]})

    (long,) = fixed.plan(settings_, signal(), view("50"))
    (short,) = fixed.plan(settings_, signal("short"), view("50"))

    assert (long.stop, long.targets) == (D("49.5"), (D(51), D("51.5")))
    assert (short.stop, short.targets) == (D("50.5"), (D(49), D("48.5")))


def test_fixed_can_be_told_to_take_no_stop_at_all():
    settings_ = settings_of(fixed, {"stop_percent": 0, "target_percent": []})

    (leg,) = fixed.plan(settings_, signal(), view())

    assert (leg.stop, leg.targets) == (None, ())


def test_fixed_leaves_at_its_target_or_its_stop():
    up, down = entered(fixed, ["101", "104", "104"]), entered(fixed, ["99", "98", "98"])

    assert legs_of(up) == ["take_profit-1"]
    assert legs_of(down) == ["stop"]
    assert not up.state.open
    assert not down.state.open


def test_fixed_leaves_a_position_that_goes_nowhere():
    played = entered(fixed, ["100.1"] * 70, hold_min=1)

    assert [(each.kind, each.at - START_MS) for each in played.exits] == [("stale", 60_000)]


def test_dca_buys_falling_prices_and_leaves_above_the_average():
    played = entered(dca, ["98", "98", "96", "96", "98.4", "98.7", "98.7"], target_percent=0.7)

    assert legs_of(played) == ["dca-1", "dca-2", "take_profit-1"]
    (closed,) = [each for each in played.outputs if isinstance(each, PositionClosed)]
    assert closed.position.adds == 2
    assert closed.position.realised > 0


def test_dca_of_a_short_is_its_mirror():
    played = entered(dca, ["102", "102", "104", "104", "100.4"], side="short")

    assert legs_of(played) == ["dca-1", "dca-2", "take_profit-1"]


def test_dca_enters_with_a_part_and_grows_its_steps():
    settings_ = settings_of(dca, {"entry_percent": 25})
    (leg,) = dca.plan(settings_, signal(), view())

    played = entered(dca, ["98", "98", "96", "96"], growth=2)

    assert leg.share == D("0.25")
    assert [each.size for each in played.exits] == [D(2), D(4)]


def test_dca_stops_beyond_its_last_step():
    played = entered(dca, ["98", "98", "96", "96", "94", "94", "90", "90"])

    assert legs_of(played) == ["dca-1", "dca-2", "dca-3", "stop"]
    assert not played.state.open


def test_trailing_takes_its_levels_and_trails_the_rest_from_the_peak():
    played = entered(trailing, ["101.5", "101.5", "103", "103", "108", "107.46", "107.4"])

    assert legs_of(played) == ["take_profit-1", "take_profit-2", "trailing"]
    assert [each.size for each in played.exits] == [D("0.3"), D("0.3"), None]
    assert not played.state.open


@pytest.mark.parametrize(
    ("mode", "values", "said"),
    [
        (fixed, {"stop_precent": 1}, r"no setting 'stop_precent' \(nearest: stop_percent\)"),
        (fixed, {"xyz": 1}, r"no setting 'xyz' \(there are signal_stop stop_percent"),
        (fixed, {"stop_percent": "much"}, "stop_percent: "),
        (fixed, {"stop_percent": float("nan")}, "stop_percent is no finite number"),
        (fixed, {"stop_percent": 100}, "stop_percent is 100: expected 0 to below 100"),
        (fixed, {"target_percent": [3, 2]}, "target_percent is .*rising"),
        (fixed, {"share_percent": [60, 60]}, "share_percent is .*together at most 100"),
        (dca, {"stop_percent": 5}, "stop_percent is 5: expected 0, or beyond the last step's 6"),
        (dca, {"steps": 99}, "steps is 99: expected 0 to 20"),
        (dca, {"hold_low_percent": 2}, "hold_low_percent is 2: expected at most"),
        (trailing, {"trail": [[1, 0]]}, "trail is .*distances above 0"),
        (trailing, {"levels": [[2, 50], [1, 50]]}, "levels is .*rising"),
    ],
)
def test_settings_that_can_not_be_are_one_line(mode, values, said):
    with pytest.raises(ModeError, match=said) as caught:
        settings_of(mode, values)

    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"trading mode {mode.name}")


@settings(max_examples=60)
@given(
    moves=st.lists(st.integers(-150, 150), max_size=150),
    mode=st.sampled_from(MODES),
    side=st.sampled_from(["long", "short"]),
)
def test_every_mode_asks_for_nothing_twice_and_says_what_it_does(moves, mode, side):
    prices, price = [], D(100)
    for cents in moves:
        price = max(D(1), price + D(cents) / 100)
        prices.append(price)

    played = entered(mode, prices, side)

    ids = [each.id for each in played.exits]
    assert len(ids) == len(set(ids))
    assert all(each.reason and "\n" not in each.reason for each in played.exits)
