"""An order lives one life: each event counts once, what cannot be is a named fault."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chandler.core.trading.events import (
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    OrderSent,
    OrderUnknown,
)
from chandler.core.trading.money import ZERO
from chandler.core.trading.orders import ENDED, Order, step
from tests.core.trading.venue import BTC, dec

WHOSE: dict[str, Any] = {"id": "o", "account": "a", "agent": "g", "symbol": BTC}
POSITION: dict[str, Any] = {
    "position": "p",
    "leg": "entry",
    "action": "open",
    "side": "long",
    "leverage": 3,
}
REQUESTED = OrderRequested(
    **WHOSE,
    **POSITION,
    shard=0,
    seq=1,
    size=dec("3"),
    price=dec("100"),
    cause="s",
    source="engine",
    reason="",
    at=10,
    ready_ms=10,
)
SENT = OrderSent(**WHOSE, at=11)
ACCEPTED = OrderAccepted(**WHOSE, venue_id="v", at=12)
REFUSED = OrderRefused(**WHOSE, code="40762", reason="no money", at=12)
UNKNOWN = OrderUnknown(**WHOSE, reason="timeout", at=12)
EXPIRED = OrderExpired(**WHOSE, at=50)


def fill(trade, size, *, done=False, price="100"):
    return OrderFilled(
        **WHOSE,
        **POSITION,
        trade=trade,
        price=dec(price),
        size=dec(size),
        fee=ZERO,
        done=done,
        source="engine",
        at=20,
    )


def cancelled(filled):
    return OrderCancelled(**WHOSE, filled=dec(filled), reason="by hand", at=30)


def life(*events):
    """The order after all of it, and the names of the faults."""
    order, faults = None, []
    for event in events:
        stepped = step(order, event)
        order = stepped.order
        if stepped.fault is not None:
            faults.append(stepped.fault.kind)
    return order, faults


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "requested"),
        ([SENT], "sent"),
        ([SENT, ACCEPTED], "accepted"),
        ([SENT, ACCEPTED, fill("t1", "1")], "accepted"),
        ([SENT, ACCEPTED, fill("t1", "1"), fill("t2", "2", done=True)], "filled"),
        ([SENT, ACCEPTED, fill("t1", "1"), cancelled("1")], "cancelled"),
        ([SENT, REFUSED], "refused"),
        ([SENT, UNKNOWN], "unknown"),
        ([SENT, UNKNOWN, EXPIRED], "expired"),
        ([SENT, UNKNOWN, ACCEPTED, fill("t1", "3", done=True)], "filled"),
        ([UNKNOWN, REFUSED], "refused"),
        ([EXPIRED], "expired"),
        ([fill("t1", "3", done=True)], "filled"),
        ([fill("t1", "1"), SENT, ACCEPTED], "accepted"),
        ([fill("t1", "3", done=True), SENT, UNKNOWN, ACCEPTED], "filled"),
        ([cancelled("2"), fill("t1", "2")], "cancelled"),
        ([fill("t2", "2", done=True), fill("t1", "1")], "filled"),
    ],
)
def test_a_legal_life_has_no_fault(events, state):
    order, faults = life(REQUESTED, *events)

    assert faults == []
    assert order.state == state


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        ([msgspec.structs.replace(REQUESTED, size=dec("4"))], "requested_again"),
        ([msgspec.structs.replace(SENT, agent="other")], "of_another"),
        ([SENT, msgspec.structs.replace(SENT, at=99)], "sent_again"),
        ([SENT, UNKNOWN, msgspec.structs.replace(SENT, at=99)], "sent_again"),
        ([ACCEPTED, REFUSED], "not_legal"),
        ([ACCEPTED, EXPIRED], "not_legal"),
        ([ACCEPTED, msgspec.structs.replace(ACCEPTED, venue_id="w")], "not_legal"),
        ([REFUSED, ACCEPTED], "not_legal"),
        ([REFUSED, fill("t1", "1")], "not_legal"),
        ([EXPIRED, fill("t1", "1")], "not_legal"),
        ([EXPIRED, SENT], "not_legal"),
        ([fill("t1", "1"), EXPIRED], "not_legal"),
        ([fill("t1", "3", done=True), cancelled("2")], "not_legal"),
        ([fill("t1", "1"), cancelled("0")], "overfilled"),
        ([cancelled("4")], "overfilled"),
        ([cancelled("1"), fill("t1", "2")], "overfilled"),
        ([cancelled("1"), cancelled("2")], "not_legal"),
        ([fill("t1", "2"), fill("t2", "2")], "overfilled"),
        ([fill("t1", "0")], "no_size"),
        ([fill("t1", "1", price="0")], "no_size"),
        ([fill("t1", "1"), fill("t1", "2")], "other_trade"),
    ],
)
def test_what_cannot_be_is_a_named_fault_and_changes_nothing(events, fault):
    before, none = life(REQUESTED, *events[:-1])
    after, faults = life(REQUESTED, *events)

    assert none == []
    assert faults == [fault]
    assert after == before


def test_an_event_of_an_order_that_nobody_requested_is_a_fault():
    assert life(fill("t1", "1")) == (None, ["not_requested"])
    other = msgspec.structs.replace(SENT, id="other")
    assert life(REQUESTED, other)[1] == ["not_requested"]


def test_the_figures_are_those_of_the_fills():
    order, _ = life(REQUESTED, fill("t1", "1"), fill("t2", "0.5", price="102"))

    assert (order.filled, order.left, order.notional) == (dec("1.5"), dec("1.5"), dec("151"))


EVENTS = [
    *(REQUESTED, SENT, ACCEPTED, REFUSED, UNKNOWN, EXPIRED),
    *(fill("t1", "1"), fill("t2", "2", done=True), fill("t3", "1")),
    *(cancelled("0"), cancelled("1"), cancelled("3")),
]


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_events_that_are_repeated_count_once(events):
    """A restart reads some events again: what was legal then changes nothing now."""
    order, legal = None, []
    for event in [REQUESTED, *events]:
        stepped = step(order, event)
        order = stepped.order
        if stepped.fault is None:
            legal.append(event)

    for event in legal:
        again = step(order, event)

        assert again.order == order
        assert again.fault is None


def test_no_pair_of_events_raises():
    for length in (1, 2, 3):
        for events in itertools.product(EVENTS, repeat=length):
            life(*events)


class Life(RuleBasedStateMachine):
    """Any event at any time, of an order of 3, against what must always hold."""

    def __init__(self):
        super().__init__()
        self.order: Order = self.requested()
        self.counted = {}
        self.ended_as = None

    @staticmethod
    def requested():
        order = step(None, REQUESTED).order
        assert order is not None
        return order

    @rule(event=st.sampled_from([each for each in EVENTS if each is not REQUESTED]))
    def happen(self, event):
        self.take(event)

    @rule(
        number=st.integers(1, 9),
        tenths=st.integers(0, 35),
        done=st.booleans(),
    )
    def fill(self, number, tenths, done):
        event = fill(f"f{number}", str(dec(str(tenths)) / 10), done=done)
        known = event.trade in self.counted
        assert not (self.take(event) and known)

    def take(self, event):
        before = self.order
        stepped = step(before, event)
        assert stepped.order is not None
        assert stepped.changed == (stepped.order != before)
        assert not (stepped.changed and stepped.fault)
        if stepped.changed and isinstance(event, OrderFilled):
            self.counted.setdefault(event.trade, event.size)
        if before.state in ENDED:
            assert stepped.order.state == before.state
        self.order = stepped.order
        return stepped.changed

    @invariant()
    def what_is_filled_is_each_trade_once(self):
        assert self.order.filled == sum(self.counted.values(), ZERO)

    @invariant()
    def never_more_than_was_ordered(self):
        assert 0 <= self.order.filled <= self.order.size
        assert 0 <= self.order.left <= self.order.size
        if self.order.state in ("refused", "expired"):
            assert self.order.trades == ()

    @invariant()
    def it_comes_back_from_json(self):
        raw = msgspec.json.encode(self.order)
        assert msgspec.json.decode(raw, type=Order) == self.order


TestLife = Life.TestCase
