"""Rubbish sent to the private side is refused with a code and breaks nothing."""

import random
from pathlib import Path
from typing import Any

import orjson

from tests.exchanges.simulator.private.trader import SYMBOL, listener, order, still, trader
from tests.exchanges.simulator.venue import admin

RUBBISH: tuple[Any, ...] = (
    None,
    "",
    0,
    -1,
    1.5,
    True,
    [],
    [None],
    [[1]],
    {},
    {"orderId": {}},
    [{"orderId": []}],
    [{"clientOid": 5, "size": "x"}],
    "NaN",
    "Infinity",
    "1e999",
    "9" * 60,
    "0.000000000000000000000001",
    "ä",
    "a" * 200,
    "BBBUSDT",
    "5",
    "50",
)


async def test_rubbish_has_a_code_whatever_the_endpoint(tmp_path: Path) -> None:
    rng = random.Random(1)
    good = order("buy", "1", price="99") | {
        "productType": "USDT-FUTURES",
        "triggerPrice": "95",
        "planType": "pos_loss",
        "orderId": "17",
        "clientOid": "some",
        "holdSide": "buy",
        "leverage": "5",
        "posMode": "one_way_mode",
        "limit": "5",
        "idLessThan": "17",
        "startTime": "0",
        "newClientOid": "other",
        "orderList": [{"side": "buy", "size": "1", "orderType": "market"}],
        "orderIdList": [{"orderId": "17"}],
        "force": "gtc",
        "reduceOnly": "NO",
        "rangeRate": "1",
    }
    found = set()
    async with still(tmp_path) as venue, trader(venue) as one:
        await one.place("buy", "1")
        for path in venue.private._endpoints:
            for _ in range(12):
                await admin(venue, "POST", "clock", {"now_ms": venue.clock.now() + 1000})
                body = good | {key: rng.choice(RUBBISH) for key in rng.sample(sorted(good), 2)}
                body = {key: value for key, value in body.items() if rng.random() > 0.1}
                method = venue.private._endpoints[path].method
                if method == "GET":
                    body = {key: str(value).replace(" ", "") for key, value in body.items()}
                    body = {key: value for key, value in body.items() if value.isascii()}
                status, answer = await one.ask(method, path.removeprefix("/api/v2/"), body)
                assert status in (200, 400, 429), (path, body, answer)
                found.add(answer["code"])
        truth = await one.truth()

    assert {"00000", "40019", "400172"} <= found
    assert truth["start"] == "100000"


async def test_rubbish_on_the_socket_is_answered_with_an_error(tmp_path: Path) -> None:
    messages: list[Any] = [
        "",
        "{",
        5,
        [],
        {},
        {"op": []},
        {"op": "login"},
        {"op": "login", "args": [5]},
        {"op": "subscribe", "args": {}},
        {"op": "subscribe", "args": [{"channel": [], "instType": {}, "instId": 5}]},
        {"op": "subscribe", "args": [{"channel": [], "instType": "USDT-FUTURES", "instId": "x"}]},
        {"op": "unsubscribe", "args": [{"channel": "orders", "instId": SYMBOL}]},
    ]
    told = []
    async with still(tmp_path) as venue:
        for message in messages:
            async with listener(venue, venue.exchange.accounts["demo"].keys) as one:
                text = message if isinstance(message, str) else orjson.dumps(message).decode()
                await one.socket.send(text)
                told.append((await one.read())["event"])

    assert told == ["error"] * len(messages)


async def test_a_body_that_is_no_object_is_refused(tmp_path: Path) -> None:
    async with still(tmp_path) as venue, trader(venue) as one:
        bodies: tuple[Any, ...] = ([], 5, "text", None)
        for body in bodies:
            status, answer = await one.ask("POST", "mix/order/place-order", body)
            assert (status, answer["code"]) == (400, "400172")


async def test_admin_says_what_it_cannot_do(tmp_path: Path) -> None:
    async with still(tmp_path) as venue:
        found = [
            await admin(venue, "POST", "contract", {"symbol": "NOPEUSDT", "set": {}}),
            await admin(venue, "POST", "contract", {"symbol": SYMBOL, "set": {"colour": "red"}}),
            await admin(venue, "POST", "contract", {"symbol": SYMBOL, "set": {"maxLever": "x"}}),
            await admin(venue, "POST", "contract", {"symbol": SYMBOL, "set": {"minTradeNum": ""}}),
            await admin(venue, "GET", "accounts/orders?account=nobody"),
            await admin(venue, "GET", "accounts/fills?account=nobody"),
        ]

    assert [status for status, _ in found] == [400] * 6
    assert all("\n" not in answer["error"] for _, answer in found)
