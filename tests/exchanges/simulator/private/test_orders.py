"""Orders over REST: what is filled at what price and fee, what rests, what is refused and how."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.exchanges.simulator.private.trader import (
    ORDER,
    POSITION,
    SYMBOL,
    later,
    order,
    still,
    trader,
)
from tests.exchanges.simulator.venue import admin


async def test_an_order_at_market_pays_the_ask_the_slippage_and_the_fee(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        placed = await one.place("buy", "0.5", clientOid="entry-1")
        (fill,) = (await one.get(f"{ORDER}/fills", symbol=SYMBOL))["fillList"]
        truth = await one.truth()

    assert (placed["state"], placed["clientOid"]) == ("filled", "entry-1")
    assert (placed["priceAvg"], placed["tradeSide"]) == ("100.03", "buy_single")
    assert (fill["price"], fill["baseVolume"], fill["tradeScope"]) == ("100.03", "0.5", "taker")
    assert fill["feeDetail"][0]["totalFee"] == placed["fee"] == "-0.030009"
    assert truth["wallet"] == "99999.969991"


async def test_a_round_trip_realises_the_difference(tmp_path: Path) -> None:
    async with still(tmp_path, 100.0, 110.0) as venue, trader(venue) as one:
        bought = await one.place("buy", "2")
        await later(venue, 1)
        sold = await one.place("sell", "2", reduceOnly="YES")
        positions = await one.get(f"{POSITION}/all-position", marginCoin="USDT")
        history = await one.get(f"{POSITION}/history-position")
        truth = await one.truth()

    profit = Decimal(sold["quoteVolume"]) - Decimal(bought["quoteVolume"])
    fees = Decimal(bought["fee"]) + Decimal(sold["fee"])
    assert sold["totalProfits"] == truth["realised"] == str(profit)
    assert Decimal(truth["wallet"]) == 100_000 + profit + fees - Decimal(truth["funding"])
    assert positions == []
    assert history["list"][0]["pnl"] == str(profit)
    assert history["list"][0]["closeTotalPos"] == "2"


async def test_a_limit_order_rests_and_is_filled_as_maker_when_its_price_comes(
    tmp_path: Path,
) -> None:
    async with still(tmp_path, 100.0, 98.0) as venue, trader(venue) as one:
        resting = await one.place("buy", "0.1", price="99", force="gtc")
        pending = await one.get(f"{ORDER}/orders-pending", symbol=SYMBOL)
        money = (await one.get("mix/account/accounts"))[0]
        await later(venue, 1)
        filled = await one.detail(resting["orderId"])
        after = await one.get(f"{ORDER}/orders-pending", symbol=SYMBOL)
        (fill,) = (await one.get(f"{ORDER}/fills"))["fillList"]

    assert resting["state"] == "live"
    assert [row["orderId"] for row in pending["entrustedList"]] == [resting["orderId"]]
    assert Decimal(money["locked"]) > 0
    assert (filled["state"], filled["priceAvg"]) == ("filled", "99")
    assert (fill["tradeScope"], filled["fee"]) == ("maker", "-0.00198")
    assert after["entrustedList"] is None


@pytest.mark.parametrize(
    ("force", "price", "state", "reason"),
    [
        ("ioc", "99", "canceled", "ioc_cancel"),
        ("fok", "99", "canceled", "fok_cancel"),
        ("post_only", "101", "canceled", "post_only_cancel"),
        ("post_only", "99", "live", ""),
        ("ioc", "101", "filled", ""),
        ("fok", "101", "filled", ""),
        ("gtc", "101", "filled", ""),
    ],
)
async def test_a_limit_orders_force(
    tmp_path: Path, force: str, price: str, state: str, reason: str
) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        placed = await one.place("buy", "0.1", price=price, force=force)

    assert (placed["state"], placed["cancelReason"]) == (state, reason)


async def test_more_than_a_level_holds_is_filled_in_several_fills(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        placed = await one.place("buy", "40")
        fills = (await one.get(f"{ORDER}/fills"))["fillList"]

    prices = [Decimal(fill["price"]) for fill in reversed(fills)]
    assert len(fills) > 1
    assert prices == sorted(prices)
    assert sum(Decimal(fill["baseVolume"]) for fill in fills) == 40
    assert placed["state"] == "filled"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": "XXXUSDT"}, "40034"),
        ({"symbol": ""}, "40019"),
        ({"productType": "COIN-FUTURES"}, "400172"),
        ({"size": "0.123"}, "40808"),
        ({"size": "0.01"}, "45110"),
        ({"size": "-1"}, "400172"),
        ({"size": "many"}, "400172"),
        ({"size": ""}, "40019"),
        ({"size": "1e6"}, "40762"),
        ({"orderType": "limit"}, "40019"),
        ({"orderType": "limit", "price": "99.005"}, "41103"),
        ({"orderType": "limit", "price": "120"}, "40815"),
        ({"orderType": "limit", "price": "99", "force": "now"}, "400172"),
        ({"side": "long"}, "400172"),
        ({"tradeSide": "open"}, "40774"),
        ({"reduceOnly": "YES"}, "22002"),
        ({"clientOid": "with space"}, "400172"),
        ({"marginCoin": "USDC"}, "400172"),
        ({"presetStopLossPrice": "101"}, "40917"),
        ({"presetStopSurplusPrice": "99"}, "40915"),
        ({"presetStopLossPrice": "90.001"}, "41103"),
    ],
)
async def test_what_the_venue_does_not_take_has_its_code(
    tmp_path: Path, change: dict[str, Any], code: str
) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        found = await one.code(f"{ORDER}/place-order", **order("buy", "1") | change)
        pending = await one.get(f"{ORDER}/orders-history")

    assert found == code
    assert pending["entrustedList"] is None


async def test_a_client_oid_is_unique_among_what_is_pending_only(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "0.1", price="99", clientOid="same")
        again = await one.code(
            f"{ORDER}/place-order", **order("buy", "0.1", price="98", clientOid="same")
        )
        await one.post(f"{ORDER}/cancel-order", symbol=SYMBOL, clientOid="same")
        third = await one.place("buy", "0.1", price="97", clientOid="same")
        found = await one.get(f"{ORDER}/detail", symbol=SYMBOL, clientOid="same")

    assert again == "40786"
    assert found["orderId"] == third["orderId"]


async def test_cancelling_ends_an_order_once(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        placed = await one.place("buy", "0.1", price="99")
        named = {"symbol": SYMBOL, "orderId": placed["orderId"]}
        await one.post(f"{ORDER}/cancel-order", **named)
        again = await one.code(f"{ORDER}/cancel-order", **named)
        unknown = await one.code(f"{ORDER}/cancel-order", symbol=SYMBOL, orderId="17")
        ended = await one.detail(placed["orderId"])
        money = (await one.get("mix/account/accounts"))[0]

    assert (again, unknown) == ("22001", "40109")
    assert (ended["state"], ended["cancelReason"]) == ("canceled", "normal_cancel")
    assert (money["locked"], money["available"]) == ("0", "100000")


async def test_cancel_all_and_flash_close_leave_nothing(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("sell", "1")
        for price in ("98", "97"):
            await one.place("buy", "0.1", price=price)
        cancelled = await one.post(f"{ORDER}/cancel-all-orders")
        closed = await one.post(f"{ORDER}/close-positions")
        nothing = await one.code(f"{ORDER}/cancel-all-orders")
        positions = await one.get(f"{POSITION}/single-position", symbol=SYMBOL)

    assert len(cancelled["successList"]) == 2
    assert [row["symbol"] for row in closed["successList"]] == [SYMBOL]
    assert nothing == "22001"
    assert positions == []


async def test_each_order_of_a_batch_stands_by_itself(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        items = [
            {"side": "buy", "size": "0.1", "orderType": "market", "clientOid": "good"},
            {"side": "buy", "size": "0.01", "orderType": "market", "clientOid": "small"},
        ]
        done = await one.post(f"{ORDER}/batch-place-order", symbol=SYMBOL, orderList=items)

    assert [row["clientOid"] for row in done["successList"]] == ["good"]
    assert done["failureList"] == [
        {
            "orderId": "",
            "clientOid": "small",
            "errorMsg": "less than the minimum amount 5 USDT",
            "errorCode": "45110",
        }
    ]


async def test_an_order_against_a_position_reduces_it_and_flips_it(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        reduced = await one.place("sell", "0.4")
        (after,) = await one.get(f"{POSITION}/all-position")
        await one.place("sell", "1")
        (flipped,) = await one.get(f"{POSITION}/all-position")
        over = await one.place("buy", "9", reduceOnly="YES")
        left = await one.get(f"{POSITION}/all-position")

    assert reduced["tradeSide"] == "sell_single"
    assert (after["holdSide"], after["total"]) == ("long", "0.6")
    assert (flipped["holdSide"], flipped["total"]) == ("short", "0.4")
    assert (over["size"], over["baseVolume"], over["state"]) == ("0.4", "0.4", "filled")
    assert over["tradeSide"] == "reduce_buy_single"
    assert left == []


async def test_an_oversized_reduce_only_limit_displaces_older_ones_and_has_no_id(
    tmp_path: Path,
) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        first = await one.place("sell", "0.8", price="101", reduceOnly="YES")
        body = order("sell", "0.9", price="102", reduceOnly="YES", clientOid="second")
        placed = await one.post(f"{ORDER}/place-order", **body)
        displaced = await one.detail(first["orderId"])

    assert placed == {"clientOid": "second", "orderId": None}
    assert displaced["state"] == "canceled"


@pytest.mark.parametrize(
    ("status", "opening", "closing"),
    [("maintain", "41114", "41114"), ("limit_open", "40844", "00000"), ("off", "40309", "40309")],
)
async def test_a_symbol_that_is_not_traded_has_its_code(
    tmp_path: Path, status: str, opening: str, closing: str
) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        change = {"symbol": SYMBOL, "set": {"symbolStatus": status}}
        await admin(venue, "POST", "contract", change)
        opened = await one.code(f"{ORDER}/place-order", **order("buy", "1"))
        closed = await one.code(f"{ORDER}/place-order", **order("sell", "1", reduceOnly="YES"))

    assert (opened, closed) == (opening, closing)


async def test_a_delisted_symbol_keeps_its_position_and_takes_no_orders(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        await admin(venue, "POST", "delist", {"symbol": SYMBOL})
        code = await one.code(f"{ORDER}/place-order", **order("sell", "1", reduceOnly="YES"))
        (position,) = await one.get(f"{POSITION}/all-position")

    assert code == "40309"
    assert position["total"] == "1"


async def test_steps_and_minimums_can_change(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        before = await one.code(f"{ORDER}/place-order", **order("buy", "0.15"))
        change = {"symbol": SYMBOL, "set": {"sizeMultiplier": "0.1", "minTradeNum": "0.1"}}
        await admin(venue, "POST", "contract", change)
        after = await one.code(f"{ORDER}/place-order", **order("buy", "0.15"))

    assert (before, after) == ("00000", "40808")


async def test_lists_are_paged_newest_first(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        made = [(await one.place("buy", "0.1"))["orderId"] for _ in range(5)]
        first = await one.get(f"{ORDER}/orders-history", limit=2)
        rest = await one.get(f"{ORDER}/orders-history", limit=100, idLessThan=first["endId"])
        fills = await one.get(f"{ORDER}/fills", orderId=made[2])

    ids = [row["orderId"] for row in [*first["entrustedList"], *rest["entrustedList"]]]
    assert ids == made[::-1]
    assert [row["orderId"] for row in fills["fillList"]] == [made[2]]
