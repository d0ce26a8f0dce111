"""Signals over HTTP, on real topics with the real desk."""

import asyncio
from typing import Any

import pytest

from chandler.core.events import Signal
from services.gateway.sending.signals import unknown_symbol
from tests.services.gateway.house import DEADLINE_S, SIGNAL, Answer, House
from tests.streams.exact_cluster import read

pytestmark = pytest.mark.kafka


async def external(home: House) -> list[Signal]:
    return [
        each for each in await read(home.cluster, "signals.external") if isinstance(each, Signal)
    ]


async def test_a_signal_becomes_an_order_or_a_refusal_of_each_agent(home: House) -> None:
    async with home.trading(), home.serving():
        token = await home.token("olga")
        await home.known(token)

        tried = await home.ask("POST", "/v1/signals?dry_run=true", SIGNAL, token=token)
        assert {each["agent"]: each["eligible"] for each in tried.body["agents"]} == {
            "anna": True,
            "bert": True,
        }
        assert await external(home) == []

        sent = await home.ask("POST", "/v1/signals?wait=30s", SIGNAL, token=token)

        assert sent.status == 201, sent.raw
        assert [each["outcome"] for each in sent.body["outcomes"]] == ["order", "order"]
        found = await external(home)
        assert [(each.id, each.symbol, each.source) for each in found] == [
            (sent.body["id"], "BTCUSDT", "test")
        ]

        again = await home.ask("POST", "/v1/signals?wait=30s", SIGNAL, token=token)

        assert again.body["id"] != sent.body["id"]
        assert [each["reason"] for each in again.body["outcomes"]] == ["position_open"] * 2

        tried = await home.ask("POST", "/v1/signals?dry_run=true", SIGNAL, token=token)
        assert [each["reason"] for each in tried.body["agents"]] == ["position_open"] * 2

        flat = {**SIGNAL, "side": "flat", "kind": "exit"}
        closed = await home.ask("POST", "/v1/signals?wait=30s", flat, token=token)
        assert [each["outcome"] for each in closed.body["outcomes"]] == ["order", "order"]

        shown = await home.ask("GET", f"/v1/signals/{sent.body['id']}", token=token)
        assert shown.body == {**sent.body, "outcomes": shown.body["outcomes"]}
        assert shown.body["outcomes"] == sent.body["outcomes"]


async def test_a_key_is_taken_once_also_by_the_next_gateway(home: House) -> None:
    async with home.market():
        async with home.serving():
            token = await home.token("olga")
            await home.known(token)
            headers = {"Idempotency-Key": "one"}

            answers = await asyncio.gather(
                *(
                    home.ask("POST", "/v1/signals", SIGNAL, token=token, headers=headers)
                    for _ in range(5)
                )
            )
            first = next(each for each in answers if each.status == 201)
            other = await home.ask(
                "POST", "/v1/signals", {**SIGNAL, "side": "short"}, token=token, headers=headers
            )

        async with home.serving():
            later = await home.ask("POST", "/v1/signals", SIGNAL, token=token, headers=headers)

        assert sorted(each.status for each in answers) == [200] * 4 + [201]
        for each in (*answers, later):
            assert each.body == {**first.body, "repeated": each.status == 200}
        assert later.status == 200
        assert (other.status, other.kind) == (409, "key_reused")
        assert [each.id for each in await external(home)] == [first.body["id"]]


async def test_who_waits_when_the_gateway_ends_is_told_what_is_known(home: House) -> None:
    """It was a 500, in plain text, although Kafka had the signal."""
    async with home.market():
        async with home.serving() as context:
            token = await home.token("olga")
            await home.known(token)
            asked = asyncio.create_task(
                home.ask("POST", "/v1/signals?wait=30s", SIGNAL, token=token)
            )
            while not await external(home):
                assert not asked.done()
            context.stop.set()
            answer = await asked

        assert answer.status == 201
        assert {each["outcome"] for each in answer.body["outcomes"]} == {"waiting"}


