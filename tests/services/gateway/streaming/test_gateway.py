"""The WebSocket of the whole gateway: real sessions, and a signal that comes back by it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from services.gateway.access.tokens import ISSUER, SESSION_MS_MAX, TOKEN_MS, Tokens
from services.gateway.streaming import stream
from tests.services.gateway.house import SIGNAL, House
from tests.services.gateway.streaming.listening import Listener

pytestmark = pytest.mark.kafka

SECRET = "token.secret"


@asynccontextmanager
async def listening(home: House, **hello: Any) -> AsyncIterator[Listener]:
    url = home.url.replace("http", "ws") + "/v1/stream"
    async with connect(url, compression=None) as socket:
        await socket.send(json.dumps({"type": "hello", **hello}))
        yield Listener(socket)


async def ended(home: House, **hello: Any) -> tuple[int, str]:
    """The code with which a client is closed, and what it is told."""
    async with listening(home, **hello) as listener:
        with pytest.raises(ConnectionClosed) as closed:
            await listener.until("nothing")
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, listener.heard[-1]["detail"]


def tokens(home: House) -> Tokens:
    return Tokens((home.cluster.data / "gateway" / SECRET).read_bytes())


async def test_tokens_that_are_forged_or_old_let_nobody_in(home):
    async with home.serving():
        await home.token("olga")
        now = time.time_ns() // 1_000_000
        claims = {"sub": "olga", "sid": "s", "auth_ms": now, "exp": now / 1e3 + 900, "iss": ISSUER}
        forged = jwt.encode(claims, "another secret of thirty-two bytes", "HS256")
        unsigned = jwt.encode(claims, "", "none")
        old, _ = tokens(home).make("olga", "s", now - TOKEN_MS, now - TOKEN_MS - 1)
        stale, _ = tokens(home).make("olga", "s", now - SESSION_MS_MAX - 1, now)
        for token in (forged, unsigned, old, stale, forged[:-3], "a.b.c"):
            code, detail = await ended(home, token=token)
            assert code == 4001
            assert token not in detail


async def test_a_session_that_is_logged_out_ends_its_stream(home, monkeypatch):
    monkeypatch.setattr(stream, "AGAIN_S", 0.0)
    async with home.serving():
        token = await home.token("vera")
        async with listening(home, token=token) as listener:
            await listener.until("initial_data")
            await home.ask("POST", "/v1/logout", token=token)
            with pytest.raises(ConnectionClosed) as closed:
                await listener.until("nothing")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4001


async def test_a_signal_that_is_sent_is_seen_with_its_fill_and_its_position(home):
    async with home.serving(), home.trading():
        token = await home.token("olga")
        await home.known(token)
        async with listening(home, token=token, agent="anna") as listener:
            initial = await listener.until("initial_data")
            made = await home.ask("POST", "/v1/signals", SIGNAL, token=token)
            signal = await listener.until("signal")
            while (await listener.until("order_update"))["event"] != "filled":
                pass
            position = await listener.until("position_update")
            prices = await listener.until("price_update_batch")
        async with listening(home, token=token) as again:
            shown = await again.until("initial_data")

    assert made.status == 201, made.raw
    assert initial["positions"] == []
    assert signal["signal"]["id"] == made.body["id"]
    assert signal["external"] is True
    assert (position["change"], position["position"]["agent"]) == ("opened", "anna")
    assert "BTCUSDT" in prices["prices"]
    assert {each["agent"] for each in shown["positions"]} >= {"anna"}
    assert {each["agent"] for each in initial["agents"]} == {"anna"}


async def test_a_command_is_answered_on_the_stream_to_who_asked(home):
    async with home.serving(), home.trading():
        token = await home.token("otto")
        async with listening(home, token=token) as listener:
            await listener.until("initial_data")
            body = {"what": "trading", "agent": "bert", "on": False}
            made = await home.ask("POST", "/v1/commands", body, token=token)
            answer = await listener.until("answer")
            while (await listener.until("agents"))["agents"][0]["switches"]["trading"]:
                pass  # how it stood before

    assert made.status == 202, made.raw
    assert answer["answer"]["command"] == made.body["id"]
    assert answer["command"]["who"] == "page:otto"


async def test_who_connects_while_the_topics_are_not_read_waits_for_them(home):
    async with home.serving():
        token = await home.token("olga")
        async with asyncio.timeout(30), listening(home, token=token) as listener:
            assert (await listener.next())["type"] == "connected"
