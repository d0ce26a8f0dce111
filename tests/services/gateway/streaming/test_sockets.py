"""Real sockets: who is let in, what is said, and how each comes to its end."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.gateway.streaming.sockets import is_ours
from services.gateway.streaming.stream import Limits
from services.gateway.streaming.telling.listening import EVENTS_MAX
from tests.services.gateway.streaming.listening import (
    DEADLINE_S,
    House,
    Listener,
    opened,
    sent,
    ticker,
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House(tmp_path).serving() as made:
        yield made


async def end_of(listener: Listener) -> tuple[int, dict[str, Any]]:
    """The close code, and the last that was said before."""
    try:
        while True:
            await listener.next()
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd is not None else 1006
        return code, listener.heard[-1]


async def refused(house: House, first: str | bytes) -> tuple[int, dict[str, Any]]:
    """What becomes of a client that begins like this."""
    async with house.socket() as socket:
        with contextlib.suppress(ConnectionClosed):  # it is told so without a word
            await socket.send(first)
        return await end_of(Listener(socket))


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not what():
            await asyncio.sleep(0.01)


async def test_who_says_who_it_is_is_told_how_things_stand_and_then_what_happens(house):
    house.happens(opened(), "positions")
    async with house.client("vera") as client:
        connected = await client.next()
        initial = await client.next()
        house.happens(sent("bert"))
        house.happens(sent("anna"))
        update = await client.until("order_update")

    assert (connected["type"], connected["role"], connected["missed"]) == ("connected", "viewer", 0)
    assert connected["stream"] == house.hub.stream
    assert initial["type"] == "initial_data"
    assert [each["id"] for each in initial["positions"]] == ["p1"]
    assert {each["agent"] for each in initial["agents"]} == {"anna"}
    assert update["place"] == "orders:0:1"
    assert update["order"]["agent"] == "anna"


async def test_a_position_that_ended_before_is_not_shown_and_others_are_not_seen(house):
    house.happens(opened("p1", "bert"), "positions")
    async with house.client("vera") as client:
        initial = await client.until("initial_data")

    assert initial["positions"] == []


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({}, 4001),
        ({"token": "mallory"}, 4001),
        ({"token": "olga", "key": "read.good"}, 4001),
        ({"key": "read.bad"}, 4001),
        ({"key": "signals.good"}, 4003),
        ({"token": "vera", "agent": "bert"}, 4003),
        ({"token": "olga", "agent": "nobody"}, 4003),
        ({"token": "olga", "topics": ["candles"]}, 4400),
    ],
    ids=str,
)
async def test_who_may_not_is_told_why_and_closed(house, hello, code):
    closed, last = await refused(house, json.dumps({"type": "hello", **hello}))

    assert closed == code
    assert last["type"] == "error"
    assert "mallory" not in str(last)
    await until(lambda: not house.stream.clients)


@pytest.mark.parametrize(
    "first",
    ["", "{", "[" * 20_000, "x" * 40_000, b"\x00\x01", '{"type":"pong"}', '{"type":"watch"}'],
    ids=lambda first: str(first)[:20],
)
async def test_what_is_no_hello_is_told_so_and_closed(house, first):
    closed, last = await refused(house, first)

    assert (closed, last["kind"]) == (4400, "invalid")


async def test_a_frame_beyond_all_bounds_ends_the_connection(house):
    async with house.socket() as socket:
        await socket.send("x" * 200_000)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), DEADLINE_S)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    await until(lambda: not house.stream.clients)


async def test_one_that_says_nothing_is_closed(house, monkeypatch):
    monkeypatch.setattr("services.gateway.streaming.talking.HELLO_S", 0.1)
    async with house.socket() as socket:
        closed, last = await end_of(Listener(socket))

    assert (closed, last["kind"]) == (4408, "hello")


async def test_a_page_of_elsewhere_is_not_let_in(house):
    for origin in ("https://evil.example", "null", "http://[", f"ftp://127.0.0.1:{house.port}"):
        with pytest.raises(InvalidStatus) as refusal:
            async with house.socket(origin=origin):
                pass
        assert refusal.value.response.status_code == 403


async def test_our_own_page_is(house):
    async with house.socket(origin=f"http://127.0.0.1:{house.port}") as socket:
        await socket.send('{"type":"hello","token":"olga"}')
        assert (await Listener(socket).next())["type"] == "connected"


async def test_a_session_that_is_over_ends_its_stream_and_a_renewed_one_goes_on(house):
    async with house.client("olga-1") as first, house.client("olga-2") as second:
        for each in (first, second):
            await each.until("initial_data")
        await second.say(type="token", token="olga-3")
        await second.until("renewed")
        house.people.gone |= {"olga-1", "olga-2"}

        house.stream.look(time.monotonic() + 11)

        assert (await end_of(first))[0] == 4001
        house.happens(sent())
        assert await second.until("order_update")


async def test_a_token_of_somebody_else_renews_nothing(house):
    async with house.client("vera") as client:
        await client.until("initial_data")
        await client.say(type="token", token="olga")
        closed, last = await end_of(client)

    assert (closed, last["kind"]) == (4001, "token")


async def test_one_that_answers_no_ping_is_closed(house):
    async with house.client() as client, house.client() as other:
        await client.until("initial_data")
        await other.until("initial_data")
        began_s = time.monotonic()
        for each in house.stream.clients:
            each.heard_s = began_s - 30
        await other.say(type="pong")
        await until(lambda: max(each.heard_s for each in house.stream.clients) > began_s)

        house.stream.look(time.monotonic() + 45)

        assert (await end_of(client))[0] == 4008
        house.happens(sent())
        assert await other.until("order_update")


async def test_one_that_talks_without_end_is_closed(house):
    async with house.client() as client:
        await client.until("initial_data")
        for _ in range(40):
            await client.say(type="pong")
        assert (await end_of(client))[0] == 4029


async def test_what_is_wanted_can_change(house):
    async with house.client(topics=["orders"]) as client:
        await client.until("initial_data")
        await client.say(type="watch", topics=["prices"], symbols=["BTCUSDT"])
        watching = await client.until("watching")
        house.happens(sent())
        house.hub.know(ticker("ETHUSDT"))
        house.hub.know(ticker("BTCUSDT"))
        prices = await client.until("price_update_batch")
        while not prices["prices"]:
            prices = await client.until("price_update_batch")

    assert watching["topics"] == ["prices"]
    assert list(prices["prices"]) == ["BTCUSDT"]
    assert "order_update" not in {each["type"] for each in client.heard}


async def test_one_that_comes_back_hears_what_it_missed_in_order_and_once(house):
    async with house.client("vera", agent="anna") as client:
        await client.until("initial_data")
        house.happens(sent("anna", 0))
        await client.until("order_update")
        last = client.last
    for number in range(1, 1_500):
        house.happens(sent("anna" if number % 3 else "bert", number))
    async with house.client("vera", agent="anna", last=last) as client:
        connected = await client.until("connected")
        house.happens(sent("anna", 1_500))
        await client.until("order_update")

    heard = [each["order"]["id"] for each in client.heard if each["type"] == "order_update"]
    assert connected["resumed"] == "ring"
    assert connected["lost"] == ""
    assert heard == [f"o{number}" for number in range(1, 1_500) if number % 3] + ["o1500"]


async def test_one_that_was_too_slow_comes_back_and_has_missed_nothing(house):
    """Its last word, the error, had the newest number: what had waited for it was never told."""
    async with house.client() as client:
        await client.until("initial_data")
        client.socket.transport.pause_reading()
        [slow] = house.stream.clients
        count = 0
        while slow.ended is None:
            house.happens(sent(number=count))
            count += 1
            await asyncio.sleep(0)
        client.socket.transport.resume_reading()
        closed, last = await end_of(client)
    async with house.client(last=client.last) as again:
        again.heard = client.heard
        await again.until("connected")

    heard = [each["order"]["id"] for each in again.heard if each["type"] == "order_update"]
    assert (closed, last["kind"]) == (4009, "slow")
    assert heard == [f"o{number}" for number in range(count)]


async def test_one_user_has_so_many_and_others_still_get_in(tmp_path):
    async with House(tmp_path, Limits(sockets=10, of_user=2)).serving() as house:
        async with house.client() as first, house.client() as second:
            await first.until("connected")
            await second.until("connected")
            closed, last = await refused(house, '{"type":"hello","token":"olga"}')
            assert (closed, last["kind"]) == (4029, "too_many")
            async with house.client("vera") as other:
                await other.until("connected")
        await until(lambda: not house.stream.clients)
        async with house.client() as again:
            await again.until("connected")


async def test_a_thousand_sockets_are_served_and_one_more_is_told_to_wait(tmp_path):
    async with House(tmp_path, Limits(sockets=1_000, of_user=1_000)).serving() as house:
        raw = [await handshaken(house.port) for _ in range(1_000)]
        await until(lambda: len(house.hub.listeners.clients) == 1_000)
        closed, _ = await refused(house, '{"type":"hello","token":"vera"}')
        assert closed == 4029

        house.happens(sent(number=77))

        for reader, _ in raw:
            async with asyncio.timeout(DEADLINE_S):
                await reader.readuntil(b'"id":"o77"')
        for _, writer in raw:
            writer.transport.abort()
        await until(lambda: not house.stream.clients)


async def test_one_that_never_reads_costs_bounded_memory_and_is_cut(house):
    _, writer = await handshaken(house.port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await until(lambda: len(house.hub.listeners.clients) == 1)
    [client] = house.stream.clients
    async with house.client() as other:
        await other.until("initial_data")
        count = 0
        while client.ended is None:
            house.happens(sent(number=count))
            house.hub.know(ticker(last=str(count + 1)))
            assert (await other.until("order_update"))["order"]["id"] == f"o{count}"
            count += 1
            assert len(client) <= EVENTS_MAX + 10
            assert count < 100_000
        assert client.ended.end == 4009

        await until(lambda: len(house.stream.clients) == 1)
        await until(lambda: len(house.hub.listeners.clients) == 1)
        house.happens(sent(number=count))
        assert (await other.until("order_update"))["order"]["id"] == f"o{count}"
    writer.transport.abort()


async def test_an_outage_of_the_server_is_told_as_a_restart(tmp_path):
    async with House(tmp_path).serving() as house:
        socket = await house.socket()
        await socket.send('{"type":"hello","token":"olga"}')
        listener = Listener(socket)
        await listener.until("initial_data")
    assert (await end_of(listener))[0] == 1012


async def handshaken(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that costs this process as little as can be, and has said who it is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with asyncio.timeout(DEADLINE_S):
        await reader.readuntil(b"\r\n\r\n")
    writer.write(masked(b'{"type":"hello","token":"olga"}'))
    return reader, writer


def masked(payload: bytes) -> bytes:
    """A client's text frame; its mask is of zeros."""
    assert len(payload) < 126
    return bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload


def test_a_page_behind_a_proxy_asks_by_one_of_our_names():
    assert is_ours("https://desk.example", {"127.0.0.1:29005", "desk.example"})
    assert not is_ours("https://desk.example.evil", {"127.0.0.1:29005", "desk.example"})
    assert is_ours(None, set())
