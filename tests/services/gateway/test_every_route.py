"""Every route that there is asks who calls, but those that are for strangers."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from starlette.routing import Route

from tests.services.gateway.stand_in import FOREIGN, NOW, Door, asked, token

# Strangers may ask these: each says by itself who is there, or is the same for everybody.
OPEN = {
    "GET /v1/openapi.json",
    "GET /v1/docs",
    "POST /v1/login",
    "GET /v1/setup/{token}",
    "POST /v1/setup/{token}",
    "POST /v1/hooks/{token}",
}
PAGES = "services.gateway.routes.pages"  # files that are the same for everybody
TOKENS = {
    "none": "",
    "expired": token("olga", expires_ms=NOW),
    "foreign": token("olga", secret=FOREIGN),
    "unsigned": token("olga").rpartition(".")[0] + ".",
    "of nobody": token("mallory"),
    "rubbish": "rubbish",
}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    door = Door(tmp_path, "anna", "bert")
    door.read()
    return door.app


def guarded(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of each route that is not open."""
    found = []
    for route in iter_route_contexts(app.routes):
        kind = route.original_route
        if isinstance(kind, APIWebSocketRoute):
            continue  # its first message says who it is
        assert isinstance(kind, Route | APIRoute), f"{kind} is neither asked nor known to be open"
        if kind.endpoint.__module__ == PAGES:
            continue
        methods = sorted((kind.methods or set()) - {"HEAD"})
        found += [(each, str(route.path)) for each in methods]
    return [each for each in found if " ".join(each) not in OPEN]


def test_there_are_routes(app: FastAPI) -> None:
    found = guarded(app)

    assert ("GET", "/v1/agents") in found
    assert len(found) >= 31


@pytest.mark.parametrize("kind", TOKENS)
async def test_a_route_answers_nobody_without_a_token_of_ours(app: FastAPI, kind: str) -> None:
    for method, path in guarded(app):
        target = path.replace("{", "").replace("}", "")

        answer = await asked(app, target, method=method, by=TOKENS[kind])

        assert answer.status == 401, f"{method} {path}: {answer}"
        assert answer.kind == "unauthenticated"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert b"olga" not in answer.raw


async def test_a_token_of_ours_is_known(app: FastAPI) -> None:
    """So that the others are refused for what they are."""
    assert (await asked(app, "/v1/agents", by=token("olga"))).status == 200
