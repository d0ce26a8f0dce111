"""The conformance suite of brokers, part one: orders, from the request to the books.

Numbered cases that each venue passes before it is traded at; it joins with a bench (benches.py).
What a venue doesn't have is skipped and says so.
"""

import asyncio
from decimal import Decimal

import pytest

from chandler.core.events import Symbol
from chandler.core.trading.broker import (
    VALID_MS,
    Accepted,
    Refused,
    Unknown,
)
from tests.exchanges.conformance.bench import Case, fee_of, later


async def test_c01_an_order_is_placed_filled_and_becomes_a_position(case: Case):
    request = case.intent(await case.size())

    reply = await case.broker.place(request)
    order = await case.until_filled(request)
    fills = await case.broker.fills(case.symbol, request.id)
    (position,) = await case.broker.positions()

    assert isinstance(reply, Accepted)
    assert reply.id == order.id == request.id
    assert order.venue_id
    assert (order.buys, order.reduce_only, order.filled) == (True, False, request.size)
    assert sum(fill.size for fill in fills) == request.size
    assert {fill.id for fill in fills} == {request.id}
    assert all(fill.buys and fill.fee > 0 for fill in fills)
    assert (position.symbol, position.side, position.size) == (case.symbol, "long", request.size)


async def test_c02_an_unknown_symbol_is_refused_for_certain(case: Case):
    request = case.intent(Decimal(1), symbol=Symbol("NOPEUSDT"))

    reply = await case.broker.place(request)

    assert isinstance(reply, Refused)
    assert reply.reason


async def test_c03_too_small_a_size_is_refused_for_certain(case: Case):
    instrument = await case.bench.instrument()
    request = case.intent(Decimal(instrument.size_step))

    reply = await case.broker.place(request)

    assert isinstance(reply, Refused)
    assert await case.broker.find_by_client_oid(case.symbol, request.id) is None
    assert await case.flat()


async def test_c04_a_close_without_a_position_is_refused_for_certain(case: Case):
    reply = await case.broker.place(case.close(await case.size()))

    assert isinstance(reply, Refused)
    assert await case.flat()


async def test_c05_one_client_oid_is_one_order_however_often_it_is_placed(case: Case):
    request = case.intent(await case.size())

    first = await case.broker.place(request)
    second = await case.broker.place(request)
    await case.until_filled(request)
    (position,) = await case.broker.positions()

    assert isinstance(first, Accepted)
    assert not isinstance(second, Accepted) or second.venue_id == first.venue_id
    assert position.size == request.size


async def test_c06_an_order_is_found_by_its_client_oid_and_an_unknown_one_is_not(case: Case):
    request = case.intent(await case.size())
    before = await case.broker.find_by_client_oid(case.symbol, request.id)
    await case.filled(request)

    found = await case.broker.find_by_client_oid(case.symbol, request.id)
    other = await case.broker.find_by_client_oid(case.symbol, request.id[::-1])

    assert before is None
    assert other is None
    assert found is not None
    assert (found.id, found.state, found.size) == (request.id, "filled", request.size)


async def test_c07_fees_and_balance_add_up_to_the_last_decimal(case: Case):
    rate = (await case.bench.instrument()).taker_fee
    start = (await case.broker.balance()).wallet
    size = await case.size()

    opening = await case.filled(case.intent(size))
    between = (await case.broker.balance()).wallet
    closing = await case.filled(case.close(size))
    end = (await case.broker.balance()).wallet

    fees = [fill.fee for fill in opening + closing]
    cost = sum(fill.price * fill.size for fill in opening)
    proceeds = sum(fill.price * fill.size for fill in closing)
    assert fees == [fee_of(fill, rate) for fill in opening + closing]
    assert between == start - sum(fill.fee for fill in opening)
    assert end == start + proceeds - cost - sum(fees)


async def test_c08_a_close_leaves_nothing_open(case: Case):
    size = await case.size()
    await case.filled(case.intent(size))

    fills = await case.filled(case.close(size))

    assert all(not fill.buys for fill in fills)
    assert await case.flat()
    assert not await case.broker.open_orders()


async def test_c09_partial_fills_are_told_one_by_one_and_sum_up(case: Case):
    if not await case.bench.break_things("partial=100%"):
        pytest.skip(f"{case.bench.name} fills at once")
    request = case.intent(await case.size(9))

    fills = await case.filled(request)

    assert len(fills) > 1
    assert len({fill.trade for fill in fills}) == len(fills)
    assert sum(fill.size for fill in fills) == request.size
    assert [fill.at for fill in fills] == sorted(fill.at for fill in fills)


