"""Commands, hooks, and agents that are changed: on real topics with the real desk."""

import asyncio
import logging

import pytest

from chandler.core.events import Signal
from chandler.core.trading.events import Command
from tests.services.gateway.house import DEADLINE_S, SIGNAL, House
from tests.streams.exact_cluster import read

pytestmark = pytest.mark.kafka


async def commands(home: House) -> list[Command]:
    return [each for each in await read(home.cluster, "commands") if isinstance(each, Command)]


async def test_commands_are_carried_out_once_and_said_what_came_of_them(home: House) -> None:
    async with home.trading(), home.serving():
        token = await home.token("olga")
        await home.known(token)
        off = {"what": "trading", "agent": "anna", "on": False, "idempotency_key": "off"}

        done = await home.ask("POST", "/v1/commands?wait=30s", off, token=token)
        again = await home.ask("POST", "/v1/commands?wait=30s", off, token=token)
        other = await home.ask("POST", "/v1/commands", {**off, "on": True}, token=token)
        sent = await home.ask("POST", "/v1/signals?wait=30s", SIGNAL, token=token)
        patched = await home.ask(
            "PATCH",
            "/v1/agents/anna?wait=30s",
            {"switches": {"trading": True}, "limits": {"positions_max": 3, "size": None}},
            token=token,
        )
        listed = await home.ask("GET", "/v1/commands", token=token)

        assert (done.status, done.body["outcome"], done.body["who"]) == (202, "done", "page:olga")
        assert again.body == {**done.body, "repeated": True}
        assert other.kind == "key_reused"
        outcomes = {each["agent"]: each for each in sent.body["outcomes"]}
        assert outcomes["anna"]["reason"] == "trading_off"
        assert outcomes["bert"]["outcome"] == "order"
        assert [each["outcome"] for each in patched.body["items"]] == ["done"] * 3
        assert len(await commands(home)) == 4
        assert {each["id"] for each in listed.body["items"]} == {
            each.id for each in await commands(home)
        }
        one = await home.ask("GET", f"/v1/commands/{done.body['id']}", token=token)
        assert one.body == done.body


async def test_a_position_is_closed_by_its_id(home: House) -> None:
    async with home.trading(), home.serving():
        token, other = await home.token("olga"), await home.token("otto")
        await home.known(token)
        signal = {**SIGNAL, "agents": ["anna"]}
        await home.ask("POST", "/v1/signals?wait=30s", signal, token=token)
        position = await _open(home)

        hidden = await home.ask("POST", f"/v1/positions/{position}/close", token=other)
        closed = await home.ask("POST", f"/v1/positions/{position}/close?wait=30s", token=token)

        assert hidden.kind == "unknown_position"
        assert (closed.body["outcome"], closed.body["agent"]) == ("done", "anna")


async def _open(home: House) -> str:
    """The id of the position that is open in the desk's topic, once there is one."""
    from services.showing.standing import standing

    async with asyncio.timeout(DEADLINE_S):
        while True:
            rows = (await standing(home.cluster)).open_rows()
            if rows:
                await asyncio.sleep(1.0)  # the gateway reads the same topic
                return rows[0].id
            await asyncio.sleep(0.1)


WRONG = [
    ({"what": "explode"}, "invalid"),
    ({"what": "force"}, "incomplete"),
    ({"what": "close"}, "incomplete"),
    ({"what": "close_all", "symbol": "BTCUSDT"}, "not_of_it"),
    ({"what": "close", "agent": "nobody"}, "unknown_agent"),
    ({"what": "close", "symbol": "NOPEUSDT"}, "unknown_symbol"),
    ({"what": "pause", "source": "nothing"}, "unknown_engine"),
    ({"what": "restart", "service": "everything"}, "unknown_service"),
    ({"what": "limit", "agent": "anna", "limit": "nothing", "value": 1}, "invalid"),
    ({"what": "limit", "agent": "anna", "limit": "positions_max", "value": 1.5}, "invalid"),
    ({"what": "limit", "agent": "anna", "limit": "leverage", "value": "lots"}, "invalid"),
    ({"what": "limit", "agent": "anna", "limit": "leverage", "value": True}, "invalid"),
    (
        {"what": "force", "symbol": "BTCUSDT", "side": "long", "notional": -1, "agent": "anna"},
        "invalid",
    ),
    (
        {"what": "force", "symbol": "BTCUSDT", "side": "long", "notional": 1e300, "agent": "anna"},
        "invalid",
    ),
]


async def test_commands_that_make_no_sense_are_refused_and_hooks_send_signals(
    home: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with home.market(), home.serving():
        token, operator = await home.token("olga"), await home.token("otto")
        await home.known(token)

        found = []
        for asked, _ in WRONG:
            answer = await home.ask("POST", "/v1/commands", asked, token=token)
            assert answer.status == 422, (asked, answer.raw)
            found.append((asked, answer.kind))
        everybody = await home.ask("POST", "/v1/commands", {"what": "close_all"}, token=operator)
        assert found == WRONG
        assert everybody.kind == "incomplete"
        assert await commands(home) == []

        await _hooks(home, token)
        assert "hooks/" not in caplog.text.replace("/v1/hooks/{", "")


async def _hooks(home: House, token: str) -> None:
    made = await home.ask("POST", "/v1/hooks", {"name": "charts", "agents": ["bert"]}, token=token)
    taken = await home.ask("POST", "/v1/hooks", {"name": "charts"}, token=token)
    path = made.body["url"].partition("/v1")[2]
    alert = (
        b'{"action": "buy", "ticker": "BITGET:BTCUSDT.P", "time": "2024-01-01T00:00:00Z", "a": 1}'
    )

    first = await home.ask("POST", f"/v1{path}", raw=alert, headers={"Content-Type": "text/plain"})
    again = await home.ask("POST", f"/v1{path}", raw=alert)
    words = await home.ask("POST", f"/v1{path}", raw=b"close BTCUSDT.P")
    wrong = await home.ask("POST", f"/v1{path}", raw=b"hello")
    large = await home.ask("POST", f"/v1{path}", raw=b"x" * 9_000)
    hooks = (await home.ask("GET", "/v1/hooks", token=token)).body["items"]
    rotated = await home.ask("POST", f"/v1/hooks/{hooks[0]['id']}/rotate", token=token)
    old = await home.ask("POST", f"/v1{path}", raw=alert)
    new = rotated.body["url"].partition("/v1")[2]
    repeated = await home.ask("POST", f"/v1{new}", raw=alert)
    removed = await home.ask("DELETE", f"/v1/hooks/{hooks[0]['id']}", token=token)
    gone = await home.ask("POST", f"/v1{new}", raw=alert)

    assert taken.kind == "name_taken"
    assert (first.status, first.body["source"], first.body["agents"]) == (201, "charts", ["bert"])
    assert (again.status, again.body) == (200, {**first.body, "repeated": True})
    assert (words.status, words.body["side"]) == (201, "flat")
    assert (wrong.kind, large.kind) == ("unclear_side", "too_large")
    assert "url" not in hooks[0]
    assert (old.kind, repeated.status) == ("unknown_hook", 200)
    assert (removed.status, gone.kind) == (204, "unknown_hook")
    found = [
        each for each in await read(home.cluster, "signals.external") if isinstance(each, Signal)
    ]
    assert [each.side for each in found] == ["long", "flat"]
