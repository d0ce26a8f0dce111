"""ccxt's own Bitget class, unchanged but for its URLs, trades at the simulator."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ccxt.async_support as ccxt
import pytest

from chandler.exchanges.simulator.private.keys import keys_file, read_keys
from chandler.exchanges.simulator.server import Simulator
from tests.exchanges.simulator.private.trader import later, still

PAIR = "AAA/USDT:USDT"


@contextlib.asynccontextmanager
async def bitget(venue: Simulator, data: Path) -> AsyncIterator[Any]:
    """With the keys that the simulator wrote."""
    keys = read_keys(keys_file(data, "demo"))
    exchange = ccxt.bitget(
        {
            "apiKey": keys.key,
            "secret": keys.secret,
            "password": keys.passphrase,
            "options": {"defaultType": "swap"},
            "enableRateLimit": False,
        }
    )
    exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], venue.rest_url)
    try:
        yield exchange
    finally:
        await exchange.close()


async def test_markets_leverage_orders_fills_positions_and_balance(tmp_path: Path) -> None:
    async with (
        still(tmp_path, 100.0, 110.0, data=tmp_path) as venue,
        bitget(venue, tmp_path) as exchange,
    ):
        markets = await exchange.load_markets()
        await exchange.set_leverage(5, PAIR)
        bought = await exchange.create_order(
            PAIR, "market", "buy", 2, params={"clientOrderId": "mine"}
        )
        order = await exchange.fetch_order(bought["id"], PAIR)
        (position,) = await exchange.fetch_positions([PAIR])
        trades = await exchange.fetch_my_trades(PAIR)
        await later(venue, 1)
        sold = await exchange.create_order(PAIR, "market", "sell", 2, params={"reduceOnly": True})
        closed = await exchange.fetch_closed_orders(PAIR)
        balance = await exchange.fetch_balance()
        leverage = await exchange.fetch_leverage(PAIR)
        left = await exchange.fetch_positions([PAIR])
        wallet = float(venue.exchange.accounts["demo"].paper.wallet)

    assert sorted(markets) == [PAIR, "BBB/USDT:USDT"]
    assert markets[PAIR]["precision"] == {"amount": 0.01, "price": 0.01}
    assert (order["status"], order["clientOrderId"], order["filled"]) == ("closed", "mine", 2.0)
    assert order["fee"]["cost"] == pytest.approx(sum(trade["fee"]["cost"] for trade in trades))
    assert (position["side"], position["contracts"], position["leverage"]) == ("long", 2.0, 5.0)
    assert sum(trade["amount"] for trade in trades) == 2.0
    assert {trade["order"] for trade in trades} == {bought["id"]}
    assert [each["id"] for each in closed] == [bought["id"], sold["id"]]
    assert balance["USDT"]["total"] == wallet > 100_000
    assert leverage["longLeverage"] == 5
    assert left == []


async def test_limit_orders_rest_and_are_cancelled(tmp_path: Path) -> None:
    async with still(tmp_path, data=tmp_path) as venue, bitget(venue, tmp_path) as exchange:
        made = await exchange.create_order(PAIR, "limit", "buy", 1, 97.5)
        other = await exchange.create_order(PAIR, "limit", "buy", 1, 97, {"postOnly": True})
        waiting = await exchange.fetch_open_orders(PAIR)
        await exchange.cancel_order(made["id"], PAIR)
        await exchange.cancel_all_orders(PAIR)
        after = await exchange.fetch_open_orders(PAIR)
        cancelled = await exchange.fetch_canceled_orders(PAIR)

    assert {order["id"] for order in waiting} == {made["id"], other["id"]}
    assert {order["price"] for order in waiting} == {97.5, 97.0}
    assert after == []
    assert {order["status"] for order in cancelled} == {"canceled"}


async def test_stops_wait_fire_and_are_cancelled(tmp_path: Path) -> None:
    async with (
        still(tmp_path, 100.0, 94.0, data=tmp_path) as venue,
        bitget(venue, tmp_path) as exchange,
    ):
        await exchange.create_order(PAIR, "market", "buy", 1)
        stop = await exchange.create_order(PAIR, "market", "sell", 1, params={"stopLossPrice": 95})
        profit = await exchange.create_order(
            PAIR, "market", "sell", 1, params={"takeProfitPrice": 120}
        )
        trigger = await exchange.create_order(
            PAIR, "market", "buy", 1, params={"triggerPrice": 130}
        )
        stops = await exchange.fetch_open_orders(
            PAIR, params={"trigger": True, "planType": "profit_loss"}
        )
        triggers = await exchange.fetch_open_orders(PAIR, params={"trigger": True})
        await exchange.cancel_order(profit["id"], PAIR, {"trigger": True, "planType": "pos_profit"})
        await exchange.cancel_order(trigger["id"], PAIR, {"trigger": True})
        await later(venue, 1)
        positions = await exchange.fetch_positions([PAIR])
        left = await exchange.fetch_open_orders(
            PAIR, params={"trigger": True, "planType": "profit_loss"}
        )

    assert {order["id"] for order in stops} == {stop["id"], profit["id"]}
    assert [order["id"] for order in triggers] == [trigger["id"]]
    assert positions == left == []


async def test_modes_ledger_and_fees(tmp_path: Path) -> None:
    async with still(tmp_path, data=tmp_path) as venue, bitget(venue, tmp_path) as exchange:
        await exchange.set_margin_mode("isolated", PAIR)
        await exchange.set_position_mode(False, PAIR)
        await exchange.create_order(PAIR, "market", "buy", 1, params={"marginMode": "isolated"})
        position = await exchange.fetch_position(PAIR)
        ledger = await exchange.fetch_ledger("USDT")
        fee = await exchange.fetch_trading_fee(PAIR)
        tiers = await exchange.fetch_market_leverage_tiers(PAIR)
        ticker = await exchange.fetch_ticker(PAIR)
        await exchange.close_position(PAIR)
        history = await exchange.fetch_positions_history([PAIR])

    assert position["marginMode"] == "isolated"
    assert len(ledger) == 1
    assert (fee["maker"], fee["taker"]) == (0.0002, 0.0006)
    assert tiers[0]["maxLeverage"] == 50
    assert ticker["last"] == 100.0
    assert len(history) == 1


@pytest.mark.parametrize(
    ("amount", "params", "error"),
    [
        (50_000, {}, ccxt.InsufficientFunds),
        (0.01, {}, ccxt.InvalidOrder),
        (1, {"clientOid": "taken"}, ccxt.ExchangeError),
        (1, {"hedged": True}, ccxt.InvalidOrder),
        (1, {"reduceOnly": True}, ccxt.ExchangeError),
    ],
)
async def test_refusals_are_those_that_ccxt_knows(
    tmp_path: Path, amount: float, params: dict[str, Any], error: type[Exception]
) -> None:
    async with still(tmp_path, data=tmp_path) as venue, bitget(venue, tmp_path) as exchange:
        await exchange.create_order(PAIR, "limit", "buy", 1, 97, {"clientOid": "taken"})
        with pytest.raises(error):
            await exchange.create_order(PAIR, "market", "buy", amount, params=params)


async def test_a_wrong_secret_and_a_wrong_clock_are_told_apart(tmp_path: Path) -> None:
    async with still(tmp_path, data=tmp_path) as venue, bitget(venue, tmp_path) as exchange:
        await exchange.load_markets()
        exchange.options["timeDifference"] = 40_000
        with pytest.raises(ccxt.InvalidNonce):
            await exchange.fetch_balance()
        exchange.options["timeDifference"] = 0
        exchange.secret = "wrong"
        with pytest.raises(ccxt.AuthenticationError):
            await exchange.fetch_balance()
