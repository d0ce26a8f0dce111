"""The page's files: how they are served, and what stands in none of them."""

import gzip
import json
import re
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from fastapi import FastAPI

from services.gateway.problems import install
from services.gateway.routes import pages

SCRIPTS = sorted((pages.PAGE / "js").rglob("*.js"))
UNSAFE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|javascript:"
    r"|DOMParser|createContextualFragment|srcdoc|setAttribute\(\"(on|style)"
)
IMPORTED = re.compile(r"(?:from|import\()\s*[\"`]([./][^\"`$]+)[\"`]")
OF_CHARTS = pages.PAGE / "vendor" / "lightweight-charts"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def ask():
    """Asks the page's routes as a server would: the path comes unquoted, and as it is."""
    app: Any = FastAPI(openapi_url=None, redirect_slashes=False)
    install(app)
    app.include_router(pages.router)

    async def asked(path, method="GET", **headers):
        sent = []
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
            ],
        }

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], told, b"".join(each["body"] for each in sent[1:]))

    return asked


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/scanner", "text/html"),
        ("/symbol/BTCUSDT", "text/html"),
        ("/js/main.js", "text/javascript"),
        ("/css/page.css", "text/css"),
        ("/icon.svg", "image/svg"),
        ("/vendor/lightweight-charts/LICENSE", "text/plain"),
    ],
)
async def test_a_file_has_its_type_and_is_sent_once(ask, path, kind):
    first = await ask(path)
    packed = await ask(path, accept_encoding="br, gzip")
    again = await ask(path, if_none_match=first.headers["etag"])
    head = await ask(path, "HEAD")

    assert first.status == 200
    assert first.headers["content-type"].startswith(kind)
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == first.body
    assert (again.status, again.body) == (304, b"")
    assert head.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "/js/../index.html",
        "/js/..%2f..%2fapp.py",
        "/js/%2e%2e/%2e%2e/problems.py",
        "/js/",
        "/js",
        "/js//etc/passwd",
        "/css/%00",
        "/vendor/..\\..\\app.py",
        "/js/main.js/",
        "/nothing",
        "/js/main.js%00.css",
        "/" + "a" * 5_000,
    ],
)
async def test_no_path_leads_elsewhere(ask, path):
    answer = await ask(path)

    assert answer.status == 404
    assert json.loads(answer.body)["kind"] == "unknown_path"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_makes_no_markup_from_text_and_imports_what_is_there(path):
    text = path.read_text()

    assert not UNSAFE.search(text), f"{path.name}: text becomes text nodes, see js/elements.js"
    for name in IMPORTED.findall(text):
        assert (path.parent / name).exists(), f"{path.name} imports {name}: not there"
    assert len(text.splitlines()) <= 400, f"{path.name} is long: split it by what it does"


def test_the_page_has_no_script_or_style_of_its_own():
    """Its policy allows files of the gateway only."""
    text = (pages.PAGE / "index.html").read_text()

    assert re.findall(r"<script[^>]*>(?!</script>)", text) == []
    assert "style=" not in text
    assert "<style" not in text
    assert not re.search(r"(src|href)=\"(?!/)(?!#)", text)


def test_what_is_not_ours_says_its_version_and_licence():
    version = (OF_CHARTS / "VERSION").read_text().split(",")[0].split()[1]
    text = (OF_CHARTS / "lightweight-charts.standalone.production.mjs").read_text()

    assert f"v{version}\n" in text[:400]
    assert "Apache License" in (OF_CHARTS / "LICENSE").read_text()
