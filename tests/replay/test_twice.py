"""What stands twice, and what stands older after newer: each is found, and nothing else."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from chandler.core.events import CandleMissing, CandleSealed, Symbol, Ticker
from chandler.core.granularity import Granularity
from chandler.core.trading.events import (
    ExitRequested,
    OrderFilled,
    OrderRequested,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
    TickersOut,
)
from chandler.replay.audit.reckoning import VenueTruth
from chandler.replay.audit.twice import Counting
from tests.core.desk.scene import Scene, entered
from tests.replay.test_books import closed_and_open, told

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")
MINUTE = Granularity("1m")
NONE = VenueTruth({}, frozenset(), {}, {})


def count(*events, partition=0, truth=None, live=()):
    counting = Counting(live)
    for event in events:
        counting.take(partition, event)
    return counting.found(truth)


def tick(at, symbol=BTC):
    return Ticker(
        symbol=symbol,
        at=at,
        last="1",
        bid="1",
        ask="1",
        mark="1",
        minute_open_ms=0,
        minute_volume=0.0,
    )


def out(at, shard=0, shards=1):
    return TickersOut(shard=shard, shards=shards, at=at)


def exit_story():
    """An exit, its order, and what filled that."""
    scene: Scene = entered()
    scene.wait(250)
    asked = scene.exit()
    scene.take(asked)
    scene.tick(103)
    assert isinstance(asked, ExitRequested)
    intent = next(each for each in scene.all(OrderRequested) if each.cause == asked.id)
    fill = next(each for each in scene.all(OrderFilled) if each.id == intent.id)
    return asked, intent, fill


def test_a_quiet_run_has_nothing_twice():
    closed, opened = told(closed_and_open())
    found = count(*exit_story(), tick(5), out(4), tick(6), tick(5, ETH), closed, opened)

    assert found.well
    assert found.faults == []
    assert found.tickers_dropped == 0


def test_an_order_that_the_venue_was_asked_for_twice_is_found():
    found = count(truth=NONE._replace(received={"one": 1, "two": 2}))

    assert (found.orders_twice, found.well) == (1, False)
    assert found.faults == ["the venue was asked 2 times for two"]


def test_an_intent_and_a_fill_that_stand_there_twice_are_found():
    _, intent, fill = exit_story()

    assert count(intent, intent, fill, fill).orders_twice == 2


def test_an_exit_that_stands_there_twice_is_found():
    asked, intent, fill = exit_story()

    assert count(asked, intent, fill, asked).exits_twice == 1


def test_an_exit_for_which_two_orders_were_filled_is_found():
    asked, intent, fill = exit_story()
    again = replace(intent, id="again")
    twice = count(asked, intent, fill, again, replace(fill, id="again", trade="again-1"))
    rest = count(asked, intent, fill, again, replace(fill, id="again", trade="a", done=False))

    assert (twice.exits_twice, twice.orders_twice) == (1, 0)
    assert rest.well


@pytest.mark.parametrize("missing", [True, False])
def test_a_slot_with_two_candles_is_found(missing):
    candle = CandleSealed(
        symbol=BTC,
        granularity=MINUTE,
        open_ms=60_000,
        open=1.0,
        high=1.0,
        low=1.0,
        close=1.0,
        volume=1.0,
        quote_volume=1.0,
    )
    other = CandleMissing(symbol=BTC, granularity=MINUTE, open_ms=60_000)
    second = other if missing else candle

    assert count(candle, second).candles_twice == 1
    assert count(candle, replace(second, open_ms=120_000)).well


def test_a_ticker_behind_what_was_said_to_be_out_is_found():
    found = count(tick(5), out(5), tick(5, ETH), tick(6))

    assert found.tickers_older == 1
    assert "all up to 5 was said to be out" in found.faults[0]


def test_a_ticker_is_out_only_when_every_shard_has_said_so():
    assert count(out(5, 0, 2), tick(4)).well
    assert count(out(5, 0, 2), out(5, 1, 2), tick(4)).tickers_older == 1


def test_a_ticker_that_every_reader_drops_is_counted_apart():
    found = count(tick(5), out(4), tick(6), tick(5), tick(6))

    assert found.well
    assert found.tickers_dropped == 2


def test_a_position_that_goes_back_in_time_is_found():
    _, opened = told(closed_and_open())

    assert count(opened, replace(opened, at=opened.at - 1)).positions_older == 1
    assert count(opened, replace(opened, at=opened.at + 1)).well


def updated(opened, why, at, fees):
    position = replace(opened.position, fees=Decimal(fees))
    return PositionUpdated(position=position, symbol=BTC, why=why, at=at)


def test_a_fill_at_a_venue_may_arrive_after_a_newer_price():
    _, opened = told(closed_and_open())
    live = (opened.position.account,)
    told_late = [updated(opened, "mark", 9, "1"), updated(opened, "fill", 7, "2")]
    found = count(*told_late, live=live)

    assert found.well
    assert found.positions_late == 1
    assert count(*told_late).positions_older == 1, "paper money has an order of things"


def test_older_prices_older_figures_and_repetitions_are_found_at_a_venue():
    _, opened = told(closed_and_open())
    live = (opened.position.account,)
    newer = updated(opened, "mark", 9, "2")

    assert count(newer, updated(opened, "mark", 8, "2"), live=live).positions_older == 1
    assert count(newer, updated(opened, "fill", 7, "1"), live=live).positions_older == 1
    assert count(newer, newer, live=live).positions_older == 1


def test_a_position_that_lives_on_after_its_end_is_found():
    closed, _ = told(closed_and_open())
    assert isinstance(closed, PositionClosed)
    later = PositionOpened(position=closed.position, symbol=BTC, at=closed.at + 1)
    found = count(closed, later)

    assert found.positions_older == 1
    assert "after its end" in found.faults[0]


def test_a_position_that_a_late_fill_opens_again_is_none():
    """An add was on its way when all that was known was closed."""
    closed, _ = told(closed_and_open())
    _, _, close = exit_story()
    first = replace(close, action="open", trade="1", position=closed.position.id)
    fills = [
        first,
        replace(first, action="close", trade="2"),
        replace(first, action="add", trade="3"),
    ]
    again = PositionOpened(position=closed.position, symbol=BTC, at=closed.at - 1)
    mark = PositionUpdated(position=closed.position, symbol=BTC, why="mark", at=closed.at - 2)
    caught_up = replace(mark, at=again.at)  # prices since the fill, which were seen before
    live = (closed.position.account,)

    assert count(*fills, closed, again, live=live).well
    assert count(*fills, caught_up, closed, again, mark, live=live).well
    assert count(*fills, mark, caught_up, mark, live=live).positions_older == 1
    assert count(*fills[:2], closed, again, live=live).positions_older == 1
    assert count(*fills, closed, again, closed, again, live=live).positions_older == 1
    assert count(*fills, fills[2], closed, again, closed, again, live=live).positions_older == 1


def test_an_order_that_is_filled_in_two_parts_is_one_order():
    _, intent, fill = exit_story()
    first = replace(fill, size=fill.size / Decimal(2), done=False)

    assert count(intent, first, replace(fill, trade="second")).well
