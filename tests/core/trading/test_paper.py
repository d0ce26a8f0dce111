"""The paper venue does what a venue does, and its books add up to the last decimal."""

import msgspec
import pytest

from chandler.core.trading import paper
from chandler.core.trading.paper import Dropped, Fill, Funding, Liquidation, PaperOrder, Rules
from tests.core.trading.venue import BTC, HOUR_MS, TERMS, dec, rate, ticker

RULES = Rules(slippage_percent=dec("0"), maintenance=dec("0.01"))


def order(name, buys=True, size="1", **more):
    more = {"leverage": 10, "ready_ms": 0} | more
    return PaperOrder(
        id=name, symbol=BTC, buys=buys, size=None if size is None else dec(size), **more
    )


def placed(account, *orders, price="100", terms=TERMS):
    for each in orders:
        account, refused = paper.place(
            account, each, terms=terms, ticker=ticker(price, 1), rules=RULES
        )
        assert refused is None, refused
    return account


def refused(account, each, price="100", terms=TERMS, newest=True):
    after, found = paper.place(
        account, each, terms=terms, ticker=ticker(price, 1) if newest else None, rules=RULES
    )
    assert after is account
    assert found is not None
    return found.code


def met(account, price, at, *, funding=None, **more):
    return paper.on_ticker(
        account, ticker(price, at, **more), terms=TERMS, funding=funding, rules=RULES
    )


def with_long(size="1", price="100", leverage=10, at=10, balance="1000"):
    account = placed(
        paper.open_account(dec(balance)), order("o", size=size, leverage=leverage), price=price
    )
    account, happened = met(account, price, at)
    assert [type(each) for each in happened] == [Fill]
    return account


def test_an_order_is_filled_by_the_first_ticker_at_its_time():
    account = placed(paper.open_account(dec("1000")), order("o", ready_ms=50))

    early, nothing = met(account, "100", 49)
    account, happened = met(early, "101", 50)

    assert nothing == []
    assert early is not None
    (fill,) = happened
    assert (fill.price, fill.size, fill.fee, fill.trade) == (
        dec("101"),
        dec("1"),
        dec("0.0606"),
        "o-1",
    )
    assert fill.done
    assert account.orders == {}
    assert account.wallet == dec("999.9394")


def test_the_same_ticker_again_changes_nothing():
    account = with_long(at=10)

    again, happened = met(account, "100", 10, funding=rate("0.0001", 8 * HOUR_MS))

    assert again is account
    assert happened == []


def test_a_round_trip_leaves_its_profit_less_its_fees():
    account = placed(with_long(), order("c", buys=False, reduce_only=True))

    account, (fill,) = met(account, "110", 20)

    assert fill.realised == dec("10")
    assert fill.ended is not None
    assert fill.position is None
    assert account.positions == {}
    assert account.wallet == dec("1000") + 10 - dec("0.06") - dec("0.066")
    assert paper.available(account) == account.wallet


@pytest.mark.parametrize(
    ("each", "code"),
    [
        (order("o", size="0"), "size_step"),
        (order("o", size="-1"), "size_step"),
        (order("o", size="0.0015"), "size_step"),
        (order("o", size="0.001"), "size_min"),
        (order("o", size="0.04"), "notional_min"),
        (order("o", leverage=51), "leverage"),
        (order("o", leverage=0), "leverage"),
        (order("o", size="1000"), "margin"),
        (order("o", reduce_only=True), "no_position"),
        (order("o", limit=dec("100.05")), "price_step"),
        (order("o", limit=dec("0")), "price_step"),
    ],
)
def test_an_order_that_a_venue_would_refuse_is_refused(each, code):
    assert refused(paper.open_account(dec("1000")), each) == code


def test_an_order_is_refused_without_a_price_or_while_suspended():
    account = paper.open_account(dec("1000"))
    closing_only = msgspec.structs.replace(TERMS, opens=False)
    off = msgspec.structs.replace(TERMS, opens=False, closes=False)

    assert refused(account, order("o"), newest=False) == "no_price"
    assert refused(account, order("o"), terms=closing_only) == "suspended"
    assert refused(with_long(), order("c", False, reduce_only=True), terms=off) == "suspended"
    placed(with_long(), order("c", False, reduce_only=True), terms=closing_only)


def test_an_id_is_taken_while_its_order_waits_and_free_afterwards():
    """As Bitget checks it: among pending orders only."""
    account = placed(paper.open_account(dec("1000")), order("o"))

    assert refused(account, order("o")) == "duplicate"
    placed(met(account, "100", 10)[0], order("o"))


def test_waiting_orders_bind_their_margin_and_give_it_back():
    account = placed(paper.open_account(dec("15")), order("a"))

    assert refused(account, order("b")) == "margin"
    assert paper.available(account) == dec("4.94")
    freed, found = paper.cancel(account, "a")
    assert found is not None
    assert paper.available(freed) == dec("15")
    assert paper.cancel(freed, "a") == (freed, None)


def test_reduce_only_never_flips_and_is_dropped_when_there_is_nothing_left():
    account = placed(
        with_long(),
        order("c1", buys=False, size="3", reduce_only=True),
        order("c2", buys=False, reduce_only=True),
    )

    account, happened = met(account, "100", 20)

    assert [type(each) for each in happened] == [Fill, Dropped]
    assert (happened[0].size, happened[0].done) == (dec("1"), True)
    assert account.positions == {}
    assert account.orders == {}