@pytest.mark.parametrize("fault", ["noreply=100%", "hangup=100%"])
async def test_c10_an_order_whose_answer_is_lost_is_unknown_and_then_found(case: Case, fault: str):
    if not await case.bench.break_things(fault):
        pytest.skip(f"{case.bench.name} always answers")
    request = case.intent(await case.size())

    reply = await case.broker.place(request)
    await case.bench.break_things("")
    order = await case.until_filled(request)
    (position,) = await case.broker.positions()

    assert isinstance(reply, Unknown)
    assert order.filled == request.size
    assert position.size == request.size


async def test_c11_a_request_that_is_too_old_is_refused_and_leaves_no_order(case: Case):
    if not case.bench.signs:
        pytest.skip(f"{case.bench.name} signs nothing")
    request = later(case.intent(await case.size()), -VALID_MS - 5_000)

    reply = await case.broker.place(request)

    assert isinstance(reply, Refused)
    assert reply.code == "40008"
    assert await case.broker.find_by_client_oid(case.symbol, request.id) is None


async def test_c16_a_short_sells_and_is_closed_by_buying(case: Case):
    size = await case.size()

    fills = await case.filled(case.intent(size, side="short"))
    (position,) = await case.broker.positions()
    closing = await case.filled(case.close(size, "short"))

    assert not any(fill.buys for fill in fills)
    assert (position.side, position.size) == ("short", size)
    assert all(fill.buys for fill in closing)
    assert await case.flat()


async def test_c17_an_addition_adds_size_and_averages_the_entry(case: Case):
    size = await case.size()
    first = await case.filled(case.intent(size))
    second = await case.filled(case.intent(size, action="add", leg="add-1"))

    (position,) = await case.broker.positions()

    cost = sum(fill.price * fill.size for fill in first + second)
    assert position.size == 2 * size
    assert abs(position.entry * position.size - cost) <= cost * Decimal("0.000001")


async def test_c18_an_oversized_close_closes_what_is_open_and_no_more(case: Case):
    size = await case.size()
    await case.filled(case.intent(size))
    request = case.close(3 * size)

    reply = await case.broker.place(request)
    assert isinstance(reply, Accepted)
    await case.until(case.flat)
    fills = await case.broker.fills(case.symbol, request.id)

    assert sum(fill.size for fill in fills) == size


async def test_c22_a_size_off_the_step_is_refused_for_certain(case: Case):
    instrument = await case.bench.instrument()
    off = await case.size() + Decimal(instrument.size_step) / 3

    reply = await case.broker.place(case.intent(off.quantize(Decimal(1).scaleb(-18))))

    assert isinstance(reply, Refused)


async def test_c23_more_than_the_balance_is_refused_for_certain(case: Case):
    balance, price = await case.broker.balance(), await case.bench.price()
    step = Decimal((await case.bench.instrument()).size_step)
    size = (balance.equity * 40 / price / step).to_integral_value() * step

    reply = await case.broker.place(case.intent(size))

    assert isinstance(reply, Refused)
    assert await case.flat()


async def test_c24_what_is_filled_or_unknown_can_not_be_cancelled(case: Case):
    request = case.intent(await case.size())
    await case.filled(request)

    filled = await case.broker.cancel(case.symbol, request.id)
    unknown = await case.broker.cancel(case.symbol, request.id[::-1])

    assert isinstance(filled, Refused)
    assert isinstance(unknown, Refused)


async def test_c25_an_ambiguous_answer_is_unknown_and_the_lookup_decides(case: Case):
    if not await case.bench.break_things("ambiguous=100%"):
        pytest.skip(f"{case.bench.name} is never ambiguous")
    requests = [case.intent(await case.size()) for _ in range(6)]

    replies = [await case.broker.place(request) for request in requests]
    await case.bench.break_things("")
    found = [await case.broker.find_by_client_oid(case.symbol, request.id) for request in requests]
    open_size = sum(position.size for position in await case.broker.positions())

    assert all(isinstance(reply, Unknown) for reply in replies)
    assert open_size == sum(order.filled for order in found if order is not None)


async def test_c27_orders_placed_at_once_are_all_there_and_none_twice(case: Case):
    size = await case.size()
    requests = [case.intent(size) for _ in range(5)]

    replies = await asyncio.gather(*(case.broker.place(request) for request in requests))
    for request in requests:
        await case.until_filled(request)
    (position,) = await case.broker.positions()

    assert all(isinstance(reply, Accepted) for reply in replies)
    assert position.size == 5 * size


async def test_c33_an_order_that_was_taken_and_is_not_there_is_not_invented(case: Case):
    if not await case.bench.break_things("vanish=100%"):
        pytest.skip(f"{case.bench.name} does what it says")
    request = case.intent(await case.size())

    reply = await case.broker.place(request)
    await case.bench.break_things("")

    assert isinstance(reply, Accepted)
    assert await case.broker.find_by_client_oid(case.symbol, request.id) is None
    assert await case.flat()
