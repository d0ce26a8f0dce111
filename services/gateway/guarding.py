"""What stands before every request: hosts, how often an address asks, bodies, headers, faults.

Nothing of a request is logged: an address may hold a hook's token.
"""

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Iterable
from typing import Any

from services.declaration import Metrics
from services.exits import one_line
from services.gateway.access.gate import BODY, too_many
from services.gateway.access.slowing import Buckets
from services.gateway.problems import MEDIA_TYPE, Problem, raw_of

BODY_BYTES_MAX = 64 * 1024
BODY_S_MAX = 10.0  # for all of it to arrive
DEPTH_MAX = 20  # of JSON
TARGET_MAX = 4_096  # characters of a path with its query
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")

Scope = dict[str, Any]


class Guard:
    """An ASGI application around another one."""

    def __init__(
        self,
        app: Any,
        *,
        hosts: Iterable[str] = (),
        any_host: bool = False,
        tls: bool = False,
        address_per_second: float = 1e9,
        metrics: Metrics | None = None,
        log: logging.Logger | None = None,
    ) -> None:
        """`hosts`: names that it is reached by, beside loopback's; `any_host`: none is refused."""
        self._app = app
        self._hosts = LOOPBACK_NAMES | {_name(host) for host in hosts}
        self._any_host = any_host
        self._buckets = Buckets(address_per_second)
        self._metrics = metrics or Metrics()
        self._log = log or logging.getLogger("gateway")
        headers = HEADERS | ({"strict-transport-security": "max-age=31536000"} if tls else {})
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Any, send: Any) -> None:
        try:
            self._check(scope)
        except Problem:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Any, send: Any) -> None:
        began, status = time.monotonic(), 0

        async def sent(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": self._with(scope, message["headers"])}
            await send(message)

        try:
            self._check(scope)
            body = await _body(scope, receive)
            scope[BODY] = body
            await self._app(scope, _again(body, receive), sent)
        except Problem as problem:
            await _answer(problem, sent)
        except Exception as error:
            self._log.error("a request failed: %s", one_line(error))
            self._log.debug("where it came from", exc_info=error)
            if not status:
                detail = "it can't be answered: see the gateway's log"
                await _answer(Problem(500, "fault", detail), sent)
        self._metrics.add("chandler_gateway_requests_total", status=f"{status // 100}xx")
        self._metrics.observe("chandler_gateway_request_seconds", time.monotonic() - began)

    def _check(self, scope: Scope) -> None:
        """Problem for what no route has to see."""
        client = scope.get("client")
        if wait_s := self._buckets.take(_block(client[0] if client else ""), time.monotonic()):
            raise too_many("this address", wait_s)
        if len(scope["path"]) + len(scope["query_string"]) > TARGET_MAX:
            raise Problem(413, "too_large", f"expected a path and query of {TARGET_MAX} characters")
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._known(hosts[0].decode("latin-1")):
            raise Problem(
                421,
                "unknown_host",
                "this name is not ours: use 127.0.0.1, or add it to gateway.hosts",
            )

    def _known(self, host: str) -> bool:
        """A page of elsewhere whose name leads to this machine is refused by its name."""
        return self._any_host or _name(host) in self._hosts

    def _with(self, scope: Scope, headers: Iterable[Any]) -> list[Any]:
        found = list(headers)
        there = {name for name, _ in found}
        found += [each for each in self._headers if each[0] not in there]
        if scope["path"].startswith("/v1") and b"cache-control" not in there:
            found.append((b"cache-control", b"no-store"))
        return found


def _name(host: str) -> str:
    """A host without its port."""
    return re.sub(r":[0-9]+$", "", host).casefold()


def _block(address: str) -> str:
    """What is counted as one address: of IPv6 the network that one customer has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 6:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address


async def _body(scope: Scope, receive: Any) -> bytes:
    """All of it. Problem: it is too large, too slow, or too deep."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S_MAX):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    break  # the caller left
                part = message.get("body", b"")
                size += len(part)
                if size > BODY_BYTES_MAX:
                    raise Problem(
                        413,
                        "too_large",
                        f"expected at most {BODY_BYTES_MAX} bytes: send less at once",
                        {"Connection": "close"},
                    )
                parts.append(part)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Problem(
            408,
            "too_slow",
            f"the body did not arrive within {BODY_S_MAX:g} s: send it again",
            {"Connection": "close"},
        ) from None
    body = b"".join(parts)
    if _depth(body) > DEPTH_MAX:
        raise Problem(400, "too_deep", f"expected JSON of at most {DEPTH_MAX} levels")
    return body


def _depth(body: bytes) -> int:
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return 0
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _again(body: bytes, receive: Any) -> Any:
    """Gives the body that was read; after it what comes."""
    given = False

    async def read() -> dict[str, Any]:
        nonlocal given
        if given:
            message: dict[str, Any] = await receive()
            return message
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return read


async def _answer(problem: Problem, send: Any) -> None:
    body = raw_of(problem)
    headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **problem.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
