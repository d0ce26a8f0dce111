"""Every route: without a token, with an expired, a forged and a foreign one."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.gateway.access.gate import Gate
from services.gateway.access.tokens import Tokens
from tests.services.gateway.door import Door, door
from tests.services.gateway.house import profile

OPEN = {  # for whoever has what their path or body holds
    ("POST", "/v1/login"),
    ("GET", "/v1/setup/{token}"),
    ("POST", "/v1/setup/{token}"),
    ("POST", "/v1/hooks/{token}"),
}
Json = dict[str, Any]
Asked = tuple[str, str, Json | None]
FILLED = {"token": "x", "id": "0", "name": "anna"}


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Door]:
    async with door(tmp_path, profile()) as made:
        yield made


async def routes(at: Door) -> list[tuple[str, str]]:
    """As the document for programs names them."""
    document = (await at.ask("GET", "/v1/openapi.json")).body
    return [
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    ]


async def test_every_route_asks_who_calls(at: Door) -> None:
    assert isinstance(at.parts.access, Gate)
    now_ms = at.parts.now_ms()
    secret = (at.data / "gateway" / "token.secret").read_bytes()
    link = await at.token("olga")
    expired, _ = Tokens(secret).make("olga", "s", now_ms - 3_600_000, now_ms - 3_000_000)
    foreign, _ = Tokens(b"y" * 32).make("olga", "s", now_ms, now_ms)
    nobody, _ = Tokens(secret).make("mallory", "s", now_ms, now_ms)
    asked = 0

    for method, path in await routes(at):
        if (method, path) in OPEN:
            continue
        filled = re.sub(r"{(\w+)}", lambda found: FILLED.get(found[1], "x"), path)
        body: Json | None = {} if method in ("POST", "PATCH", "PUT") else None
        for token in ("", expired, foreign, nobody, "rubbish"):
            answer = await at.ask(method, filled, body, token=token)
            assert answer.status == 401, (method, path, token[:10], answer.raw)
            assert "www-authenticate" in answer.headers
        keyed = await at.ask(method, filled, body, headers={"X-API-Key": "a.b"})
        assert keyed.status == 401
        asked += 1

    assert asked >= 15
    assert link


async def test_what_is_open_opens_nothing_without_its_secret(at: Door) -> None:
    assert set(await routes(at)) >= OPEN
    for method, path in OPEN - {("POST", "/v1/login")}:
        body = {"name": "olga", "password": "x" * 12} if method == "POST" else None
        answer = await at.ask(method, path.replace("{token}", "x"), body)
        assert answer.status == 404, answer.raw


async def test_every_route_names_its_refusals_in_the_document(at: Door) -> None:
    document = (await at.ask("GET", "/v1/openapi.json")).body

    for path, methods in document["paths"].items():
        for method, said in methods.items():
            assert {"400", "413", "422", "429"} <= set(said["responses"]), (method, path)
            if (method.upper(), path) not in OPEN:
                assert {"401", "403"} <= set(said["responses"]), (method, path)
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_a_viewer_and_an_operator_may_what_their_roles_say(at: Door) -> None:
    viewer, operator = await at.token("vera"), await at.token("otto")
    of_operators: tuple[Asked, ...] = (
        ("POST", "/v1/signals", {"symbol": "BTCUSDT", "side": "long", "source": "x"}),
        ("POST", "/v1/commands", {"what": "close_all"}),
        ("PATCH", "/v1/agents/anna", {"switches": {"trading": False}}),
        ("POST", "/v1/positions/a/close", None),
        ("POST", "/v1/hooks", {"name": "x"}),
        ("GET", "/v1/hooks", None),
        ("POST", "/v1/users/vera/link", None),
    )
    of_owners: tuple[Asked, ...] = (
        ("POST", "/v1/hooks", {"name": "x"}),
        ("POST", "/v1/users/vera/link", None),
        ("POST", "/v1/commands", {"what": "limit", "agent": "bert", "limit": "size", "value": 1}),
        (
            "POST",
            "/v1/commands",
            {"what": "force", "agent": "bert", "symbol": "BTCUSDT", "side": "long"},
        ),
    )
    for asked in of_operators:
        assert (await at.ask(*asked, token=viewer)).kind == "role", asked
    for asked in of_owners:
        assert (await at.ask(*asked, token=operator)).kind == "role", asked
    hidden = await at.ask("PATCH", "/v1/agents/anna", {"switches": {}}, token=operator)
    unknown = await at.ask("PATCH", "/v1/agents/none", {"switches": {}}, token=operator)
    assert hidden.raw == unknown.raw
    assert hidden.kind == "unknown_agent"
