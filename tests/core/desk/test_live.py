"""The live half: intents and what becomes of them, fills once, stops, reversals."""

from decimal import Decimal

import pytest

from chandler.core.desk.live.inputs import (
    AccountLost,
    AccountOpened,
    Sent,
)
from chandler.core.desk.live.questions import (
    unfilled,
    unresolved,
    would_order,
)
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.broker import (
    VALID_MS,
    Accepted,
    Refused,
    Unknown,
    VenueFunding,
)
from chandler.core.trading.events import (
    FundingPaid,
    NoticeAsked,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRefused,
    OrderRequested,
    OrderSent,
    OrderUnknown,
    Quote,
)
from tests.core.desk.account import ACCOUNTS, WALL_MS, Live
from tests.core.desk.scene import BTC, ETH, Scene, holds, of, only, reasons, requests

D = Decimal


def test_an_intent_carries_the_time_that_is_signed_and_is_filled_by_the_venue_alone():
    scene = Live()

    made = scene.enter()
    ticked = scene.tick(100)

    assert (made.sent_ms, made.account, made.shard) == (WALL_MS, "main", 1)
    assert ticked == []
    assert scene.states["anna"].paper is None


def test_an_account_that_was_not_opened_or_was_lost_enters_nothing():
    scene = Live()
    scene.take(AccountLost(account="main", reason="the key may withdraw", at=scene.now))

    assert reasons(scene.signal("long")) == ["no_account"]
    assert scene.take(AccountLost(account="main", reason="the key may withdraw", at=1)) == []
    scene.take(AccountOpened(account="main", at=scene.now))
    assert scene.enter()
    fresh = Scene({"anna": AgentConfig(mode="live", account="main")}, accounts=ACCOUNTS, shard=1)
    fresh.tick(100)
    assert reasons(fresh.signal("long")) == ["no_account"]


def test_sent_accepted_and_filled_are_each_said_once():
    scene = Live()
    made = scene.enter()

    assert only(scene.take(Sent(id=made.id, at=scene.now)), OrderSent).id == made.id
    assert scene.take(Sent(id=made.id, at=scene.now)) == []
    assert only(scene.accept(made), OrderAccepted).venue_id == f"v-{made.id}"
    assert scene.accept(made) == []
    fill = only(scene.fill(made), OrderFilled)
    assert (fill.done, fill.size, fill.fee) == (True, made.size, D("0.5"))
    assert scene.accept(made) == []
    assert scene.states["anna"].balance == D("9999.5")
    holds(scene)


def test_a_fill_that_comes_twice_counts_once():
    scene = Live()
    made = scene.enter()
    scene.fill(made, "10")

    again = scene.take(scene.trade(made, "10"))
    by_rest = scene.take(scene.trade(made, "10", id=""))

    assert again == by_rest == []
    assert scene.states["anna"].holdings[BTC].position.size == 10
    holds(scene)


def test_fills_in_parts_are_done_when_all_is_filled():
    scene = Live()
    made = scene.enter()

    first = only(scene.fill(made, "10"), OrderFilled)
    rest = only(scene.fill(made, made.size - 10), OrderFilled)

    assert (first.done, rest.done) == (False, True)
    assert scene.states["anna"].holdings[BTC].id == made.position


def test_a_fill_may_come_before_the_reply():
    scene = Live()
    made = scene.enter()
    scene.fill(made)

    assert scene.accept(made) == []
    assert unresolved(scene.states, wall_ms=WALL_MS + 10 * VALID_MS) == []


def test_a_refusal_of_the_venue_ends_the_intent():
    scene = Live()
    made = scene.enter()

    told = scene.take(Refused(id=made.id, code="40762", reason="no margin", at=scene.now))

    assert only(told, OrderRefused).code == "40762"
    assert scene.lost(made) == []
    assert requests(scene.signal("long"))


