"""Accounts: leverage, modes, bills, funding at its marks, liquidation on the mark price."""

from decimal import Decimal
from pathlib import Path

import pytest

from chandler.core.granularity import HOUR_MS
from tests.exchanges.simulator.private.trader import (
    ACCOUNT,
    ORDER,
    POSITION,
    SYMBOL,
    later,
    order,
    still,
    trader,
)
from tests.exchanges.simulator.venue import ORIGIN_MS, admin, market


async def test_a_new_account_has_its_money_and_its_defaults(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        money = await one.get(f"{ACCOUNT}/account", symbol=SYMBOL, marginCoin="USDT")
        rate = await one.get("common/trade-rate", symbol=SYMBOL, businessType="mix")
        info = await one.get("spot/account/info")
        spot = await one.get("spot/account/assets")

    assert (money["available"], money["accountEquity"]) == ("100000", "100000")
    assert (money["posMode"], money["marginMode"]) == ("one_way_mode", "crossed")
    assert rate == {"makerFeeRate": "0.0002", "takerFeeRate": "0.0006"}
    assert "coow" in info["authorities"]
    assert spot == []


async def test_leverage_decides_the_margin(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        set_to = await one.post(f"{ACCOUNT}/set-leverage", symbol=SYMBOL, leverage="4")
        same = await one.code(f"{ACCOUNT}/set-leverage", symbol=SYMBOL, leverage="4")
        over = await one.code(f"{ACCOUNT}/set-leverage", symbol=SYMBOL, leverage="51")
        await one.place("buy", "1")
        (position,) = await one.get(f"{POSITION}/all-position")
        await one.post(f"{ACCOUNT}/set-leverage", symbol=SYMBOL, leverage="2")
        (moved,) = await one.get(f"{POSITION}/all-position")

    assert (set_to["crossMarginLeverage"], same, over) == ("4", "40814", "40797")
    assert Decimal(position["marginSize"]) == Decimal("100.03") / 4
    assert Decimal(moved["marginSize"]) == Decimal("100.03") / 2


async def test_modes_change_only_where_nothing_is_open(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        hedge = await one.code(f"{ACCOUNT}/set-position-mode", posMode="hedge_mode")
        one_way = await one.post(f"{ACCOUNT}/set-position-mode", posMode="one_way_mode")
        mode = await one.post(f"{ACCOUNT}/set-margin-mode", symbol=SYMBOL, marginMode="isolated")
        await one.place("buy", "1", marginMode="isolated")
        crossed = await one.code(f"{ACCOUNT}/set-margin-mode", symbol=SYMBOL, marginMode="crossed")
        other = await one.code(f"{ORDER}/place-order", **order("buy", "1"))
        busy = await one.code(f"{ACCOUNT}/set-position-mode", posMode="one_way_mode")

    assert (hedge, one_way, mode["marginMode"]) == (
        "400172",
        {"posMode": "one_way_mode"},
        "isolated",
    )
    assert (crossed, other, busy) == ("45117", "45117", "40920")


async def test_an_account_in_hedge_mode_says_so_and_takes_no_order(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await admin(venue, "POST", "accounts", {"account": "demo", "pos_mode": "hedge_mode"})
        money = await one.get(f"{ACCOUNT}/account", symbol=SYMBOL)
        plain = await one.code(f"{ORDER}/place-order", **order("buy", "1"))
        hedged = await one.code(f"{ORDER}/place-order", **order("buy", "1", tradeSide="open"))

    assert money["posMode"] == "hedge_mode"
    assert (plain, hedged) == ("40774", "400172")


async def test_funding_is_paid_at_its_mark_by_longs_and_billed(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "2")
        (rate,) = await market(venue, "current-fund-rate", symbol=SYMBOL)
        before = await one.truth()
        await admin(venue, "POST", "clock", {"now_ms": ORIGIN_MS + 8 * HOUR_MS - 10 * 60_000})
        early = await one.get(f"{ACCOUNT}/bill", businessType="contract_settle_fee")
        await admin(venue, "POST", "clock", {"now_ms": ORIGIN_MS + 16 * HOUR_MS + 60_000})
        bills = (await one.get(f"{ACCOUNT}/bill", businessType="contract_settle_fee"))["bills"]
        after = await one.truth()

    first = bills[-1]
    assert early["bills"] == []
    assert [int(bill["cTime"]) for bill in bills] == [ORIGIN_MS + h * HOUR_MS for h in (16, 8)]
    assert Decimal(first["amount"]) == -2 * 100 * Decimal(rate["fundingRate"])
    paid = sum(Decimal(bill["amount"]) for bill in bills)
    assert Decimal(after["wallet"]) == Decimal(before["wallet"]) + paid
    assert Decimal(after["funding"]) == -paid


async def test_a_position_whose_margin_is_gone_is_liquidated(tmp_path: Path) -> None:
    async with still(tmp_path, 100.0, 92.0, 80.0) as venue, trader(venue) as one:
        await one.post(f"{ACCOUNT}/set-leverage", symbol=SYMBOL, leverage="10")
        await one.place("buy", "1", presetStopLossPrice="50")
        (position,) = await one.get(f"{POSITION}/all-position")
        await later(venue, 1)
        (held,) = await one.get(f"{POSITION}/all-position")
        await later(venue, 2)
        left = await one.get(f"{POSITION}/all-position")
        newest = (await one.get(f"{ORDER}/orders-history"))["entrustedList"][0]
        plans = await one.get(f"{ORDER}/orders-plan-pending", planType="profit_loss")
        truth = await one.truth()

    assert 90 < Decimal(position["liquidationPrice"]) < 92
    assert held["total"] == "1"
    assert left == []
    assert (newest["orderSource"], newest["tradeSide"]) == ("liquidation", "burst_sell_single")
    assert (newest["side"], newest["priceAvg"]) == ("sell", "80")
    assert plans["entrustedList"] == []
    assert Decimal(truth["realised"]) == Decimal("80") - Decimal("100.03")


async def test_the_wallet_is_the_sum_of_the_bills(tmp_path: Path) -> None:
    async with still(tmp_path, 100.0, 103.0) as venue, trader(venue) as one:
        for side, size in (("buy", "3"), ("sell", "1"), ("sell", "5"), ("buy", "0.33")):
            await one.place(side, size)
        await later(venue, 1)
        await one.post(f"{ORDER}/close-positions")
        bills = (await one.get(f"{ACCOUNT}/bill"))["bills"]
        wallet = await one.wallet()

    total = sum(Decimal(bill["amount"]) + Decimal(bill["fee"]) for bill in bills)
    assert wallet == 100_000 + total == Decimal(bills[0]["balance"])


@pytest.mark.parametrize(
    "body",
    [
        {"account": "a/b"},
        {"account": "demo", "balance": "5"},
        {"account": "demo", "change": "much"},
        {"account": "demo", "pos_mode": "both"},
        {"accounts": 5},
    ],
)
async def test_what_cannot_be_done_to_an_account_is_said(tmp_path: Path, body: object) -> None:
    async with still(tmp_path) as venue:
        status, answer = await admin(venue, "POST", "accounts", body)

    assert status == 400
    assert "\n" not in answer["error"]
