"""Positions: fills, tickers and orders in, figures and exits out."""

from decimal import Decimal
from itertools import pairwise

import msgspec

from chandler.core.events import DeadLetter
from chandler.core.hashing import digest
from chandler.core.positions.rules import Ladder, Rules
from chandler.core.positions.stage import step
from chandler.core.trading.events import (
    ExitRequested,
    FundingPaid,
    Liquidated,
    OrderCancelled,
    OrderExpired,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
)
from tests.core.positions.playing import (
    BTC,
    LATENCY_MS,
    RETRY_MS,
    START_MS,
    TRAIL,
    events_of,
    exits_of,
    fill,
    fold,
    order,
    play,
    refusal,
    start,
    ticker,
    watching,
)

D = Decimal
T = START_MS


def test_a_position_opens_with_its_stop_and_targets():
    _state, made = fold(watching(), start(), [fill(T, "100", stop="98", targets=("104",))])

    (opened,) = events_of(made)
    assert isinstance(opened, PositionOpened)
    assert (opened.position.stop, opened.position.targets) == (D(98), [D(104)])
    assert (opened.position.unrealised, opened.position.peak) == (D(0), D(100))
    assert made[0].topic == "positions"


def test_a_position_without_a_stop_says_none():
    _, made = fold(watching(), start(), [fill(T, "100")])

    assert events_of(made)[0].position.stop is None


def test_an_exit_is_decided_on_the_tick_that_fires_it():
    given = [fill(T, "100", stop="98"), ticker(T + 1, "98.5"), ticker(T + 2, "97.9")]

    _, made = fold(watching(), start(), given)

    (request,) = exits_of(made)
    assert (request.kind, request.leg, request.size) == ("stop", "stop", None)
    assert (request.at, request.due_ms) == (T + 2, T + 2 + LATENCY_MS)
    assert request.id == digest("p1", "stop")
    assert request.price == D("97.9")


def test_a_ticker_that_is_not_after_the_fill_judges_nothing():
    given = [fill(T, "100", stop="98"), ticker(T - 5, "90"), ticker(T, "90")]

    _, made = fold(watching(), start(), given)

    assert exits_of(made) == []


def test_a_ticker_that_is_not_newer_than_the_newest_decides_nothing():
    given = [fill(T, "100", stop="98"), ticker(T + 10, "99"), ticker(T + 9, "90")]

    state, made = fold(watching(), start(), given)

    assert exits_of(made) == []
    assert state.open["p1"].mark == D(99)


def test_one_exit_of_a_leg_is_in_flight():
    ticks = [ticker(T + n, "97") for n in range(1, 20)]

    _, made = fold(watching(), start(), [fill(T, "100", stop="98"), *ticks])

    assert len(exits_of(made)) == 1


def test_an_exit_that_nobody_answered_fires_again_as_the_next_attempt():
    due = T + 1 + LATENCY_MS
    given = [
        fill(T, "100", stop="98"),
        ticker(T + 1, "97"),
        ticker(due + RETRY_MS - 1, "97"),
        ticker(due + RETRY_MS, "97"),
    ]

    _, made = fold(watching(), start(), given)

    first, second = exits_of(made)
    assert (first.leg, second.leg) == ("stop", "stop.2")
    assert second.id == digest("p1", "stop.2")


def test_an_exit_that_the_desk_refused_fires_again_after_a_wait_that_doubles():
    state, made = fold(watching(), start(), [fill(T, "100", stop="98"), ticker(T + 1, "97")])
    times: list[int] = []
    at = T + 1

    while len(times) < 4:
        (request,) = exits_of(made)
        times.append(request.due_ms)
        state, _ = step(watching(), state, refusal(request))
        made = []
        while not exits_of(made):
            at += 1_000
            state, made = step(watching(), state, ticker(at, "97"))
    waits = [after - before for before, after in pairwise(times)]

    assert waits == [6_000, 11_000, 21_000]


def test_an_order_of_an_exit_is_waited_for_however_long_it_takes():
    state, made = fold(watching(), start(), [fill(T, "100", stop="98"), ticker(T + 1, "97")])
    (request,) = exits_of(made)

    state, made = fold(watching(), state, [order(request, D(1)), ticker(T + 1_000_000, "90")])

    assert exits_of(made) == []


