"""The private socket: each fill once, whatever the connection does."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import orjson
import pytest

from chandler.core.trading.broker import Push, StreamBroken, VenueFill, VenueOrder
from chandler.exchanges.bitget.pacing import Backoff
from chandler.exchanges.bitget.trade.signing import Signer
from chandler.exchanges.bitget.trade.stream import Stream, Waits
from tests.exchanges.bitget.trade.standin import KEYS, Socket, listening

RETRY = Backoff(first_s=0.01, most_s=0.05)
# Live 2025-03 (bitget-api §2.2), cut.
ORDER = {
    "accBaseVolume": "0.2",
    "baseVolume": "0.2",
    "cTime": "1742560144582",
    "clientOid": "1286956012665475076",
    "feeDetail": [{"feeCoin": "USDT", "fee": "-0.01123440"}],
    "fillFee": "-0.0112344",
    "fillPrice": "93.62",
    "instId": "LTCUSDT",
    "orderId": "1286956012652892166",
    "orderType": "market",
    "posMode": "one_way_mode",
    "price": "0",
    "priceAvg": "93.62",
    "reduceOnly": "no",
    "side": "buy",
    "size": "0.2",
    "status": "filled",
    "tradeId": "1286956013127356420",
    "tradeScope": "T",
    "uTime": "1742560144693",
}
# Live 2024-04 (bitget-api §8.8), made one-way.
FILL = {
    "orderId": "1169142761031114781",
    "clientOid": "mine",
    "tradeId": "1169142761312637004",
    "symbol": "LTCUSDT",
    "orderType": "market",
    "side": "buy",
    "price": "80.87",
    "baseVolume": "0.1",
    "quoteVolume": "8.087",
    "profit": "0",
    "posMode": "one_way_mode",
    "tradeScope": "taker",
    "feeDetail": [
        {"feeCoin": "USDT", "deduction": "no", "totalDeductionFee": "0", "totalFee": "-0.0048522"}
    ],
    "cTime": "1714471276596",
    "uTime": "1714471276596",
}


def push(channel: str, *rows: dict[str, Any]) -> bytes:
    arg = {"instType": "USDT-FUTURES", "channel": channel, "instId": "default"}
    return orjson.dumps({"action": "snapshot", "arg": arg, "data": rows, "ts": 1742560144700})


def stream(socket: Socket, **waits: float) -> Stream:
    signer = Signer(KEYS, "https://venue.example", demo=False)
    return Stream(
        socket.url,
        lambda: signer.login(1_700_000_000),
        product_type="USDT-FUTURES",
        margin_coin="USDT",
        waits=Waits(retry=RETRY, **waits),
    )


async def until(made: Stream, enough: Callable[[list[Push]], bool]) -> list[Push]:
    seen: list[Push] = []
    async with asyncio.timeout(20), aclosing(made.pushes()) as pushes:
        async for one in pushes:
            seen.append(one)
            if enough(seen):
                break
    return seen


def fills(seen: list[Push]) -> list[str]:
    return [one.trade for one in seen if isinstance(one, VenueFill)]


async def test_it_logs_in_waits_for_the_answer_and_subscribes_to_orders_and_fills():
    async with listening(Socket()) as socket:
        seen = await until(stream(socket), lambda seen: bool(seen))

    assert seen == [StreamBroken(back=True, reason="subscribed")]
    login, subscribe = socket.messages
    assert login["args"][0]["sign"] == "asp8h2LSGzNFWF9BshQJj0WiZA5uDIWsAk9FCfz2Ilk="
    assert [(arg["channel"], arg["instId"]) for arg in subscribe["args"]] == [
        ("orders", "default"),
        ("fill", "default"),
    ]


async def test_orders_and_fills_are_read_with_the_venues_own_numbers():
    async with listening(Socket()) as socket:
        socket.frames = [[push("orders", ORDER), push("fill", FILL)]]
        seen = await until(stream(socket), lambda seen: len(seen) == 3)

    _, order, fill = seen
    assert isinstance(order, VenueOrder)
    assert (order.state, order.symbol, str(order.filled)) == ("filled", "LTCUSDT", "0.2")
    assert isinstance(fill, VenueFill)
    assert (fill.id, str(fill.price), str(fill.fee)) == ("mine", "80.87", "0.0048522")


async def test_a_fill_is_given_once_however_often_it_is_pushed_and_across_reconnects():
    other = FILL | {"tradeId": "2"}
    async with listening(Socket()) as socket:
        socket.frames = [
            [push("fill", FILL), push("fill", FILL)],
            [push("fill", FILL, other)],
            [],
        ]
        seen = await until(stream(socket), lambda seen: len(fills(seen)) == 2)

    assert fills(seen) == ["1169142761312637004", "2"]


async def test_a_cut_and_what_follows_are_told():
    async with listening(Socket()) as socket:
        socket.frames = [[push("fill", FILL)], [], []]
        seen = await until(
            stream(socket),
            lambda seen: sum(isinstance(one, StreamBroken) for one in seen) == 3,
        )

    assert [one.back for one in seen if isinstance(one, StreamBroken)] == [True, False, True]


@pytest.mark.parametrize(
    "frame",
    [
        b"not json",
        b'{"event":"error","code":30004,"msg":"User needs to log in"}',
        push("fill", {"tradeId": "1"}),
        push("orders", ORDER | {"status": "evaporated"}),
    ],
)
async def test_what_can_not_be_read_is_a_broken_stream_not_a_silent_hole(frame: bytes):
    async with listening(Socket()) as socket:
        socket.frames = [[frame]]
        socket.stays = True
        seen = await until(stream(socket), lambda seen: len(seen) == 2)

    assert [one.back for one in seen if isinstance(one, StreamBroken)] == [True, False]


async def test_a_refused_login_is_told_once_and_tried_again():
    async with listening(Socket()) as socket:
        socket.login = {"event": "error", "code": 30011, "msg": "Invalid ACCESS_KEY"}
        made = stream(socket)
        seen = await until(made, lambda seen: bool(seen))
        assert isinstance(seen[0], StreamBroken)
        assert "30011" in seen[0].reason


async def test_a_silent_socket_is_pinged_and_left_when_it_does_not_answer():
    async with listening(Socket()) as socket:
        socket.answers_pings = False
        socket.stays = True
        seen = await until(
            stream(socket, ping_s=0.05, pong_s=0.05),
            lambda seen: len(seen) == 2,
        )

    assert isinstance(seen[1], StreamBroken)
    assert "no pong" in seen[1].reason
    assert socket.counts["pings"] >= 1


async def test_pongs_keep_it_open():
    async with listening(Socket()) as socket:
        socket.stays = True
        made = stream(socket, ping_s=0.02, pong_s=5.0)
        reading = asyncio.create_task(until(made, lambda seen: len(seen) == 2))
        async with asyncio.timeout(10):
            while socket.counts["pings"] < 3:
                await asyncio.sleep(0.01)
        await made.close()
        seen = await reading

    assert seen == [StreamBroken(back=True, reason="subscribed")]
    assert made.connects == 1
