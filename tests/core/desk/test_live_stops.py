"""Stops that the venue holds for a live position."""

from decimal import Decimal

from chandler.core.desk.journal import recheck
from chandler.core.desk.live.inputs import StopGone, StopPlaced, StopRefused
from chandler.core.desk.live.questions import stops_unwanted, stops_wanted
from chandler.core.trading.broker import Refused, Unknown, VenueStop
from chandler.core.trading.events import NoticeAsked, OrderFilled
from tests.core.desk.account import Live
from tests.core.desk.scene import BTC, holds, of, only

D = Decimal


def stop_of(scene: Live) -> VenueStop:
    wanted = stops_wanted(scene.states)[0]
    return VenueStop(id=wanted.id, venue_id="s", symbol=wanted.symbol, trigger=wanted.trigger)


def test_an_open_position_wants_its_stop_at_the_venue_once():
    scene = Live()
    scene.entered(stop=95.0)
    wanted = stops_wanted(scene.states)
    stop, holding = stop_of(scene), scene.states["anna"].holdings[BTC]

    told = scene.take(StopPlaced(position=holding.id, stop=stop, at=scene.now))

    assert [(each.symbol, each.side, each.trigger) for each in wanted] == [(BTC, "long", D("95.0"))]
    assert only(told, NoticeAsked).level == "info"
    assert stops_wanted(scene.states) == []
    assert scene.take(StopPlaced(position=holding.id, stop=stop, at=scene.now)) == []


def test_a_stop_that_triggers_at_the_venue_closes_in_the_books_and_is_not_wanted_any_more():
    scene = Live()
    made = scene.entered(stop=95.0)
    stop = stop_of(scene)
    scene.take(StopPlaced(position=made.position, stop=stop, at=scene.now))
    fill = scene.trade(made, None, "94.9", id="", venue_id="x", trade="s1", buys=False)

    told = scene.take(fill)

    assert only(told, OrderFilled).source == "stop"
    assert scene.states["anna"].holdings == {}
    assert stops_unwanted(scene.states) == [stop]
    gone = only(scene.take(StopGone(id=stop.id, symbol=BTC, at=scene.now)), NoticeAsked)
    assert gone.text == "the exchange no longer holds a stop for BTCUSDT"  # an agent may be "venue"
    assert stops_unwanted(scene.states) == []
    holds(scene)


def test_a_stops_fill_that_comes_before_its_entrys_closes_what_that_opened():
    """A push is faster than the lookup of an order whose reply was lost in a crash."""
    scene = Live()
    made = scene.enter(stop=95.0)
    scene.take(Unknown(id=made.id, reason="started anew", at=scene.now))
    stopped = scene.trade(made, None, "94.9", id="", venue_id="x", trade="s1", buys=False)

    assert scene.take(stopped) == scene.take(stopped) == []
    entry, close = of(scene.fill(made), OrderFilled)

    assert (entry.leg, close.action, close.trade) == ("entry", "close", "s1")
    assert scene.states["anna"].holdings == {}
    assert scene.states["anna"].early == []
    assert scene.take(stopped) == []
    holds(scene)
    assert list(recheck(scene.desk, scene.records)) == []


def test_a_fill_that_waited_for_an_entry_that_never_was_is_nobodys():
    scene = Live()
    made = scene.enter(stop=95.0)
    strange = scene.trade(made, None, "94.9", id="", venue_id="x", trade="s1", buys=False)

    assert scene.take(strange) == []
    told = of(scene.take(Refused(id=made.id, code="x", reason="no", at=scene.now)), NoticeAsked)

    assert any("by nobody of the desk" in each.text for each in told)
    assert scene.take(strange) == []
    assert scene.states["anna"].early == []
    holds(scene)


def test_a_stop_that_the_venue_will_not_hold_is_an_alarm():
    scene = Live()
    made = scene.entered(stop=95.0)

    told = scene.take(StopRefused(position=made.position, symbol=BTC, reason="no", at=scene.now))

    assert only(told, NoticeAsked).level == "alarm"
