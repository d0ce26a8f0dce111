"""Whatever is bought and sold, a position's figures add up to what was paid and received."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chandler.core.trading.money import ZERO, minus, plus, times
from chandler.core.trading.position import (
    Position,
    average,
    filled,
    funding_amount,
    is_liquidated,
    liquidation_price,
    margin,
    unrealised,
)
from tests.core.trading.venue import BTC, dec

prices = st.integers(1, 10**9).map(lambda n: Decimal(n) * dec("0.0001"))
sizes = st.integers(1, 10**6).map(lambda n: Decimal(n) * dec("0.001"))
fees = st.integers(-(10**8), 10**10).map(lambda n: Decimal(n) * dec("0.00000001"))


def fill(position, buys, price, size, *, fee="0", leverage=5, at=1):
    return filled(
        position,
        symbol=BTC,
        buys=buys,
        price=dec(price),
        size=dec(size),
        fee=dec(fee),
        leverage=leverage,
        at=at,
    )


def test_a_partial_close_takes_its_share_of_the_cost():
    long = fill(fill(None, True, "100", "2").position, True, "130", "1").position
    assert long is not None

    after = fill(long, False, "120", "1")

    assert after.realised == dec("10")  # 120 less a third of 330
    assert after.position is not None
    assert (after.position.size, after.position.cost) == (dec("2"), dec("220"))
    assert average(after.position) == dec("110")


def test_a_removed_cost_is_rounded_half_even_and_the_last_close_takes_the_rest():
    long = fill(None, True, "1", "1").position
    long = fill(long, True, "1.0001", "2").position  # cost 3.0002 for 3

    first = fill(long, False, "1", "1")
    last = fill(first.position, False, "1", "2")

    assert first.realised == dec("-0.00006667")
    assert last.realised == dec("-0.00013333")
    assert last.position is None
    assert last.ended is not None
    assert last.ended.realised == dec("-0.0002")


def test_a_short_earns_when_the_price_falls():
    short = fill(None, False, "100", "3").position
    assert short is not None

    assert unrealised(short, dec("90")) == dec("30")
    assert fill(short, True, "90", "3").realised == dec("30")


def test_a_fill_beyond_the_position_flips_it_and_splits_the_fee_by_size():
    long = fill(None, True, "100", "2", fee="0.12").position

    after = fill(long, False, "110", "3", fee="0.198", at=7, leverage=3)

    assert after.ended is not None
    assert (after.ended.size, after.ended.realised, after.ended.fees) == (
        0,
        dec("20"),
        dec("0.252"),
    )
    assert after.position is not None
    assert (after.position.side, after.position.size) == ("short", dec("1"))
    assert (after.position.fees, after.position.opened_ms) == (dec("0.066"), 7)


def test_longs_pay_a_positive_rate_and_shorts_receive_it():
    long = fill(None, True, "100", "2").position
    short = fill(None, False, "100", "2").position
    assert long is not None
    assert short is not None

    assert funding_amount(long, rate=dec("0.0001"), mark=dec("50")) == dec("0.01")
    assert funding_amount(short, rate=dec("0.0001"), mark=dec("50")) == dec("-0.01")


@pytest.mark.parametrize(
    ("buys", "expected"),
    [(True, dec("90.54")), (False, dec("109.35"))],
)
def test_the_liquidation_price_is_the_isolated_estimate(buys, expected):
    """Ten times levered at 100: (margin - cost × dir) / (size × (0.005 + 0.0006 - dir))."""
    position = fill(None, buys, "100", "4", leverage=10).position
    assert position is not None

    price = liquidation_price(position, maintenance=dec("0.005"), taker_fee=dec("0.0006"))

    assert price is not None
    sign = 1 if buys else -1
    by_hand = (dec("40") - 400 * sign) / (4 * (dec("0.0056") - sign))
    assert abs(price - by_hand) < dec("0.0000001")
    assert abs(price - expected) < 1


def test_an_unlevered_long_is_never_liquidated():
    position = fill(None, True, "100", "4", leverage=1).position
    assert position is not None

    assert liquidation_price(position, maintenance=dec("0.005"), taker_fee=dec("0")) is None


@given(st.booleans(), prices, sizes, st.integers(1, 125))
def test_the_price_shown_is_the_one_that_liquidates(buys, price, size, leverage):
    position = filled(
        None, symbol=BTC, buys=buys, price=price, size=size, fee=ZERO, leverage=leverage, at=1
    ).position
    assert position is not None
    rates = {"maintenance": dec("0.004"), "taker_fee": dec("0.0006")}

    found = liquidation_price(position, **rates)

    if found is None:
        return
    worse = (
        max(times(found, dec("0.999")), dec("0.00000001")) if buys else times(found, dec("1.001"))
    )
    better = times(found, dec("1.001")) if buys else times(found, dec("0.999"))
    if margin(position) > dec("0.0001") and found > dec("0.001"):
        assert is_liquidated(position, worse, **rates)
        assert not is_liquidated(position, better, **rates)


class Trading(RuleBasedStateMachine):
    """Fills of one symbol in any order, against a book that only adds up money in and out."""

    def __init__(self):
        super().__init__()
        self.position: Position | None = None
        self.net = ZERO  # base coin, bought less sold
        self.flow = ZERO  # quote coin, received less paid: of all fills
        self.realised = ZERO
        self.fees = ZERO
        self.ended: list[Position] = []
        self.at = 0

    @rule(buys=st.booleans(), price=prices, size=sizes, fee=fees)
    def trade(self, buys, price, size, fee):
        self.at += 1
        before = self.position
        after = filled(
            before,
            symbol=BTC,
            buys=buys,
            price=price,
            size=size,
            fee=fee,
            leverage=3,
            at=self.at,
        )
        notional = times(price, size)
        self.net = plus(self.net, size if buys else -size)
        self.flow = plus(self.flow, -notional if buys else notional)
        self.realised = plus(self.realised, after.realised)
        self.fees = plus(self.fees, fee)
        self.position = after.position
        if after.ended is not None:
            self.ended.append(after.ended)

    @rule(price=prices)
    def close(self, price):
        if self.position is not None:
            self.trade(self.position.side == "short", price, self.position.size, ZERO)

    @invariant()
    def the_size_is_what_was_bought_less_what_was_sold(self):
        if self.position is None:
            assert self.net == 0
            return
        assert self.position.size > 0
        assert times(self.position.size, Decimal(self.position.direction)) == self.net

    @invariant()
    def realised_is_what_came_in_less_what_went_out_and_what_is_still_in(self):
        """Flat: Σ realised = Σ proceeds - Σ cost, exactly."""
        held = ZERO
        if self.position is not None:
            held = times(self.position.cost, Decimal(self.position.direction))
            assert self.position.cost >= 0
        assert self.realised == plus(self.flow, held)

    @invariant()
    def each_round_trip_adds_up_by_itself(self):
        for each in self.ended:
            assert each.size == each.cost == 0
            assert each.realised == times(minus(each.exited, each.entered), Decimal(each.direction))
        trips = [*self.ended, *([self.position] if self.position else [])]
        assert plus(*(each.fees for each in trips)) == self.fees
        assert plus(*(each.realised for each in trips)) == self.realised

    @invariant()
    def it_comes_back_from_json_byte_for_byte(self):
        if self.position is not None:
            raw = msgspec.json.encode(self.position)
            assert msgspec.json.encode(msgspec.json.decode(raw, type=Position)) == raw


TestTrading = Trading.TestCase
