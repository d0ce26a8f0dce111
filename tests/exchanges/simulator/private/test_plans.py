"""Plans: when they fire, what they become, and that stops end with their position."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.exchanges.simulator.private.trader import (
    ORDER,
    POSITION,
    SYMBOL,
    Trader,
    later,
    still,
    trader,
)


async def stop(one: Trader, kind: str, trigger: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = await one.post(
        f"{ORDER}/place-tpsl-order",
        symbol=SYMBOL,
        planType=kind,
        triggerPrice=trigger,
        **({"holdSide": "buy"} | more),
    )
    return made


async def live(one: Trader, kind: str = "profit_loss") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        await one.get(f"{ORDER}/orders-plan-pending", planType=kind, symbol=SYMBOL)
    )["entrustedList"]
    return found


async def test_a_stop_closes_the_whole_position_when_its_price_comes(tmp_path: Path) -> None:
    async with still(tmp_path, 100.0, 97.0, 94.0) as venue, trader(venue) as one:
        await one.place("buy", "1")
        await one.place("buy", "2")
        plan = await stop(one, "pos_loss", "95", clientOid="stop-1")
        await later(venue, 1)
        waiting = await live(one)
        await later(venue, 2)
        positions = await one.get(f"{POSITION}/all-position")
        path = f"{ORDER}/orders-plan-history"
        (fired,) = (await one.get(path, planType="profit_loss"))["entrustedList"]
        made = await one.get(f"{ORDER}/detail", symbol=SYMBOL, clientOid=plan["orderId"])
        (sub,) = await one.get(f"{ORDER}/plan-sub-order", planOrderId=plan["orderId"])

    assert [row["clientOid"] for row in waiting] == ["stop-1"]
    assert waiting[0]["planStatus"] == "live"
    assert positions == []
    assert (fired["planStatus"], fired["executeOrderId"]) == ("executed", made["orderId"])
    assert (made["baseVolume"], made["side"], made["reduceOnly"]) == ("3", "sell", "YES")
    assert Decimal(made["priceAvg"]) < 95
    assert sub["orderId"] == made["orderId"]


async def test_a_take_profit_of_a_short_fires_below(tmp_path: Path) -> None:
    async with still(tmp_path, 100.0, 97.0) as venue, trader(venue) as one:
        await one.place("sell", "2")
        await stop(one, "profit_plan", "98", holdSide="sell", size="0.5")
        await later(venue, 1)
        (position,) = await one.get(f"{POSITION}/all-position")

    assert (position["holdSide"], position["total"]) == ("short", "1.5")


async def test_stops_end_with_their_position(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        await stop(one, "pos_loss", "95")
        await stop(one, "pos_profit", "105")
        (position,) = await one.get(f"{POSITION}/all-position")
        await one.place("sell", "1", reduceOnly="YES")
        left = await live(one)
        history = await one.get(f"{ORDER}/orders-plan-history", planType="profit_loss")

    assert (position["stopLoss"], position["takeProfit"]) == ("95", "105")
    assert left == []
    assert {row["planStatus"] for row in history["entrustedList"]} == {"cancelled"}


async def test_a_second_stop_for_the_position_takes_the_firsts_place(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        await stop(one, "pos_loss", "95")
        second = await stop(one, "pos_loss", "96")
        left = await live(one)

    assert [row["orderId"] for row in left] == [second["orderId"]]


async def test_presets_of_an_order_become_stops_of_the_position(tmp_path: Path) -> None:
    async with still(tmp_path, 100.0, 106.0) as venue, trader(venue) as one:
        await one.place("buy", "1", presetStopLossPrice="95", presetStopSurplusPrice="105")
        kinds = {row["planType"] for row in await live(one)}
        await later(venue, 1)
        positions = await one.get(f"{POSITION}/all-position")
        left = await live(one)

    assert kinds == {"pos_loss", "pos_profit"}
    assert positions == left == []


async def test_cancelling_without_a_plan_type_cancels_no_stop(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        plan = await stop(one, "pos_loss", "95")
        named = {"symbol": SYMBOL, "orderIdList": [{"orderId": plan["orderId"]}]}
        nothing = await one.post(f"{ORDER}/cancel-plan-order", **named)
        done = await one.post(f"{ORDER}/cancel-plan-order", **named, planType="pos_loss")
        left = await live(one)

    assert nothing == {"successList": [], "failureList": []}
    assert [row["orderId"] for row in done["successList"]] == [plan["orderId"]]
    assert left == []


async def test_a_trigger_opens_a_position_with_its_stops(tmp_path: Path) -> None:
    async with still(tmp_path, 100.0, 103.0) as venue, trader(venue) as one:
        await one.post(
            f"{ORDER}/place-plan-order",
            symbol=SYMBOL,
            planType="normal_plan",
            triggerPrice="102",
            triggerType="mark_price",
            side="buy",
            orderType="market",
            size="1",
            stopLossTriggerPrice="90",
        )
        before = await one.get(f"{POSITION}/all-position")
        await later(venue, 1)
        (position,) = await one.get(f"{POSITION}/all-position")

    assert before == []
    assert (position["holdSide"], position["stopLoss"]) == ("long", "90")


async def test_a_trailing_stop_follows_the_best_price(tmp_path: Path) -> None:
    async with still(tmp_path, 100.0, 106.0, 104.0, 102.0) as venue, trader(venue) as one:
        await one.place("buy", "1")
        await stop(one, "moving_plan", "105", rangeRate="3", size="1")
        await later(venue, 2)
        (held,) = await one.get(f"{POSITION}/all-position")
        await later(venue, 3)
        positions = await one.get(f"{POSITION}/all-position")

    assert held["total"] == "1"  # 106 less 3 % is 102.82
    assert positions == []


async def test_both_stops_at_once_and_one_of_them_moved(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        made = await one.post(
            f"{ORDER}/place-pos-tpsl",
            symbol=SYMBOL,
            holdSide="buy",
            stopSurplusTriggerPrice="105",
            stopLossTriggerPrice="95",
        )
        loss = next(row for row in await live(one) if row["planType"] == "pos_loss")
        await one.post(
            f"{ORDER}/modify-tpsl-order", symbol=SYMBOL, orderId=loss["orderId"], triggerPrice="97"
        )
        (position,) = await one.get(f"{POSITION}/all-position")

    assert len(made) == 2
    assert (position["stopLoss"], position["takeProfit"]) == ("97", "105")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"triggerPrice": "101"}, "40917"),
        ({"planType": "pos_profit", "triggerPrice": "99"}, "40915"),
        ({"triggerPrice": ""}, "40019"),
        ({"triggerPrice": "95.001"}, "41103"),
        ({"planType": "loss_plan"}, "40019"),
        ({"planType": "stop"}, "400172"),
        ({"holdSide": "sell"}, "22002"),
        ({"symbol": "BBBUSDT"}, "22002"),
        ({"planType": "moving_plan", "size": "1", "rangeRate": "11"}, "400172"),
    ],
)
async def test_a_stop_that_makes_no_sense_has_its_code(
    tmp_path: Path, change: dict[str, str], code: str
) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        body = {"symbol": SYMBOL, "planType": "pos_loss", "triggerPrice": "95", "holdSide": "buy"}

        assert await one.code(f"{ORDER}/place-tpsl-order", **(body | change)) == code
