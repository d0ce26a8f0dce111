"""The venue's books against ours: what blocks, what frees, what a person resolves."""

from decimal import Decimal
from typing import Any

import pytest

from chandler.core.desk.journal import recheck
from chandler.core.desk.live.inputs import AccountLost, AccountOpened, Reconciled
from chandler.core.trading.broker import VenueBalance, VenueOrder, VenuePosition
from chandler.core.trading.events import Answer, NoticeAsked, OrderFilled
from tests.core.desk.account import Live
from tests.core.desk.scene import BTC, ETH, holds, of, only, reasons, requests

D = Decimal


def position(size: Any, side: Any = "long", symbol: Any = BTC) -> VenuePosition:
    return VenuePosition(
        symbol=symbol,
        side=side,
        size=D(size),
        entry=D(100),
        mark=D(101),
        unrealised=D(0),
        liquidation=None,
        leverage=3,
    )


def look(scene: Live, *positions: VenuePosition, wallet: Any = None, orders: Any = ()) -> list[Any]:
    """A reconciliation; by default the wallet is what it has to be."""
    balances = sum((state.balance for state in scene.states.values()), D(500))
    amount = balances if wallet is None else D(wallet)
    return scene.take(
        Reconciled(
            account="main",
            known_ms=scene.now,
            positions=list(positions),
            orders=list(orders),
            balance=VenueBalance(wallet=amount, available=amount, equity=amount, at=scene.now),
            at=scene.now,
        )
    )


def test_the_first_look_says_what_of_the_wallet_is_nobodys():
    scene = Live()

    told = look(scene)

    assert "500" in only(told, NoticeAsked).text
    assert look(scene) == []


def test_up_to_when_the_venue_is_known_is_kept_and_journalled_although_nothing_is_said():
    scene = Live()
    look(scene)
    records = len(scene.records)
    scene.wait(60_000)

    assert look(scene) == []

    assert scene.states["anna"].known_ms == scene.now
    assert [each.kind for each in scene.records[records:]] == ["Reconciled"]


def test_what_was_before_an_account_was_opened_for_the_first_time_is_not_asked_for():
    scene = Live()
    opened_ms = scene.now
    scene.wait(60_000)

    scene.take(AccountLost(account="main", reason="keys", at=scene.now))
    scene.take(AccountOpened(account="main", at=scene.now))

    assert scene.states["anna"].known_ms == opened_ms


def test_books_that_agree_say_nothing():
    scene = Live()
    look(scene)
    made = scene.entered()

    assert look(scene, position(made.size)) == []


@pytest.mark.parametrize(
    "there", [[], [position("1")], [position("29.97", "short")], [position("1", symbol=ETH)]]
)
def test_a_position_that_differs_stops_new_entries_until_it_agrees(there):
    scene = Live()
    look(scene)
    made = scene.entered()

    told = look(scene, *there)

    assert only(told, NoticeAsked).level == "alarm"
    assert look(scene, *there) == []
    assert reasons(scene.signal("long", ETH)) == ["unreconciled"]
    freed = look(scene, position(made.size))
    assert only(freed, NoticeAsked).level == "info"
    assert requests(scene.signal("long", ETH))


def test_closes_go_on_while_entries_are_stopped():
    scene = Live()
    look(scene)
    scene.entered()
    look(scene, position("1"))

    assert len(requests(scene.signal("flat"))) == 1


def test_only_the_agent_of_the_symbol_is_stopped():
    scene = Live(anna={}, ben={})
    look(scene)
    made = scene.signal("long")
    scene.fill(requests(made)[0])
    look(scene, position("1"))

    told = scene.signal("long", ETH)

    assert [each.agent for each in requests(told)] == ["ben"]
    assert reasons(told) == ["unreconciled"]


def test_an_order_on_its_way_is_not_compared():
    scene = Live()
    look(scene)
    made = scene.enter()

    assert look(scene, position("7"), wallet=3) == []
    scene.fill(made)
    assert look(scene, position(made.size)) == []


def test_a_balance_that_shrinks_by_itself_stops_all():
    scene = Live(anna={}, ben={})
    look(scene)

    told = look(scene, wallet=20_000)

    assert [each.agent for each in of(told, NoticeAsked)] == ["anna", "ben"]
    assert reasons(scene.signal("long")) == ["unreconciled", "unreconciled"]
    freed = look(scene)
    assert len(of(freed, NoticeAsked)) == 2


def test_an_open_order_of_nobody_stops_entries():
    scene = Live()
    look(scene)
    order = VenueOrder(
        id="",
        venue_id="x",
        symbol=ETH,
        state="open",
        buys=True,
        reduce_only=False,
        size=D(1),
        filled=D(0),
        at=scene.now,
    )

    told = look(scene, orders=[order])

    assert "ETHUSDT" in only(told, NoticeAsked).text
    assert reasons(scene.signal("long")) == ["unreconciled"]


def test_a_person_takes_the_venues_smaller_position_as_right():
    scene = Live()
    look(scene)
    made = scene.entered()
    look(scene, position("10"))

    told = scene.command("resolve", agent="anna")

    fill = only(told, OrderFilled)
    assert (fill.size, fill.price, fill.fee) == (made.size - 10, D(101), D(0))
    assert only(told, Answer).outcome == "done"
    assert scene.states["anna"].holdings[BTC].position.size == 10
    assert scene.states["anna"].blocked is None
    look(scene, position("10"))
    assert scene.states["anna"].blocked is None
    holds(scene)


def test_a_person_takes_a_position_that_is_gone_as_closed():
    scene = Live()
    look(scene)
    scene.entered()
    look(scene)

    scene.command("resolve")

    assert scene.states["anna"].holdings == {}
    look(scene)
    assert scene.states["anna"].blocked is None
    holds(scene)


def test_what_the_venue_has_beyond_ours_is_kept_apart_and_not_traded():
    scene = Live()
    look(scene)
    look(scene, position("3", symbol=ETH))

    scene.command("resolve", agent="anna")

    assert look(scene, position("3", symbol=ETH), wallet=1) != []
    assert scene.states["anna"].blocked is None
    assert reasons(scene.signal("long", ETH)) == ["symbol_taken"]
    assert requests(scene.signal("long"))


def test_a_balance_that_a_person_resolved_is_measured_anew():
    scene = Live()
    look(scene)
    look(scene, wallet=9_000)

    scene.command("resolve")
    look(scene, wallet=9_000)

    assert scene.states["anna"].blocked is None
    assert requests(scene.signal("long"))


def test_the_journal_of_a_live_shard_repeats_itself():
    scene = Live()
    look(scene)
    made = scene.entered(stop=95.0)
    look(scene, position("1"))
    scene.command("resolve")
    scene.fill(made, "1", trade="late")
    scene.signal("flat")

    assert len(scene.records) > 8
    assert list(recheck(scene.desk, scene.records)) == []
