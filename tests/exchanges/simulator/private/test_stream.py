"""The private socket: login and its errors, channels, initial pushes, what an order pushes."""

import time
from decimal import Decimal
from pathlib import Path

import pytest
import websockets

from chandler.exchanges.simulator.private.keys import Keys
from chandler.exchanges.simulator.server import Simulator
from tests.exchanges.simulator.private.trader import (
    SYMBOL,
    arg,
    later,
    listener,
    order,
    still,
    trader,
)
from tests.exchanges.simulator.venue import admin


def demo_keys(venue: Simulator) -> Keys:
    return venue.exchange.accounts["demo"].keys


async def test_seconds_and_milliseconds_are_both_a_login(tmp_path: Path) -> None:
    async with still(tmp_path) as venue:
        keys = venue.exchange.accounts["demo"].keys
        answers = []
        for stamp in (time.time_ns() // 1_000_000_000, time.time_ns() // 1_000_000):
            async with listener(venue) as one:
                answers.append(await one.login(keys, str(stamp)))

    assert [(each["event"], each["code"]) for each in answers] == [("login", 0)] * 2


@pytest.mark.parametrize(
    ("change", "stamp", "code"),
    [
        ({"key": "nobody"}, "", 30011),
        ({"passphrase": "wrong"}, "", 30012),
        ({}, "soon", 30013),
        ({}, "1600000000", 30014),
        ({"secret": "wrong"}, "", 30015),
    ],
)
async def test_a_wrong_login_is_told_and_ends_the_connection(
    tmp_path: Path, change: dict[str, str], stamp: str, code: int
) -> None:
    async with still(tmp_path) as venue, listener(venue) as one:
        keys = venue.exchange.accounts["demo"].keys._replace(**change)
        answer = await one.login(keys, stamp)
        with pytest.raises(websockets.ConnectionClosed):
            await one.read()

    assert (answer["event"], answer["code"]) == ("error", code)


async def test_nothing_is_heard_without_a_login(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, listener(venue) as one:
        await one.send("subscribe", arg("orders"))
        refused = await one.read()
        await one.socket.send("ping")
        pong = await one.socket.recv()

    assert (refused["event"], refused["code"], refused["op"]) == ("error", 30004, "subscribe")
    assert pong == "pong"


async def test_a_channel_that_is_not_there_is_refused_by_itself(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, listener(venue, demo_keys(venue)) as one:
        await one.send("subscribe", arg("ordres"), arg("orders"))
        answers = [await one.read(), await one.read()]

    assert [each["event"] for each in answers] == ["error", "subscribe"]
    assert answers[0]["code"] == 30001


async def test_positions_and_account_come_whole_at_first(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as trading:
        await trading.place("buy", "1")
        async with listener(venue, trading.keys) as one:
            await one.subscribe("positions", "account", "orders", "fill")
            messages = [await one.read() for _ in range(6)]

    first = {m["arg"]["channel"]: m["data"] for m in messages if "action" in m}
    assert set(first) == {"positions", "account"}
    assert (first["positions"][0]["instId"], first["positions"][0]["total"]) == (SYMBOL, "1")
    assert first["positions"][0]["leverage"] == 10
    assert Decimal(first["account"][0]["equity"]) < 100_000


async def test_an_order_pushes_live_then_filled_and_its_fill(tmp_path: Path) -> None:
    async with (
        still(tmp_path) as venue,
        trader(venue) as trading,
        listener(venue, trading.keys) as one,
    ):
        await one.subscribe("orders", "fill")
        await trading.place("buy", "1", clientOid="mine")
        messages = [await one.read() for _ in range(5)]

    rows = [(m["arg"]["channel"], m["data"][0]) for m in messages if "action" in m]
    live, fill, filled = rows
    assert [row[0] for row in rows] == ["orders", "fill", "orders"]
    assert (live[1]["status"], live[1]["accBaseVolume"]) == ("live", "0")
    assert "tradeId" not in live[1]
    assert (filled[1]["status"], filled[1]["tradeId"]) == ("filled", fill[1]["tradeId"])
    assert fill[1]["clientOid"] == "mine"
    assert fill[1]["feeDetail"][0]["totalFee"] == filled[1]["fillFee"] == "-0.060018"


async def test_a_closed_position_is_missing_from_the_full_list(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as trading:
        await trading.place("buy", "1")
        async with listener(venue, trading.keys) as one:
            await one.subscribe("positions", "positions-history")
            await one.rows("positions", 1)
            await trading.place("sell", "1", reduceOnly="YES")
            (closed,) = await one.rows("positions-history", 1)
            message = await one.read()
            while message["arg"]["channel"] != "positions":
                message = await one.read()

    assert message["data"] == []
    assert (closed["closeSize"], closed["holdSide"]) == ("1", "long")


async def test_a_plan_is_pushed_when_it_waits_and_when_it_fires(tmp_path: Path) -> None:
    async with (
        still(tmp_path, 100.0, 94.0) as venue,
        trader(venue) as trading,
        listener(venue, trading.keys) as one,
    ):
        await one.subscribe("orders-algo")
        await trading.place("buy", "1", presetStopLossPrice="95")
        await later(venue, 1)
        rows = await one.rows("orders-algo", 2)

    assert [row["planType"] for row in rows] == ["psl", "psl"]
    assert [row["status"] for row in rows] == ["live", "executed"]


async def test_one_account_hears_nothing_of_another(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as demo:
        await admin(venue, "POST", "accounts", {"account": "other"})
        async with trader(venue, "other") as other, listener(venue, other.keys) as one:
            await one.subscribe("orders", "fill")
            await demo.place("buy", "1", clientOid="theirs")
            await other.place("buy", "1", clientOid="ours")
            (row,) = await one.rows("fill", 1)

    assert row["clientOid"] == "ours"


async def test_the_limits_on_a_connection_hold_here_too(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, listener(venue) as one:
        for _ in range(10):
            await one.socket.send("ping")
            assert await one.socket.recv() == "pong"
        await one.socket.send("ping")
        told = await one.read()
        with pytest.raises(websockets.ConnectionClosed):
            await one.read()

    assert told["code"] == 30006


async def test_lost_and_doubled_pushes(tmp_path: Path) -> None:
    async with still(tmp_path, faults="twice=100%") as venue, trader(venue) as trading:
        async with listener(venue, trading.keys) as one:
            await one.subscribe("fill")
            await trading.place("buy", "1")
            first, second = await one.rows("fill", 2)
        await admin(venue, "POST", "faults", {"spec": "lost=100%"})
        async with listener(venue, trading.keys) as one:
            await one.subscribe("fill", "orders", "account")
            acks = [await one.read() for _ in range(3)]
            await trading.place("buy", "1")
            await one.socket.send("ping")
            silence = await one.socket.recv()

    assert first == second
    assert [each["event"] for each in acks] == ["subscribe"] * 3
    assert silence == "pong"


async def test_private_sockets_can_be_cut(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, listener(venue, demo_keys(venue)) as one:
        await admin(venue, "POST", "accounts/cut")
        with pytest.raises(websockets.ConnectionClosed):
            await one.read()


async def test_an_order_in_another_symbol_is_not_pushed_to_who_named_one(tmp_path: Path) -> None:
    async with (
        still(tmp_path) as venue,
        trader(venue) as trading,
        listener(venue, trading.keys) as one,
    ):
        named = {"instType": "USDT-FUTURES", "channel": "fill", "instId": SYMBOL}
        await one.send("subscribe", named)
        await trading.post("mix/order/place-order", **order("buy", "1") | {"symbol": "BBBUSDT"})
        await trading.place("buy", "1")
        (row,) = await one.rows("fill", 1)

    assert row["symbol"] == SYMBOL
