"""The books: balanced ones, and each way in which they can be wrong."""

from decimal import Decimal

from msgspec.structs import replace

from chandler.core.desk.state import marked
from chandler.core.trading.events import (
    BalanceChanged,
    OrderFilled,
    PositionClosed,
    PositionOpened,
)
from chandler.replay.audit.books import check_books
from tests.core.desk.scene import BTC, Scene, entered, ready

D = Decimal


def closed_and_open() -> Scene:
    """A round trip in BTC, and then another position."""
    scene = entered()
    scene.wait(250)
    scene.take(scene.exit())
    scene.tick(103)
    scene.signal("short")
    scene.tick(102)
    assert BTC in scene.states["anna"].holdings
    return scene


def told(scene):
    """What topic positions says of them."""
    fills = scene.all(OrderFilled)
    first = fills[0]
    state = scene.states["anna"]
    holding = state.holdings[BTC]
    now = marked(holding, state, D(102))
    realised = (fills[1].price - first.price) * first.size
    ended = replace(
        now,
        id=first.position,
        side=first.side,
        size=D(0),
        cost=D(0),
        realised=realised,
        fees=first.fee + fills[1].fee,
        funding=D(0),
    )
    over = PositionClosed(
        position=ended,
        symbol=BTC,
        reason="stop",
        exit_notional=fills[1].price * fills[1].size,
        at=fills[1].at,
    )
    return [over, PositionOpened(position=now, symbol=BTC, at=fills[-1].at)]


def test_balanced_books_have_no_difference():
    scene = closed_and_open()

    books = check_books(told(scene), scene.said, {"anna": scene.states["anna"].balance})

    assert not books.difference
    assert (books.differences, books.in_flight) == ([], 0)
    assert [each.agent for each in books.agents] == ["anna"]
    anna = books.agents[0]
    assert (anna.fills, anna.open_positions) == (3, 1)
    assert anna.start - anna.balance == anna.fees - anna.realised
    assert anna.balance == anna.told == scene.states["anna"].balance


def test_the_balances_are_those_of_the_topic_where_the_desk_is_not_asked():
    scene = closed_and_open()

    assert check_books(told(scene), scene.said).difference == 0


def test_a_lost_fill_is_found():
    scene = closed_and_open()
    last = scene.all(OrderFilled)[-1]

    books = check_books(told(scene), [each for each in scene.said if each != last])

    assert books.difference > 0
    assert any(str(last.fee) in line for line in books.differences)


def test_a_lost_fill_is_found_even_without_its_balance():
    scene = closed_and_open()
    last = scene.all(OrderFilled)[-1]
    changed = scene.all(BalanceChanged)[-1]
    kept = [each for each in scene.said if each not in (last, changed)]

    books = check_books(told(scene), kept)

    assert any("positions has" in line for line in books.differences)


def test_a_doubled_fill_is_found():
    scene = closed_and_open()
    last = scene.all(OrderFilled)[-1]

    books = check_books(told(scene), [*scene.said, last])

    assert books.difference > 0
    assert any("is there twice" in line for line in books.differences)


def test_a_wrong_balance_is_found_to_the_last_decimal():
    scene = closed_and_open()
    off = scene.states["anna"].balance + D("0.00000001")

    books = check_books(told(scene), scene.said, {"anna": off})

    assert books.difference == D("0.00000001")
    assert "the desk has" in books.differences[0]


def test_a_balance_that_is_told_wrong_is_found():
    scene = closed_and_open()
    last = scene.all(BalanceChanged)[-1]
    wrong = replace(last, change=last.change - 1, balance=last.balance - 1)

    books = check_books(told(scene), [wrong if each == last else each for each in scene.said])

    assert books.difference == 2
    assert any("the changes told come to" in line for line in books.differences)


def test_a_round_trip_that_positions_has_otherwise_is_found():
    scene = closed_and_open()
    over, opened = told(scene)
    wrong = replace(over, position=replace(over.position, realised=over.position.realised + 1))

    books = check_books([wrong, opened], scene.said)

    assert books.difference == 1
    assert "realised" in books.differences[0]


def test_a_position_that_positions_has_not_heard_of_is_in_flight():
    scene = closed_and_open()

    books = check_books(told(scene)[:1], scene.said)

    assert not books.difference
    assert books.in_flight == 1


def test_a_position_of_nobody_is_found():
    scene = ready()
    other = closed_and_open()

    books = check_books(told(other)[1:], scene.said)

    assert books.difference == other.states["anna"].holdings[BTC].position.size


def test_refusals_are_counted_by_reason():
    scene = entered()
    scene.signal("short")
    scene.signal("long", strength=9.0)

    books = check_books([], scene.said)

    assert sum(books.refusals.values()) == 2
    assert books.refusals["absurd_strength"] == 1


def test_nothing_is_no_agent():
    assert check_books([], []).agents == []
