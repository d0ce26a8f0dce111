"""What holds for every request: hosts, sizes, headers, nothing said of what is inside."""

import asyncio
import contextlib
import logging
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from chandler.streams.settings import SettingsError, installation
from services.gateway import serving
from services.gateway.guarding import BODY_BYTES_MAX, Guard
from services.layers import ConfigurationError
from services.profile import GatewayConfig
from tests.services.gateway.door import Door, door
from tests.services.gateway.house import profile


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Door]:
    async with door(tmp_path, profile()) as made:
        yield made


async def test_every_answer_says_what_a_browser_may_do_with_it(at: Door) -> None:
    for path in ("/v1/me", "/v1/openapi.json", "/nothing"):
        headers = (await at.ask("GET", path)).headers

        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
        if path.startswith("/v1"):
            assert headers["cache-control"] == "no-store"


async def test_no_page_of_elsewhere_may_ask(at: Door) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    asked = {**origin, "Access-Control-Request-Method": "POST"}

    for method, headers in (("GET", origin), ("OPTIONS", asked), ("POST", origin)):
        answer = await at.ask(method, "/v1/signals", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.status in (401, 405)


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example:80", ""])
async def test_a_name_that_was_led_here_is_refused(at: Door, host: str) -> None:
    """A page of elsewhere whose name suddenly means this machine: DNS rebinding."""
    answer = await at.ask("GET", "/v1/me", headers={"Host": host})

    assert answer.status in (421, 400)


async def test_names_of_a_proxy_are_let_in(tmp_path: Path) -> None:
    named = GatewayConfig(hosts=["trade.example"])
    async with door(tmp_path, profile(gateway=named)) as at:
        assert (await at.ask("GET", "/v1/me", headers={"Host": "Trade.Example:443"})).status == 401
        assert (await at.ask("GET", "/v1/me", headers={"Host": "localhost"})).status == 401


async def test_in_a_container_the_hosts_that_are_named_are_the_only_ones(tmp_path: Path) -> None:
    """It listens on all addresses there, and took any name although some were set."""
    named = GatewayConfig(hosts=["trade.example"])
    async with door(tmp_path, profile(gateway=named), CHANDLER_HTTP_HOST="0.0.0.0") as at:
        assert (await at.ask("GET", "/v1/me", headers={"Host": "trade.example"})).status == 401
        assert (await at.ask("GET", "/v1/me", headers={"Host": "elsewhere.example"})).status == 421


async def test_in_a_container_it_is_reached_where_it_was_published(tmp_path: Path) -> None:
    """Published on loopback it took any name: what a page of elsewhere was led to."""
    reached = "http://desk.example:8080"
    about = {"CHANDLER_HTTP_HOST": "0.0.0.0", "CHANDLER_GATEWAY_ADDRESS": reached + "/"}
    async with door(tmp_path, profile(), **about) as at:
        for host in ("desk.example:8080", "DESK.example", "127.0.0.1:29005"):
            assert (await at.ask("GET", "/v1/me", headers={"Host": host})).status == 401
        assert (await at.ask("GET", "/v1/me", headers={"Host": "elsewhere.example"})).status == 421
        token = await at.token("olga")
        link = await at.ask("POST", "/v1/users/vera/link", token=token)
        assert link.body["url"].startswith(f"{reached}/#/setup/")


@pytest.mark.parametrize(
    "address", ["desk.example", "ftp://desk.example", "http://desk.example/page", "http://a b"]
)
def test_an_address_that_nobody_can_reach_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="CHANDLER_GATEWAY_ADDRESS"):
        installation({"CHANDLER_GATEWAY_ADDRESS": address})


async def test_an_answer_goes_out_at_once() -> None:
    """Heads waited for the client's acknowledgement before their bodies went out: 40 ms."""
    made: asyncio.Future[asyncio.BaseTransport] = asyncio.get_running_loop().create_future()

    class Heard(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.set_result(transport)

    with contextlib.closing(serving._listening("127.0.0.1", 0)) as listening:
        server = await asyncio.get_running_loop().create_server(Heard, sock=listening)
        _, writer = await asyncio.open_connection(*listening.getsockname())
        connection = (await made).get_extra_info("socket")

        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        server.close()


async def test_a_body_is_counted_as_it_comes_whatever_its_header_says(at: Door) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 1_024 + 2):
            yield b" " * 1_024

    async with at.session.post(f"{at.url}/v1/login", data=endless()) as answer:
        assert answer.status == 413
    told = await at.ask("POST", "/v1/login", raw=b" " * (BODY_BYTES_MAX + 1))
    assert (told.status, told.kind) == (413, "too_large")


async def test_a_long_path_and_path_tricks_find_nothing(at: Door) -> None:
    long = await at.ask("GET", f"/v1/{'x' * 5_000}")

    assert long.status in (413, 414)
    for path in ("/v1/../v1/me/x", "/v1/%2e%2e/%2e%2e/etc/passwd", "/v1//me", "/v1/me/", "//etc"):
        answer = await at.ask("GET", path)
        assert answer.status == 404, path
        assert answer.kind == "unknown_path"


async def test_what_is_no_json_is_refused_everywhere(at: Door) -> None:
    for path in ("/v1/login", "/v1/setup/x"):
        for raw in (b"{", b"\xff", b"[" * 3_000, b'{"name": "\\ud800", "password": "x"}'):
            answer = await at.ask("POST", path, raw=raw)
            assert 400 <= answer.status < 500, (path, raw[:20], answer.raw)
            assert answer.headers["content-type"] == "application/problem+json"
    form = await at.ask("POST", "/v1/login", raw=b"name=a", headers={"Content-Type": "text/plain"})
    assert form.status == 422
    assert b"Content-Type: application/json" in form.raw


async def test_a_fault_of_ours_is_answered_without_a_word_about_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        raise RuntimeError("the secret is swordfish")

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "path": "/v1/hooks/TOKEN",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
    }
    with caplog.at_level(logging.ERROR):
        await Guard(broken)(scope, receive, send)

    assert sent[0]["status"] == 500
    assert b"swordfish" not in sent[1]["body"]
    assert "a request failed" in caplog.text
    assert "TOKEN" not in caplog.text


async def test_a_connection_that_says_nothing_holds_up_nobody_and_is_closed(
    at: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "SILENT_S_MAX", 0.5)
    port = int(at.url.rpartition(":")[2])
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]

    answer = await at.ask("GET", "/v1/me")

    assert answer.status == 401
    for reader, writer in silent:
        assert await reader.read() == b""  # it was closed
        writer.close()


async def test_files_of_a_certificate_make_it_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    await asyncio.to_thread(
        subprocess.run,
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    config = GatewayConfig(tls_cert=str(certificate), tls_key=str(key))
    trusted = ssl.create_default_context(cafile=str(certificate))
    trusted.check_hostname = False

    async with door(tmp_path, profile(gateway=config)) as at, aiohttp.ClientSession() as session:
        url = at.url.replace("http:", "https:")
        async with session.get(f"{url}/v1/me", ssl=trusted) as answer:
            assert answer.status == 401
            assert "max-age" in answer.headers["strict-transport-security"]


async def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    config = GatewayConfig(tls_cert=str(tmp_path / "none.pem"), tls_key=str(tmp_path / "none.pem"))

    with pytest.raises(ConfigurationError, match="tls_cert"):
        async with door(tmp_path, profile(gateway=config)):
            pass