def test_an_order_that_came_to_nothing_lets_its_leg_fire_again():
    state, made = fold(watching(), start(), [fill(T, "100", stop="98"), ticker(T + 1, "97")])
    (request,) = exits_of(made)
    sent = order(request, D(1))
    expired = OrderExpired(id=sent.id, account="anna", agent="anna", symbol=BTC, at=T + 40_000)
    given = [sent, expired, ticker(T + 40_001, "97"), ticker(T + 40_000 + RETRY_MS, "97")]

    _, made = fold(watching(), state, given)

    (again,) = exits_of(made)
    assert again.leg == "stop.2"
    assert again.at == T + 40_000 + RETRY_MS


def test_a_stop_that_was_filled_in_part_closes_the_rest_at_once():
    state, made = fold(watching(), start(), [fill(T, "100", stop="98"), ticker(T + 1, "97")])
    (request,) = exits_of(made)
    sent = order(request, D(1))
    part = fill(T + 300, "97", "0.4", action="close", leg="stop", order=sent.id, done=False)
    rest = OrderCancelled(
        id=sent.id,
        account="anna",
        agent="anna",
        symbol=BTC,
        filled=D("0.4"),
        reason="no liquidity",
        at=T + 301,
    )

    state, made = fold(watching(), state, [sent, part, rest, ticker(T + 302, "97")])

    (again,) = exits_of(made)
    assert (again.leg, again.size) == ("stop.2", None)
    assert state.open["p1"].money.size == D("0.6")


def test_a_target_is_taken_once_and_the_last_one_ends_the_position():
    entry = fill(T, "100", "2", stop="95", targets=("101", "102"))
    ticks = [ticker(T + n * 1_000, price) for n, price in enumerate([100, 101, 101, 101, 102, 102])]

    played = play(watching(), entry, ticks)

    assert [(each.leg, each.size) for each in played.exits] == [
        ("take_profit-1", D(1)),
        ("take_profit-2", None),
    ]
    (closed,) = [each for each in played.outputs if isinstance(each, PositionClosed)]
    assert closed.reason == "take_profit"
    assert closed.position.realised == D(3)
    assert closed.exit_notional == D(203)
    assert closed.position.size == 0
    assert not played.state.open


def test_while_a_close_of_all_is_under_way_nothing_else_fires():
    entry = fill(T, "100", stop="98", targets=("104",))
    state, made = fold(watching(), start(), [entry, ticker(T + 1, "97")])
    (request,) = exits_of(made)

    _, made = fold(watching(), state, [order(request, D(1)), ticker(T + 2, "110")])

    assert exits_of(made) == []


def test_a_close_by_a_person_holds_the_watch_until_its_end():
    state, _ = fold(watching(), start(), [fill(T, "100", stop="98")])
    by_hand = order(
        ExitRequested(
            id="command-1",
            position="p1",
            account="anna",
            agent="anna",
            symbol=BTC,
            side="long",
            kind="person",
            leg="person",
            action="close",
            size=None,
            price=D(100),
            reason="",
            at=T + 1,
            due_ms=T + 1,
        ),
        D(1),
    )
    gone = OrderExpired(id=by_hand.id, account="anna", agent="anna", symbol=BTC, at=T + 3)

    state, during = fold(watching(), state, [by_hand, ticker(T + 2, "90")])
    _, after = fold(watching(), state, [gone, ticker(T + 4, "90")])

    assert exits_of(during) == []
    assert exits_of(after)[0].leg == "stop"


def test_funding_and_liquidation_are_booked():
    paid = FundingPaid(
        account="anna",
        agent="anna",
        symbol=BTC,
        position="p1",
        rate=D("0.0001"),
        mark=D(100),
        size=D(1),
        amount=D("0.01"),
        settled_ms=T + 1,
        at=T + 1,
    )
    gone = Liquidated(
        account="anna",
        agent="anna",
        symbol=BTC,
        position="p1",
        side="long",
        price=D(50),
        size=D(1),
        fee=D("0.03"),
        at=T + 2,
    )

    state, made = fold(watching(), start(), [fill(T, "100"), paid, gone])

    updated, closed = events_of(made)[1:]
    assert isinstance(updated, PositionUpdated)
    assert (updated.why, updated.position.funding) == ("funding", D("0.01"))
    assert isinstance(closed, PositionClosed)
    assert (closed.reason, closed.position.realised) == ("liquidated", D(-50))
    assert closed.position.fees == D("0.03")
    assert not state.open