def test_an_order_the_other_way_that_is_larger_flips_the_position():
    account = placed(with_long(), order("s", buys=False, size="3", leverage=5))

    account, (fill,) = met(account, "110", 20)

    assert fill.ended.side == "long"
    assert (fill.position.side, fill.position.size) == ("short", dec("2"))
    assert fill.realised == dec("10")


def test_a_stop_fires_at_its_price_and_goes_with_its_position():
    stop = order(
        "stop", buys=False, size=None, reduce_only=True, trigger=dec("95"), of_position=True
    )
    account = placed(with_long(), stop)

    calm, nothing = met(account, "95.1", 20)
    stopped, happened = met(calm, "94", 21)
    closed, dropped = met(placed(calm, order("c", False, reduce_only=True)), "100", 22)

    assert nothing == []
    assert (happened[0].price, happened[0].triggered) == (dec("94"), True)
    assert (stopped.positions, stopped.orders) == ({}, {})
    assert [type(each) for each in dropped] == [Fill, Dropped]
    assert closed.orders == {}


def test_a_stop_of_a_position_that_is_not_there_is_refused():
    stop = order("s", False, size=None, reduce_only=True, trigger=dec("95"), of_position=True)

    assert refused(paper.open_account(dec("1000")), stop) == "no_position"


def test_a_trigger_that_opens_needs_its_margin_when_it_fires():
    account = placed(
        paper.open_account(dec("20")), order("t", size="2", trigger=dec("110"), above=True)
    )

    account, happened = met(account, "111", 20)

    assert [(type(each), each.reason) for each in happened] == [(Dropped, "margin")]
    assert account.orders == {}


def test_a_limit_rests_as_maker_and_fills_at_its_price():
    account = placed(paper.open_account(dec("1000")), order("l", limit=dec("99")))

    rested, nothing = met(account, "100", 10)
    filled, (fill,) = met(rested, "98", 11)

    assert nothing == []
    assert (fill.price, fill.maker, fill.fee) == (dec("99"), True, dec("0.0198"))
    assert filled.orders == {}


def test_a_limit_that_crosses_at_once_takes_the_better_price():
    account = placed(paper.open_account(dec("1000")), order("l", limit=dec("105")))

    _, (fill,) = met(account, "100", 10)

    assert (fill.price, fill.maker) == (dec("100"), False)


def test_parts_of_an_order_are_fills_with_numbers():
    account = placed(paper.open_account(dec("1000")), order("o", size="3"))

    some, first = paper.on_ticker(
        account,
        ticker("100", 10),
        terms=TERMS,
        funding=None,
        rules=RULES,
        shares={"o": dec("1")},
    )
    whole, second = met(some, "101", 11)

    assert [(each.trade, each.size, each.done) for each in (*first, *second)] == [
        ("o-1", dec("1"), False),
        ("o-2", dec("2"), True),
    ]
    assert paper.available(some) == dec("1000") - dec("0.06") - 10 - dec("20.12")
    assert whole.positions[BTC].cost == dec("302")


def test_funding_is_paid_once_at_each_mark_that_is_passed():
    account = with_long(size="2", at=10)

    before, none = met(account, "100", 8 * HOUR_MS - 1, funding=rate("0.0001"))
    first, (paid,) = met(before, "100", 8 * HOUR_MS, funding=rate("0.0001"), mark="120")
    second, again = met(first, "100", 8 * HOUR_MS + 5, funding=rate("0.0001"))
    later, two = met(second, "100", 24 * HOUR_MS, funding=rate("-0.0001", 16 * HOUR_MS))

    assert none == again == []
    assert isinstance(paid, Funding)
    assert (paid.amount, paid.settled_ms) == (dec("0.024"), 8 * HOUR_MS)
    assert [each.settled_ms for each in two] == [16 * HOUR_MS, 24 * HOUR_MS]
    assert later.funding == dec("0.024") - dec("0.04")


def test_a_position_opened_at_the_mark_or_after_it_pays_at_the_next_one():
    account = with_long(at=8 * HOUR_MS)

    _, nothing = met(account, "100", 8 * HOUR_MS + 1, funding=rate("0.0001"))
    _, (paid,) = met(account, "100", 16 * HOUR_MS, funding=rate("0.0001"))

    assert nothing == []
    assert paid.settled_ms == 16 * HOUR_MS


def test_a_rate_of_rubbish_pays_nothing():
    account = with_long()

    for bad in (rate("NaN"), rate(""), rate("0.1", interval_h=0)):
        assert met(account, "100", 9 * HOUR_MS, funding=bad) == (account, [])


def test_a_position_whose_margin_is_gone_is_closed_at_mark_with_its_stops():
    stop = order("s", False, size=None, reduce_only=True, trigger=dec("80"), of_position=True)
    account = placed(with_long(size="5", leverage=10), stop)

    safe, nothing = met(account, "92", 20, mark="91.2")
    gone, happened = met(safe, "92", 21, mark="90.9")

    assert nothing == []
    assert [type(each) for each in happened] == [Liquidation, Dropped]
    assert (happened[0].price, happened[0].realised) == (dec("90.9"), dec("-45.5"))
    assert (gone.positions, gone.orders) == ({}, {})
    assert gone.wallet == dec("1000") - dec("0.3") - dec("45.5") - happened[0].fee


def test_a_ticker_without_prices_does_nothing():
    account = placed(with_long(), order("c", buys=False, reduce_only=True))
    empty = msgspec.structs.replace(ticker("100", 20), last="", bid="0", ask="", mark="NaN")

    assert paper.on_ticker(account, empty, terms=TERMS, funding=rate("0.1", 1), rules=RULES) == (
        account,
        [],
    )