def test_an_unknown_entry_that_the_venue_has_not_expires_after_its_time():
    scene = Live()
    made = scene.enter()
    told = scene.take(Unknown(id=made.id, reason="timeout", at=scene.now))

    assert only(told, OrderUnknown).reason == "timeout"
    assert unresolved(scene.states, wall_ms=WALL_MS + VALID_MS) == []
    assert [each.id for each in unresolved(scene.states, wall_ms=WALL_MS + VALID_MS + 1)] == [
        made.id
    ]
    assert scene.lost(made, after_ms=VALID_MS) == []
    assert only(scene.lost(made), OrderExpired).id == made.id
    assert scene.lost(made) == []
    assert requests(scene.signal("long"))


def test_an_intent_that_nobody_heard_of_is_looked_up_too():
    scene = Live()
    made = scene.enter()

    assert unresolved(scene.states, wall_ms=WALL_MS + VALID_MS + 1) == [made]
    assert only(scene.lost(made), OrderExpired).id == made.id


def test_an_unknown_close_that_the_venue_has_not_is_asked_for_anew_under_a_new_id():
    scene = Live()
    entry = scene.entered()
    close = only(scene.signal("flat"), OrderRequested)
    scene.take(Unknown(id=close.id, reason="45001", at=scene.now))
    scene.wall_ms += 40_000

    told = scene.lost(close)

    again = only(told, OrderRequested)
    assert only(told, OrderExpired).id == close.id
    assert again.id != close.id
    assert (again.cause, again.leg, again.size) == (close.cause, close.leg, entry.size)
    assert again.sent_ms == scene.wall_ms
    scene.fill(again)
    assert scene.states["anna"].holdings == {}
    holds(scene)


def test_an_unknown_order_that_is_found_is_accepted_and_its_fills_are_awaited():
    scene = Live()
    made = scene.enter()
    scene.take(Unknown(id=made.id, reason="timeout", at=scene.now))

    told = scene.order(made, "filled", made.size)

    assert only(told, OrderAccepted).id == made.id
    assert [each.id for each in unfilled(scene.states)] == [made.id]
    assert only(scene.fill(made), OrderFilled).done
    assert unfilled(scene.states) == []


def test_an_order_that_was_cancelled_in_part_ends_with_what_was_filled():
    scene = Live()
    made = scene.enter()
    scene.fill(made, "10")

    told = scene.order(made, "cancelled", "10")

    assert only(told, OrderCancelled).filled == 10
    assert scene.states["anna"].holdings[BTC].position.size == 10
    assert scene.order(made, "cancelled", "10") == []


def test_a_cancellation_that_knows_of_more_waits_for_the_fill():
    scene = Live()
    made = scene.enter()
    scene.order(made, "cancelled", "10")

    told = scene.fill(made, "10")

    assert only(told, OrderFilled).done
    assert unfilled(scene.states) == []


def test_a_venue_that_says_yes_and_did_nothing_is_found_out():
    scene = Live()
    made = scene.enter()
    scene.accept(made)

    assert only(scene.lost(made), OrderExpired).id == made.id


def test_a_venue_that_says_no_and_did_it_is_booked_and_told():
    scene = Live()
    made = scene.enter()
    scene.take(Refused(id=made.id, code="40010", reason="timeout", at=scene.now))

    told = scene.fill(made)

    assert only(told, OrderFilled).size == made.size
    assert only(told, NoticeAsked).level == "alarm"
    assert scene.states["anna"].holdings[BTC].position.size == made.size
    holds(scene)


def test_a_reply_after_the_order_was_given_up_is_told():
    scene = Live()
    made = scene.enter()
    scene.lost(made)

    assert only(scene.accept(made), NoticeAsked).level == "alarm"
    assert scene.accept(made) == []


def test_a_strange_price_is_booked_as_told_and_said():
    scene = Live()
    made = scene.enter()

    told = scene.fill(made, price="150")

    assert only(told, OrderFilled).price == 150
    assert "150" in only(told, NoticeAsked).text


def test_more_than_was_ordered_is_booked_and_said():
    scene = Live()
    made = scene.entered()

    told = scene.fill(made, "1", trade="extra")

    assert only(told, NoticeAsked).level == "alarm"
    assert scene.states["anna"].holdings[BTC].position.size == made.size + 1