@pytest.mark.parametrize(
    ("wrong", "near"), [("BTCUSD", "BTCUSDT"), ("btcusdtt", "BTCUSDT"), ("LINKUSDT", "")]
)
def test_a_symbol_that_is_alike_is_another_one_only_where_a_letter_is_wrong(wrong, near) -> None:
    """LINKUSDT was answered with INJUSDT, FILUSDT with WLDUSDT."""
    said = unknown_symbol(wrong, ("BTCUSDT", "INJUSDT", "ETHUSDT")).detail

    assert said.endswith(f"the nearest is {near}" if near else "GET /v1/symbols lists them")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"symbol": "BTCUSD"}, "unknown_symbol"),
    ({"symbol": "<script>alert(1)</script>"}, "invalid"),
    ({"symbol": "'; drop table signals; --"}, "invalid"),
    ({"side": "up"}, "invalid"),
    ({"side": None}, "invalid"),
    ({"strength": 0}, "invalid"),
    ({"strength": 1.5}, "invalid"),
    ({"strength": "1"}, "invalid"),
    ({"strength": True}, "invalid"),
    ({"source": "trend"}, "engines_name"),
    ({"source": "a\nb"}, "invalid"),
    ({"reason": "x" * 201}, "invalid"),
    ({"reason": "two\nlines"}, "invalid"),
    ({"stop": -1.0}, "invalid"),
    ({"targets": [1.0] * 9}, "invalid"),
    ({"agents": ["nobody"]}, "unknown_agent"),
    ({"agents": "anna"}, "invalid"),
    ({"kind": "exit"}, "contradiction"),
    ({"at_ms": 1}, "too_old"),
    ({"at_ms": 4_000_000_000_000}, "from_future"),
    ({"expires_s": 1e9}, "invalid"),
    ({"idempotency_key": "two words"}, "invalid"),
    ({"surprise": 1}, "invalid"),
]
UNREADABLE = [
    (b"", 422, "invalid"),
    (b"{", 400, "unreadable"),
    (b"[]", 422, "invalid"),
    (b"null", 422, "invalid"),
    (b"\xff\xfe", 400, "unreadable"),
    (b'{"symbol": "\\ud800"}', 422, "invalid"),
    (b'{"strength": NaN}', 422, "invalid"),
    (b'{"strength": 1e999}', 422, "invalid"),
    (b'{"strength": ' + b"1" * 5_000 + b"}", 400, "unreadable"),
    (b"[" * 5_000, 400, "too_deep"),
    (b'{"a":' * 30 + b"1" + b"}" * 30, 400, "too_deep"),
    (b"x" * 70_000, 413, "too_large"),
]


async def test_what_makes_no_sense_is_refused_with_a_reason_and_the_rest_goes_on(
    home: House,
) -> None:
    async with home.market(), home.serving():
        token = await home.token("olga")
        await home.known(token)
        found = []

        for changed, _ in WRONG:
            answer = await home.ask("POST", "/v1/signals", {**SIGNAL, **changed}, token=token)
            found.append((changed, answer.kind))
            assert answer.status == 422, answer.raw
            assert b"<script" not in answer.raw
        for raw, status, kind in UNREADABLE:
            answer = await home.ask("POST", "/v1/signals", raw=raw, token=token)
            assert (answer.status, answer.kind) == (status, kind), (raw[:40], answer.raw)
        for wait in ("99s", "30.5", "-1", "5m", "soon", "", "1" * 100):
            answer = await home.ask("POST", f"/v1/signals?wait={wait}", SIGNAL, token=token)
            assert (answer.status, answer.kind) == (422, "invalid")
            assert answer.body["detail"] == "wait: expected seconds from 0 to 30, as 5s"
        well = await home.ask("POST", "/v1/signals?wait=0.1s", SIGNAL, token=token)

        assert found == WRONG
        assert well.status == 201
        assert len(await external(home)) == 1


async def test_two_different_keys_in_one_request_are_refused(home: House) -> None:
    async with home.market(), home.serving():
        token = await home.token("olga")
        await home.known(token)

        answer = await home.ask(
            "POST",
            "/v1/signals",
            {**SIGNAL, "idempotency_key": "one"},
            token=token,
            headers={"Idempotency-Key": "other"},
        )

        assert (answer.status, answer.kind) == (422, "two_keys")


async def test_who_sees_some_agents_sends_to_those_alone(home: House) -> None:
    async with home.market(), home.serving():
        owner, operator = await home.token("olga"), await home.token("otto")
        viewer = await home.token("vera")
        await home.known(owner)

        sent = await home.ask("POST", "/v1/signals", SIGNAL, token=operator)
        beyond = await home.ask(
            "POST", "/v1/signals", {**SIGNAL, "agents": ["anna"]}, token=operator
        )
        watched = await home.ask("POST", "/v1/signals", SIGNAL, token=viewer)
        of_anna = await home.ask(
            "POST", "/v1/signals", {**SIGNAL, "agents": ["anna", "bert"]}, token=owner
        )

        assert sent.body["agents"] == ["bert"]
        unknown = await home.ask("GET", f"/v1/signals/{'a' * 26}", token=owner)
        assert (unknown.status, unknown.kind) == (503, "ledger_away")  # there is none here
        assert (beyond.status, beyond.kind) == (422, "unknown_agent")
        assert "anna" not in beyond.body["detail"].partition(":")[2]
        assert (watched.status, watched.kind) == (403, "role")
        path = f"/v1/signals/{of_anna.body['id']}?wait=0"
        shown = await _shown(home, path, operator)
        assert shown.body["agents"] == ["bert"]
        assert [each["agent"] for each in shown.body["outcomes"]] == ["bert"]


async def _shown(home: House, path: str, token: str) -> Answer:
    """Once the gateway has read its own signal back."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            answer = await home.ask("GET", path, token=token)
            if answer.status == 200:
                return answer
            await asyncio.sleep(0.05)
