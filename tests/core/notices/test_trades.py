"""What is told of trades: from an entry's first fill to the end of the round trip."""

from decimal import Decimal

import msgspec
import pytest

from chandler.core.notices.trades import OPEN_MAX, Trades, take
from chandler.core.trading.events import Liquidated, OrderCancelled, OrderRefused, OrderRequested
from tests.core.notices.scene import AT, BTC, D, closed, closing, fill


def told(*events):
    """What is told of events that come one after the other."""
    trades, notices = Trades(), []
    for number, event in enumerate(events):
        trades, more = take(trades, event, f"c{number}")
        notices += more
    return notices


def test_an_entry_is_told_at_the_first_fill_of_the_position_only():
    first = fill(size=D("0.2"), done=False)
    (entry,) = told(first, fill(trade="t2", size=D("0.3")))

    assert entry.kind == "entry"
    assert entry.head == "anna: entry long BTCUSDT at 42000"
    assert entry.lines == [
        "size 0.2, first part, 8400 at leverage 3",
        "stop 41000, targets 43000",
        "from scalper, fee 12.6",
        "2024-01-05 10:00 UTC",
    ]


def test_an_add_is_told_once_with_all_fills_of_its_order():
    more = fill(id="o2", action="add", leg="dca-1", source="dca", price=D(40000), done=False)
    _, add = told(
        fill(), more, fill(**{**_fields(more), "trade": "t3", "price": D(41000)}, done=True)
    )

    assert add.kind == "add"
    assert add.head == "anna: add long BTCUSDT at 40500"
    assert add.lines[:2] == [
        "size 1, 40500, from dca",
        "size now 1.5, cost 61500, fee 25.2",
    ]


def _fields(event):
    kept = ("id", "action", "leg", "source")
    return {name: getattr(event, name) for name in kept}


def test_a_partial_exit_says_what_it_brought_of_what_was_closed():
    _, part = told(fill(), closing(price=D(43000), size=D("0.2")))

    assert part.kind == "partial_exit"
    assert part.head == "anna: partial exit long BTCUSDT, +195 (+2.32 %), take profit"
    assert part.lines[0] == "size 0.2 at 43000, still open 0.3"


def test_a_partial_exit_of_a_short_counts_a_fall_as_a_gain():
    entry = fill(side="short")
    _, part = told(entry, closing(side="short", price=D(41000), size=D("0.2"), fee=D(0)))

    assert part.head == "anna: partial exit short BTCUSDT, +200 (+2.38 %), take profit"


def test_an_order_that_closes_all_in_several_fills_is_one_exit():
    first = closing(size=D("0.2"), done=False)
    notices = told(fill(), first, closing(trade="t3", size=D("0.3")), closed())

    assert [each.kind for each in notices] == ["entry", "exit"]


def test_a_part_whose_rest_was_cancelled_is_told():
    gone = OrderCancelled(
        id="o2", account="anna", agent="anna", symbol=BTC, filled=D("0.2"), reason="", at=AT
    )
    notices = told(fill(), closing(size=D("0.2"), done=False), gone)

    assert [each.kind for each in notices] == ["entry", "partial_exit"]


def test_an_exit_says_pnl_after_fees_and_funding_and_its_share_of_the_entry_notional():
    (exit_,) = told(closed())

    assert exit_.head == "anna: exit long BTCUSDT, +476 (+2.27 %), take profit"
    assert exit_.lines == [
        "realised +500, fees 25.5, funding -1.5",
        "entry notional 21000, from scalper, held 1 h 0 min",
        "2024-01-05 11:00 UTC",
    ]


def test_a_loss_has_its_sign_and_an_unknown_reason_is_told_in_its_own_words():
    short = closed(side="short", realised=D(-500), reason="moon_phase")
    (exit_,) = told(short)

    assert exit_.head == "anna: exit short BTCUSDT, -524 (-2.5 %), moon phase"


def test_a_liquidation_is_an_alarm():
    event = Liquidated(
        account="anna",
        agent="anna",
        symbol=BTC,
        position="p1",
        side="long",
        price=D(30000),
        size=D("0.5"),
        fee=D(9),
        at=AT,
    )
    _, alarm = told(fill(), event)

    assert (alarm.kind, alarm.level) == ("liquidation", "alarm")
    assert alarm.head == "anna: liquidation long BTCUSDT at 30000"


def test_a_close_of_a_position_that_was_never_seen_tells_nothing():
    assert told(closing()) == []


def test_no_more_positions_than_so_many_are_remembered():
    trades = Trades()
    for number in range(OPEN_MAX + 5):
        trades, _ = take(trades, fill(id=f"o{number}", position=f"p{number}"), "c")

    assert len(trades.open) == OPEN_MAX
    assert "p0" not in trades.open


@pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity", "0", "-1"])
def test_figures_that_are_no_numbers_are_an_error_and_never_a_trade(price):
    with pytest.raises(ArithmeticError):
        take(Trades(), fill(price=Decimal(price)), "c")


ASKED = {"command1": "telegram:olga", "command2": "cli"}


def request(**more):
    event = OrderRequested(
        id="o1",
        shard=0,
        seq=1,
        account="anna",
        agent="anna",
        symbol=BTC,
        position="p1",
        leg="entry",
        action="open",
        side="long",
        size=D("0.5"),
        leverage=3,
        price=D(42000),
        cause="command1",
        source="person",
        reason="forced by telegram:olga",
        at=AT,
        ready_ms=AT,
    )
    return msgspec.structs.replace(event, **more)


def answers(*events):
    """What those who asked are told of events that come one after the other."""
    trades, notices = Trades(), []
    for number, event in enumerate(events):
        trades, more = take(trades, event, f"c{number}", ASKED)
        notices += [each for each in more if each.kind == "answer"]
    assert not trades.forced or len(events) == 1
    return notices


def test_who_asked_for_an_entry_is_told_what_was_bought_at_which_price():
    """All that came was "done: scalper enters"; the entry itself may be muted or gathered."""
    first = fill(size=D("0.2"), done=False, price=D("42001.2345"))
    (bought,) = answers(request(), first, fill(trade="t2", size=D("0.3"), price=D(42000)))

    assert (bought.who, bought.command) == ("telegram:olga", "command1")
    assert bought.urgent
    assert bought.head == "anna bought 0.5 BTCUSDT at 42000.5"
    assert bought.lines == ["21000.25, fee 25.2", "order o1, 2024-01-05 10:00 UTC"]


def test_who_asked_for_an_entry_is_told_that_the_venue_refused_it():
    refused = OrderRefused(
        id="o1", account="anna", agent="anna", symbol=BTC, code="43012", reason="no money", at=AT
    )
    (said,) = answers(request(side="short"), refused)

    assert said.head == "anna sold nothing of BTCUSDT"
    assert said.lines[0] == "the venue refused it: 43012 no money"


@pytest.mark.parametrize("more", [{"cause": "signal1"}, {"cause": "command2"}, {"action": "close"}])
def test_of_orders_that_nobody_in_a_chat_asked_for_there_is_no_answer(more):
    assert answers(request(**more), fill()) == []