def test_a_fill_of_nobody_is_told_once_and_booked_to_nobody():
    scene = Live()
    fill = scene.trade(scene.enter(), "1", id="", venue_id="other", symbol=ETH)

    told = scene.take(fill)

    assert only(told, NoticeAsked).level == "warning"
    assert scene.take(fill) == []
    assert ETH not in scene.states["anna"].holdings


def test_a_close_by_hand_at_the_venue_is_booked():
    scene = Live()
    made = scene.entered()
    fill = scene.trade(made, None, "105", id="", venue_id="hand", trade="h1", buys=False)

    told = scene.take(fill)

    assert only(told, OrderFilled).source == "person"
    assert scene.states["anna"].holdings == {}
    assert scene.states["anna"].realised > 0
    assert scene.take(fill) == []
    holds(scene)


def test_a_symbol_belongs_to_one_agent_of_an_account():
    scene = Live(anna={}, ben={})

    made = scene.signal("long")

    assert [each.agent for each in requests(made)] == ["anna"]
    assert reasons(made) == ["symbol_taken"]


def test_a_reversal_enters_when_the_close_is_done():
    scene = Live(anna={"on_opposite": "reverse"})
    scene.entered()

    close = only(scene.signal("short"), OrderRequested)
    entry = only(scene.fill(close), OrderRequested)

    assert (close.action, entry.action, entry.side) == ("close", "open", "short")
    scene.fill(entry)
    assert scene.states["anna"].holdings[BTC].position.side == "short"
    holds(scene)


def test_a_reversal_is_refused_by_a_pump_that_began_meanwhile():
    scene = Live(anna={"on_opposite": "reverse"})
    scene.entered()
    close = only(scene.signal("short"), OrderRequested)
    scene.guard("up")

    told = scene.fill(close)

    assert reasons(told) == ["pump"]
    assert requests(told) == []


def test_an_entry_that_is_closed_before_it_is_filled_is_closed_after():
    scene = Live()
    made = scene.enter()
    scene.command("close_all")
    scene.signal("flat")

    close = only(scene.fill(made), OrderRequested)

    assert (close.action, close.size) == ("close", made.size)
    scene.fill(close)
    assert scene.states["anna"].holdings == {}


def test_funding_is_booked_once():
    scene = Live()
    scene.entered()
    paid = VenueFunding(bill="b1", symbol=BTC, amount=D("1.25"), at=scene.now)

    told = scene.take(paid)

    assert only(told, FundingPaid).amount == D("1.25")
    assert scene.take(paid) == []
    assert scene.states["anna"].balance == D("9998.25")
    holds(scene)


def test_funding_of_a_position_that_was_never_ours_is_nobodys():
    scene = Live()

    told = scene.take(VenueFunding(bill="b1", symbol=BTC, amount=D("1.25"), at=scene.now))

    assert only(told, NoticeAsked).level == "info"
    assert scene.states["anna"].balance == D(10_000)


def test_a_quote_is_asked_for_the_order_that_would_be_made():
    scene = Live(anna={}, ben={"sides": ("short",)})
    wish = scene.wish("long")

    asked = would_order(scene.desk, scene.states, wish, scene.seen(BTC), at=scene.now)
    made = only(scene.take(wish), OrderRequested)

    assert [(each.agent, each.symbol, each.buys, each.size) for each in asked] == [
        ("anna", BTC, True, made.size)
    ]


def test_without_a_quote_or_with_a_bad_one_nothing_is_entered():
    scene = Live()
    scene.quotes = {}
    none = reasons(scene.signal("long"))
    scene.quotes = {"anna": Quote(price=D(102), best=D(100), size=D(1))}

    assert none == ["impact"]
    assert reasons(scene.signal("long")) == ["impact"]


@pytest.mark.parametrize("reply", [Accepted, Refused, Unknown])
def test_a_reply_to_nothing_is_nothing(reply):
    scene = Live()
    fields = {"id": "x", "at": 1}
    more = {Accepted: {"venue_id": "v"}, Refused: {"code": "1", "reason": "r"}}

    assert scene.take(reply(**fields, **more.get(reply, {"reason": "r"}))) == []
    assert of(scene.said, OrderRefused) == []
