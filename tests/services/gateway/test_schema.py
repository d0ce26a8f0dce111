"""Answers are as /v1/openapi.json has them, whatever is asked: over real topics and a ledger."""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any

import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.transport import Response

from chandler.core.granularity import INTERVAL_MS
from chandler.replay.metrics import measure
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.cli.backtest import files
from services.following.scanned import SCANNED
from services.following.sources import Sources
from services.following.views import LATELY, Fold, Followed, Views
from services.gateway.routes.reading import READING
from services.gateway.shapes.fields import WAIT
from services.loading import configuration
from tests.candles import path
from tests.conftest import Topics as Create
from tests.replay.results import made
from tests.services.desking import into_ledger, told
from tests.services.gateway.house import PASSWORD, House
from tests.services.gateway.own_process import OwnProcess
from tests.services.gateway.stand_in import application, asked, token
from tests.services.notifier.answering.scene import BTC, infra, out, view
from tests.services.notifier.house import instrument
from tests.story import COUNT, SEED, Topics, opened_of

pytestmark = pytest.mark.kafka

EXAMPLES = 15  # of each route and mode
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


class Served:
    """An application over topics that a story is in."""

    def __init__(self, app: FastAPI, order: str, position: str) -> None:
        self.app = app
        self.ids = {"order": order, "trade": position, "position": position, "run": "first"}
        self.token = token("olga", expires_ms=round(time.time() * 1_000) + 3_600_000)


@pytest.fixture
async def served(desk: Installation, topics: Create, written: Topics) -> Served:
    lengths = [f"{stem}.{each}" for stem in ("candles", "indicators") for each in INTERVAL_MS]
    await topics({*LATELY, *SCANNED, *lengths}, partitions=2)
    story = await told(desk, written, exits=False)
    await written.put("positions", opened_of(story))
    await written.put("market", view(), "1h")
    last = path(COUNT, SEED)[-1]
    await written.put("candles.last", out(BTC, last.close_ms), "BTCUSDT|5m")
    await written.put("instruments", instrument(BTC), BTC)
    await written.put("infra", infra("executor", "started"), "executor")
    await into_ledger(desk, "positions", "infra")
    result = made(days=5, trades=10)
    files.write(result, measure(result), desk.data / "backtests" / "first")
    profile = configuration(desk).profile
    sources = Sources(desk, profile, waiting_max=29)
    views = Views(sources, scans=True)
    await read_once(desk, views)
    trade = next(iter(story.scene.states["anna"].holdings.values()))
    order = views.orders.lives()[0].id
    app = application(sources, views, round(time.time() * 1_000), only=READING)
    return Served(app, order, trade.id)


async def read_once(installation: Installation, views: Views) -> None:
    """What topics hold now, without following them.

    A client at work in another thread draws from `random`, which hypothesis takes for a strategy
    that is none.
    """
    folds: dict[Followed, tuple[Fold, Sequence[str]]] = {
        "desk": (views.desk, ("desk.state", "positions", "tickers")),
        "orders": (views.orders, ("orders",)),
        "lately": (views.lately, LATELY),
        "scanned": (views.scanned, SCANNED),
    }
    for name, (fold, topics) in folds.items():
        async for record in read_topics(installation, topics):
            fold.take(record)
        views._read.add(name)
        views._troubles[name] = ""


def checks() -> list[Any]:
    load_all_checks()
    return [CHECKS.get_one(name) for name in CHECKED]


def reading(schema: Any) -> list[Any]:
    """The routes that only read."""
    found = [each.ok() for each in schema.get_all_operations()]
    reading = [each for each in found if each.method == "get"]
    assert len(reading) >= 31
    return reading


def tried(operation: Any, mode: GenerationMode, token: str) -> None:
    """Asks a route what the document allows, or what it does not."""
    headers = {"Authorization": f"Bearer {token}"}
    empty = operation.body is None or not list(operation.body)
    if mode is GenerationMode.NEGATIVE and empty and not list(operation.iter_parameters()):
        return  # there is nothing that could be wrong

    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        if re.fullmatch(WAIT, str(case.query.get("wait", ""))):
            case.query["wait"] = "0.1"  # nobody answers here
        case.call_and_validate(headers=headers, checks=checks())

    ask()


def tried_reading(served: Served, mode: GenerationMode) -> None:
    """Every route that only reads."""
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", served.app)
    for operation in reading(schema):
        tried(operation, mode, served.token)


async def test_what_the_document_allows_is_answered_as_it_says(served: Served) -> None:
    await asyncio.to_thread(tried_reading, served, GenerationMode.POSITIVE)


async def test_what_it_does_not_allow_is_refused_as_it_says(served: Served) -> None:
    await asyncio.to_thread(tried_reading, served, GenerationMode.NEGATIVE)


async def test_answers_with_something_in_them_are_as_the_document_says(served: Served) -> None:
    """Any words find nothing: here each route is asked for what is there."""
    schema = schemathesis.openapi.from_dict(served.app.openapi())
    filled = 0
    for operation in reading(schema):
        known = {"name": "anna", **served.ids}
        target = operation.path.format(**known) if "{" in operation.path else operation.path
        if target in ("/v1/candles", "/v1/indicators"):
            target += "?symbol=BTCUSDT&limit=3"

        answer = await asked(served.app, target, by=served.token)

        assert answer.status == 200, f"{target}: {answer}"
        request = requests.Request("GET", f"http://localhost{target}").prepare()
        headers = {name: [value] for name, value in answer.headers.items()}
        response = Response(answer.status, headers, answer.raw, request, 0.1, verify=True)
        operation.validate_response(response)
        filled += bool(answer.body.get("items", [1]))
    assert filled >= 20


async def test_what_is_sent_is_taken_or_refused_as_the_document_says(home: House) -> None:
    """The routes that change something, of a gateway that runs."""
    own = OwnProcess(home)
    try:
        async with home.market():
            await own.gateway()
            await home.known(await home.token("olga"))
        asked = await asyncio.to_thread(tried_writing, home.url)
    finally:
        await own.end()
    assert asked >= 15


def tried_writing(url: str) -> int:
    """Every route that is not only read, each in a session of its own; how many there are."""
    schema: Any = schemathesis.openapi.from_url(f"{url}/v1/openapi.json")
    found = [each.ok() for each in schema.get_all_operations()]
    writing = [each for each in found if each.method != "get"]
    said = {"name": "olga", "password": PASSWORD}
    sessions = []  # all of them first: whoever fails to log in is slowed
    for _ in writing:
        login = requests.post(f"{url}/v1/login", json=said, timeout=30)
        assert login.status_code == 200, login.text
        sessions.append(login.json()["token"])
    for operation, session in zip(writing, sessions, strict=True):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            tried(operation, mode, session)
    return len(writing)
