"""The webhook against a server that answers as it is told to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from chandler.core.notices.channel import ARRIVED, Outcome
from chandler.core.notices.inputs import Send
from chandler.streams.embedded.probe import free
from services.notifier.channels import webhook as module
from services.notifier.channels.webhook import plain, webhook
from tests.conftest import PORTS


class Server:
    """What came, and what is answered to it."""

    def __init__(self) -> None:
        self.came: list[Any] = []
        self.types: list[str] = []
        self.status, self.headers = 200, dict[str, str]()
        self.mood = ""
        self.released = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.came.append(await request.json())
        self.types.append(request.content_type)
        if self.mood == "silent":
            await self.released.wait()
        if self.mood == "cuts" and request.transport is not None:
            request.transport.abort()
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_post("/hook", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    made.released.set()
    await runner.cleanup()


def message(**changed: Any) -> Send:
    html = "<b>exit</b> A&amp;B &lt;C&gt;"
    fields = {"user": "ann", "telegram_id": 0, "id": "m1", "loud": True, "repeat": False}
    return Send(html=html, **{**fields, **changed})


async def test_a_message_arrives_as_json_with_and_without_its_marks(server):
    assert await webhook(message(), server.url, None) == ARRIVED

    assert server.types == ["application/json"]
    assert server.came == [
        {
            "id": "m1",
            "html": "<b>exit</b> A&amp;B &lt;C&gt;",
            "text": "exit A&B <C>",
            "loud": True,
            "repeat": False,
        }
    ]


async def test_a_repeat_has_the_same_id_and_says_so(server):
    await webhook(message(), server.url, None)
    await webhook(message(repeat=True), server.url, None)

    assert [(each["id"], each["repeat"]) for each in server.came] == [("m1", False), ("m1", True)]


@pytest.mark.parametrize(
    ("status", "after", "expected"),
    [
        (204, "", ARRIVED),
        (429, "7", Outcome(what="later", reason="answer 429", retry_after_ms=7_000)),
        (429, "99999", Outcome(what="later", reason="answer 429", retry_after_ms=600_000)),
        (503, "soon", Outcome(what="later", reason="answer 503")),
        (500, "", Outcome(what="later", reason="answer 500")),
        (400, "", Outcome(what="never", reason="answer 400")),
        (404, "", Outcome(what="never", reason="answer 404")),
        (302, "", Outcome(what="never", reason="answer 302")),
    ],
)
async def test_the_answer_says_what_became_of_it(server, status, after, expected):
    server.status = status
    server.headers = {"Retry-After": after, "Location": "http://127.0.0.1:9/"}

    assert await webhook(message(), server.url, None) == expected
    assert len(server.came) == 1


@pytest.mark.parametrize("mood", ["silent", "cuts"])
async def test_without_an_answer_it_may_have_arrived(server, monkeypatch, mood):
    monkeypatch.setattr(module, "REQUEST_S", 0.5)
    server.mood = mood

    outcome = await webhook(message(), server.url, None)

    assert (outcome.what, outcome.perhaps) == ("later", True)
    assert len(server.came) == 1


async def test_where_nobody_listens_nothing_arrived():
    port = next(each for each in PORTS if free(each))

    outcome = await webhook(message(), f"http://127.0.0.1:{port}/hook", None)

    assert (outcome.what, outcome.perhaps) == ("later", False)


@pytest.mark.parametrize("address", ["", "hook", "http://", "ftp://example.com/x", "http://[::1"])
async def test_an_address_that_is_none_is_given_up_with_a_cure(address):
    outcome = await webhook(message(), address, None)

    assert (outcome.what, "set users.NAME.address" in outcome.reason) == ("never", True)


def test_plain_words_are_those_that_people_would_see():
    assert plain("<i>Repeat</i>\n<code>a &lt; b</code> &quot;x&quot;") == 'Repeat\na < b "x"'