def test_marks_come_at_a_bounded_pace_and_a_moved_stop_at_once():
    rules = Rules(trail=TRAIL)
    ticks = [ticker(T + n * 1_000, "100.5") for n in range(1, 26)] + [ticker(T + 25_500, "102")]

    _, made = fold(watching(rules), start(), [fill(T, "100", stop="98"), *ticks])

    updates = [each for each in events_of(made) if isinstance(each, PositionUpdated)]
    assert [(each.why, each.at - T) for each in updates] == [
        ("mark", 10_000),
        ("mark", 20_000),
        ("stop", 25_500),
    ]
    assert updates[-1].position.stop == D("100.98")


def test_accounts_of_the_other_variant_are_not_taken():
    state, made = fold(watching(), start(), [fill(T, "100", agent="carl"), ticker(T + 1, "1")])

    assert (made, state) == ([], start())


def test_an_agent_that_left_the_profile_keeps_its_stop():
    given = [fill(T, "100", agent="ben", stop="98"), ticker(T + 1, "97")]

    _, made = fold(watching(), start(), given)

    assert exits_of(made)[0].agent == "ben"


def test_a_mode_that_raises_is_told_and_the_stop_holds():
    def broken(held, prices):
        raise ZeroDivisionError("by nothing")

    watch = msgspec.structs.replace(watching(), judges={"anna": broken})

    _, made = fold(watch, start(), [fill(T, "100", stop="98"), ticker(T + 1, "97")])

    letters = [each for each in events_of(made) if isinstance(each, DeadLetter)]
    assert letters[0].cause == "trading mode raised"
    assert "by nothing" in letters[0].detail
    assert exits_of(made)[0].leg == "stop"


def test_a_ticker_without_a_price_decides_nothing():
    _, made = fold(watching(), start(), [fill(T, "100", stop="98"), ticker(T + 1, "")])

    assert len(made) == 1


def test_a_position_that_comes_back_goes_on_counting_its_attempts():
    """The rest of an entry was filled after the stop: an id of its stop must not come twice."""
    entry = fill(T, "100", stop="98", done=False)
    rest = fill(T + 500, "97", "0.5", order=entry.id, stop="98")

    played = play(watching(), entry, [ticker(T + n, "97") for n in (1, 400)])
    _, made = fold(watching(), played.state, [rest, ticker(T + 501, "97")])

    assert [each.leg for each in played.exits] == ["stop"]
    assert exits_of(made)[0].leg == "stop.2"


def test_dca_adds_and_leaves_at_once():
    rules = Rules(ladder=Ladder(attempts=2, step_percent=D(2), growth=D(1)))
    entry = fill(T, "100", "1", targets=("99.5",))
    prices = [100, 98, 98, 97, 96, 96, 96, 99, 99.5, 99.5]
    ticks = [ticker(T + n * 1_000, price) for n, price in enumerate(prices)]

    played = play(watching(rules), entry, ticks)

    assert [each.leg for each in played.exits] == [  # the targets of a play are the entry's
        "dca-1",
        "dca-2",
        "take_profit-1",
    ]
    (closed,) = [each for each in played.outputs if isinstance(each, PositionClosed)]
    assert closed.position.adds == 2
    assert closed.position.realised == D("99.5") * 3 - 100 - 98 - 96


def test_an_add_does_not_move_a_trailed_stop_back():
    """The desk's adds carried the stop of the entry, for it knows no other."""
    given = [
        fill(T, "100", stop="98"),
        ticker(T + 1, "105"),
        fill(T + 2, "105", action="add", leg="add-1", stop="98"),
    ]

    state, _ = fold(watching(Rules(trail=TRAIL)), start(), given)

    assert state.open["p1"].stop == D("104.475")
