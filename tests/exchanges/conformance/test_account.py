"""The conformance suite of brokers, part two: stops, leverage, the stream, money, restarts.

The numbers run through both parts.
"""

from decimal import Decimal

import pytest

from chandler.core.trading.broker import (
    BrokerError,
    StreamBroken,
)
from tests.exchanges.conformance.bench import LEVERAGE, Case, fills_in, listening


async def test_c12_a_stop_is_placed_seen_and_cancelled(case: Case):
    size = await case.size()
    await case.filled(case.intent(size))
    step = Decimal((await case.bench.instrument()).price_step)
    trigger = (await case.bench.price() * Decimal("0.5") / step).to_integral_value() * step

    stop = await case.broker.place_stop(case.symbol, "long", trigger, "stopofcase12")
    seen = await case.broker.stops()
    await case.broker.cancel_stop(stop)
    left = await case.broker.stops()
    await case.broker.cancel_stop(stop)

    assert seen == [stop]
    assert (stop.id, stop.symbol, stop.trigger) == ("stopofcase12", case.symbol, trigger)
    assert left == []
    assert not await case.flat()


async def test_c13_leverage_is_that_of_the_position(case: Case):
    await case.broker.set_leverage(case.symbol, LEVERAGE)
    await case.broker.set_leverage(case.symbol, LEVERAGE)
    await case.filled(case.intent(await case.size()))

    (position,) = await case.broker.positions()

    assert position.leverage == LEVERAGE


async def test_c14_the_stream_gives_each_fill_once(case: Case):
    await case.bench.break_things("twice=100%")
    async with listening(case.bench) as pushes:
        request = case.intent(await case.size())
        fills = await case.filled(request)
        close = case.close(request.size)
        closing = await case.filled(close)

        async def all_seen() -> bool:
            return len(fills_in(pushes, close)) == len(closing)

        await case.until(all_seen)

    assert sorted(fills_in(pushes, request), key=lambda fill: fill.trade) == sorted(
        fills, key=lambda fill: fill.trade
    )
    assert len(fills_in(pushes, close)) == len(closing)


async def test_c15_a_cut_stream_says_so_comes_back_and_repeats_nothing(case: Case):
    async with listening(case.bench) as pushes:
        if not await case.bench.break_things("cut=300ms"):
            pytest.skip(f"{case.bench.name} has no connection")
        request = case.intent(await case.size())
        fills = await case.filled(request)

        async def back() -> bool:
            backs = [push.back for push in pushes if isinstance(push, StreamBroken)]
            return backs.count(True) >= 3

        await case.until(back)

    trades = [fill.trade for fill in fills_in(pushes, request)]
    assert len(trades) == len(set(trades))
    assert set(trades) <= {fill.trade for fill in fills}
    broken = [push.back for push in pushes if isinstance(push, StreamBroken)]
    assert broken[:5] == [True, False, True, False, True]


async def test_c19_fills_of_the_account_carry_their_orders_names(case: Case):
    request = case.intent(await case.size())
    fills = await case.filled(request)
    close = case.close(request.size)
    closing = await case.filled(close)

    since = await case.broker.fills_since(fills[0].at)
    after = await case.broker.fills_since(closing[-1].at + 1)

    ours = [fill for fill in since if fill.id in (request.id, close.id)]
    assert ours == fills + closing
    assert after == []


async def test_c20_equity_is_the_wallet_and_what_is_not_realised(case: Case):
    await case.filled(case.intent(await case.size()))

    balance = await case.broker.balance()

    assert 0 < balance.available < balance.wallet
    assert abs(balance.equity - balance.wallet) < balance.wallet / 100


async def test_c21_a_quote_is_never_better_than_the_best_price(case: Case):
    size = await case.size()

    buying = await case.broker.quote(case.symbol, buys=True, size=size)
    selling = await case.broker.quote(case.symbol, buys=False, size=size)

    assert buying.price >= buying.best > 0
    assert selling.best >= selling.price > 0  # of another moment: prices go on between the two
    assert (buying.size, selling.size) == (size, size)


async def test_c26_a_fill_that_was_not_pushed_is_there_when_it_is_asked_for(case: Case):
    if not await case.bench.break_things("lost=100%"):
        pytest.skip(f"{case.bench.name} loses no push")
    async with listening(case.bench) as pushes:
        request = case.intent(await case.size())
        fills = await case.filled(request)

    assert fills_in(pushes, request) == []
    assert sum(fill.size for fill in fills) == request.size


async def test_c28_no_funding_is_invented(case: Case):
    fills = await case.filled(case.intent(await case.size()))

    assert await case.broker.fundings_since(fills[0].at) == []


async def test_c29_the_skew_is_small_on_this_machine(case: Case):
    assert abs(await case.broker.skew_ms()) < 1_000


async def test_c30_a_stop_that_fires_while_nobody_looks_closes_the_position(case: Case):
    size = await case.size()
    (opening, *_) = await case.filled(case.intent(size))
    step = Decimal((await case.bench.instrument()).price_step)

    async def placed() -> bool:
        """Close below the price, which may have come there before the stop does."""
        trigger = await case.bench.price() - 2 * step
        try:
            await case.broker.place_stop(case.symbol, "long", trigger, "stopofcase30")
        except BrokerError:
            return False
        return True

    await case.until(placed)
    await case.until(case.flat)
    fills = [fill for fill in await case.broker.fills_since(opening.at) if not fill.buys]

    assert sum(fill.size for fill in fills) == size
    assert await case.broker.stops() == []


async def test_c31_a_stop_on_the_wrong_side_is_not_taken(case: Case):
    await case.filled(case.intent(await case.size()))
    step = Decimal((await case.bench.instrument()).price_step)
    trigger = (await case.bench.price() * 2 / step).to_integral_value() * step

    with pytest.raises(BrokerError) as told:
        await case.broker.place_stop(case.symbol, "long", trigger, "stopofcase31")

    assert "\n" not in str(told.value)
    assert await case.broker.stops() == []


async def test_c32_a_successor_finds_what_its_predecessor_placed(case: Case):
    request = case.intent(await case.size())
    fills = await case.filled(request)

    async with case.bench.another() as successor:
        order = await successor.find_by_client_oid(case.symbol, request.id)
        (position,) = await successor.positions()
        again = await successor.fills_since(fills[0].at)

    assert order is not None
    assert (order.id, order.filled, position.size) == (request.id, request.size, request.size)
    assert [fill for fill in again if fill.id == request.id] == fills
