"""The paper broker answers as the port says, and its account is core's."""

import asyncio

import pytest

from chandler.core.trading.broker import (
    Accepted,
    Broker,
    BrokerError,
    Refused,
    VenueFill,
    VenueOrder,
)
from chandler.core.trading.events import OrderRequested
from chandler.core.trading.paper import Rules
from chandler.exchanges.paper.broker import PaperBroker
from tests.core.trading.venue import BTC, HOUR_MS, INSTRUMENT, dec, rate, ticker

RULES = Rules(slippage_percent=dec("0"))


def opened(wall_ms=None) -> PaperBroker:
    broker = PaperBroker(dec("1000"), [INSTRUMENT], RULES, wall_ms)
    broker.feed(ticker("100", 10))
    return broker


def request(name, action="open", size="1", *, ready_ms=20, sent_ms=0, symbol=BTC):
    return OrderRequested(
        id=name,
        shard=0,
        seq=1,
        account="a",
        agent="a",
        symbol=symbol,
        position="p",
        leg="entry",
        action=action,
        side="long",
        size=dec(size),
        leverage=10,
        price=dec("100"),
        cause="s",
        source="engine",
        reason="",
        at=10,
        ready_ms=ready_ms,
        sent_ms=sent_ms,
    )


async def test_an_order_is_accepted_then_filled_by_the_ticker_at_its_time():
    broker: Broker = opened()
    assert isinstance(broker, PaperBroker)

    reply = await broker.place(request("o"))
    waiting = await broker.open_orders()
    broker.feed(ticker("101", 20))

    assert isinstance(reply, Accepted)
    assert [each.id for each in waiting] == ["o"]
    found = await broker.find_by_client_oid(BTC, "o")
    assert found is not None
    assert (found.state, found.filled) == ("filled", dec("1"))
    (fill,) = await broker.fills(BTC, "o")
    assert (fill.price, fill.fee) == (dec("101"), dec("0.0606"))
    (position,) = await broker.positions()
    assert (position.side, position.size, position.entry) == ("long", dec("1"), dec("101"))
    assert (await broker.balance()).wallet == dec("999.9394")
    assert await broker.open_orders() == []


async def test_an_order_that_is_ready_is_filled_by_the_newest_ticker():
    broker = opened()

    await broker.place(request("o", ready_ms=10))

    assert [each.trade for each in await broker.fills_since(0)] == ["o-1"]


async def test_a_refusal_says_that_nothing_is_there():
    broker = opened()

    for each in (
        request("o", size="1000"),
        request("o", "close"),
        request("o", symbol="NONEUSDT"),
    ):
        assert isinstance(await broker.place(each), Refused)
    assert await broker.find_by_client_oid(BTC, "o") is None


async def test_one_id_is_one_order_also_after_its_fill():
    broker = opened()

    first = await broker.place(request("o", ready_ms=10))
    again = await broker.place(request("o", ready_ms=10))

    assert first == again
    assert len(await broker.fills_since(0)) == 1


async def test_a_request_that_was_signed_too_long_ago_is_refused():
    broker = opened(wall_ms=lambda: 100_000)

    late = await broker.place(request("late", sent_ms=69_999))
    in_time = await broker.place(request("in time", sent_ms=70_000))

    assert isinstance(late, Refused)
    assert late.code == "40008"
    assert isinstance(in_time, Accepted)


async def test_a_cancelled_order_is_never_filled():
    broker = opened()
    await broker.place(request("o"))

    assert isinstance(await broker.cancel(BTC, "o"), Accepted)
    assert isinstance(await broker.cancel(BTC, "o"), Refused)
    broker.feed(ticker("101", 20))
    assert await broker.fills_since(0) == []


async def test_a_stop_at_the_venue_closes_the_position_by_itself():
    broker = opened()
    with pytest.raises(BrokerError, match="no position"):
        await broker.place_stop(BTC, "long", dec("95"), "s")
    await broker.place(request("o", ready_ms=10))

    stop = await broker.place_stop(BTC, "long", dec("95"), "s")
    assert await broker.stops() == [stop]
    broker.feed(ticker("94", 20))

    assert await broker.positions() == []
    assert await broker.stops() == []
    assert [each.id for each in await broker.fills_since(11)] == ["s"]


async def test_funding_is_told_once():
    broker = opened()
    await broker.place(request("o", ready_ms=10))
    broker.fund(rate("0.0001"))

    broker.feed(ticker("100", 8 * HOUR_MS))
    broker.feed(ticker("100", 8 * HOUR_MS + 1))

    (paid,) = await broker.fundings_since(0)
    assert paid.amount == dec("0.01")


async def test_the_stream_tells_orders_and_fills_until_the_broker_is_closed():
    broker = opened()
    seen = []

    async def listen():
        seen.extend([push async for push in broker.stream()])

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(listen())
        await asyncio.sleep(0)
        await broker.place(request("o", ready_ms=10))
        await broker.close()

    assert [type(each) for each in seen] == [VenueOrder, VenueFill, VenueOrder]


async def test_leverage_outside_of_what_the_instrument_allows_is_an_error():
    broker = opened()
    await broker.place(request("o", ready_ms=10))

    await broker.set_leverage(BTC, 20)

    assert (await broker.positions())[0].leverage == 20
    with pytest.raises(BrokerError, match="leverage from 1 to 50"):
        await broker.set_leverage(BTC, 51)
