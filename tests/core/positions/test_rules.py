"""The rules one by one, their order, and what holds for any market."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chandler.core.events import Symbol
from chandler.core.positions.rules import (
    Ladder,
    Rules,
    Stale,
    add,
    averaged,
    judge,
    liquidation_risk,
    stale,
    stop,
    take_profit,
    trailed,
)
from chandler.core.trading.events import PositionMarked
from chandler.core.trading.modes import Fired, Held, Prices

D = Decimal
MINUTE_MS = 60_000
START_MS = 1_800_000_000_000


def holding(
    side="long",
    *,
    entry="100",
    size="1",
    stop=None,
    targets=(),
    peak=None,
    leverage=1,
    legs=None,
) -> Held:
    """A position of one fill."""
    cost = D(entry) * D(size)
    position = PositionMarked(
        id="p1",
        account="anna",
        agent="anna",
        symbol=Symbol("BTCUSDT"),
        side=side,
        size=D(size),
        cost=cost,
        leverage=leverage,
        stop=None if stop is None else D(stop),
        targets=[D(each) for each in targets],
        adds=0,
        opened_ms=START_MS,
        source="trend",
        mark=D(entry),
        peak=D(peak or entry),
        unrealised=D(0),
        realised=D(0),
        fees=D(0),
        funding=D(0),
    )
    return Held(
        position=position,
        entry_size=D(size),
        entry_cost=cost,
        opened_size=D(size),
        legs=legs or {},
    )


def at(last, *, mark=None, after_ms=1_000) -> Prices:
    price = D(last)
    return Prices(START_MS + after_ms, price, price, price, D(mark or last))


def fired(found: Fired | None) -> Fired:
    """What fired, where something has to."""
    assert found is not None
    return found


def test_a_stop_fires_at_its_price_and_beyond_and_not_before():
    long, short = holding(stop="98"), holding("short", stop="102")

    assert stop(long, at("98.01")) is None
    assert fired(stop(long, at("98"))).kind == "stop"
    assert fired(stop(long, at("90"))).size is None
    assert stop(short, at("101.99")) is None
    assert fired(stop(short, at("102"))).leg == "stop"


def test_a_position_without_a_stop_is_not_stopped():
    assert stop(holding(), at("0.01")) is None


def test_a_stop_that_is_under_way_does_not_fire_again():
    assert stop(holding(stop="98", legs={"stop": "flying"}), at("90")) is None


def test_the_stop_follows_the_peak_at_the_distance_of_the_last_row_reached():
    table = ((D(1), D(1)), (D(5), D("0.5")))

    assert trailed(table, holding(peak="100.99", stop="98")).position.stop == D(98)
    assert trailed(table, holding(peak="101", stop="98")).position.stop == D("99.99")
    assert trailed(table, holding(peak="110", stop="98")).position.stop == D("109.45")
    assert trailed(table, holding("short", peak="90", stop="102")).position.stop == D("90.45")


def test_a_trailed_stop_says_so():
    held = trailed(((D(1), D(1)),), holding(peak="102", stop="98"))

    found = fired(stop(held, at("100.9")))

    assert (found.kind, found.leg) == ("trailing", "trailing")
    assert "peak 102" in found.reason


def test_targets_close_equal_parts_and_the_last_one_all_that_is_left():
    held = holding(size="3", targets=("101", "102", "103"))

    first = fired(take_profit((), held, at("105")))
    second = fired(take_profit((), replace(held, legs={"take_profit-1": "done"}), at("105")))
    taken = {"take_profit-1": "done", "take_profit-2": "flying"}
    last = fired(take_profit((), replace(held, legs=taken), at("105")))

    assert (first.leg, first.size) == ("take_profit-1", D("1.00000000"))
    assert second.leg == "take_profit-2"
    assert (last.leg, last.size) == ("take_profit-3", None)


def test_shares_that_do_not_add_up_to_all_leave_the_rest_open():
    held = holding(targets=("101", "102"))
    shares = (D(30), D(30))
    both = replace(held, legs={"take_profit-1": "done"})

    assert fired(take_profit(shares, held, at("105"))).size == D("0.3")
    assert fired(take_profit(shares, both, at("105"))).size == D("0.3")
    assert fired(take_profit((D(30), D(70)), both, at("105"))).size is None


def test_a_target_that_is_not_reached_fires_nothing():
    assert take_profit((), holding(targets=("101",)), at("100.99")) is None
    assert take_profit((), holding("short", targets=("99",)), at("99.01")) is None
    assert fired(take_profit((), holding("short", targets=("99",)), at("99"))).size is None


def test_a_position_is_stale_when_it_is_old_and_its_profit_within_the_range():
    rule = Stale(hold_min=60, low_percent=D(-1), high_percent=D(1))
    old = 60 * MINUTE_MS

    assert stale(rule, holding(), at("100", after_ms=old - 1)) is None
    assert fired(stale(rule, holding(), at("100", after_ms=old))).kind == "stale"
    assert stale(rule, holding(), at("101.01", after_ms=old)) is None
    assert stale(rule, holding("short"), at("101", after_ms=old)) is not None
    assert stale(rule, holding("short"), at("101.01", after_ms=old)) is None


def test_liquidation_risk_is_the_share_of_the_margin_that_is_lost_at_mark():
    held = holding(leverage=10)  # a margin of 10

    assert liquidation_risk(D(80), held, at("100", mark="92.01")) is None
    assert fired(liquidation_risk(D(80), held, at("100", mark="92"))).size is None
    assert liquidation_risk(D(0), held, at("100", mark="1")) is None
    assert liquidation_risk(D(80), holding("short", leverage=10), at("1", mark="108")) is not None


def test_steps_are_added_one_at_a_time_at_ever_worse_prices():
    ladder = Ladder(attempts=2, step_percent=D(2), growth=D("1.5"))
    held = holding()

    first = fired(add(ladder, held, at("98")))
    waiting = add(ladder, replace(held, legs={"dca-1": "flying"}), at("90"))
    second = fired(add(ladder, replace(held, legs={"dca-1": "done"}), at("96")))
    spent = add(ladder, replace(held, legs={"dca-1": "done", "dca-2": "done"}), at("1"))

    assert add(ladder, held, at("98.01")) is None
    assert (first.action, first.leg, first.size) == ("add", "dca-1", D("1.5"))
    assert waiting is None
    assert (second.leg, second.size) == ("dca-2", D("2.25"))
    assert spent is None
    assert fired(add(ladder, holding("short"), at("102"))).leg == "dca-1"


def test_the_target_of_an_average_price_follows_it():
    held = holding(entry="95", size="3")

    assert averaged(D(2), held).position.targets == [D("96.9")]
    assert averaged(D(2), averaged(D(2), held)).position.targets == [D("96.9")]


PRICE = st.integers(8_000, 12_000).map(lambda cents: D(cents) / 100)
RULES = Rules(
    liquidation_percent=D(80),
    trail=((D(1), D(1)),),
    stale=Stale(hold_min=1, low_percent=D(-5), high_percent=D(5)),
    ladder=Ladder(attempts=2, step_percent=D(2), growth=D(1)),
)


@given(last=PRICE, mark=PRICE, side=st.sampled_from(["long", "short"]), late=st.booleans())
def test_the_first_rule_in_the_order_of_the_design_wins(last, mark, side, late):
    held = holding(
        side,
        leverage=10,
        stop="97" if side == "long" else "103",
        targets=("103",) if side == "long" else ("97",),
    )
    prices = at(last, mark=mark, after_ms=MINUTE_MS if late else 1_000)

    _, found = judge(RULES, held, prices)
    by_rule = [
        liquidation_risk(RULES.liquidation_percent, held, prices),
        stop(trailed(RULES.trail, held), prices),
        take_profit(RULES.shares, held, prices),
        stale(RULES.stale, held, prices),
        add(RULES.ladder, held, prices),
    ]

    assert found == next((each for each in by_rule if each is not None), None)


@given(
    walk=st.lists(PRICE, min_size=1, max_size=60),
    side=st.sampled_from(["long", "short"]),
    table=st.lists(
        st.tuples(st.integers(1, 10).map(D), st.integers(1, 20).map(lambda n: D(n) / 4)),
        max_size=4,
        unique_by=lambda row: row[0],
    ).map(lambda rows: tuple(sorted(rows))),
    first=st.none() | st.just("stop"),
)
def test_a_trailing_stop_never_moves_back(walk, side, table, first):
    held = holding(side, stop=("90" if side == "long" else "110") if first else None)
    rules = Rules(trail=table, liquidation_percent=D(0))
    better = max if side == "long" else min

    for step, price in enumerate(walk):
        before = held.position.stop
        peak = better(held.position.peak, price)
        held = replace(held, position=replace(held.position, peak=peak))
        held, _ = judge(rules, held, at(price, after_ms=step))

        after = held.position.stop
        assert before is None or (after is not None and after == better(before, after))


@pytest.mark.parametrize(
    "rules",
    [
        Rules(stale=Stale(hold_min=1, low_percent=D(-5), high_percent=D(5))),
        Rules(liquidation_percent=D(0), shares=(D(30), D(30))),
        Rules(liquidation_percent=D(0), ladder=Ladder(attempts=3, step_percent=D(1), growth=D(2))),
    ],
)
@given(
    last=PRICE, mark=PRICE, late=st.booleans(), size=st.integers(1, 10_000).map(lambda n: D(n) / 97)
)
def test_a_short_is_a_long_in_the_mirror(rules, last, mark, late, size):
    long = holding(size=size, leverage=10, stop="97", targets=("101", "102"))
    short = holding("short", size=size, leverage=10, stop="103", targets=("99", "98"))
    after_ms = MINUTE_MS if late else 1_000

    _, found = judge(rules, long, at(last, mark=mark, after_ms=after_ms))
    _, mirrored = judge(rules, short, at(200 - last, mark=200 - mark, after_ms=after_ms))

    assert _bare(found) == _bare(mirrored)


def _bare(found):
    return found and (found.kind, found.leg, found.action, found.size)
