"""Health of a service, and the small HTTP endpoint that tells of it.

/metrics for Prometheus, /healthz (the event loop answers), /readyz (200 when ready, else 503,
with JSON). GET only, one request a connection, loopback unless it is told otherwise.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Literal

import msgspec

from chandler.streams.telemetry.metrics import CONTENT_TYPE

REQUEST_WAIT_S_MAX = 5.0
BEHIND_S_MAX = 30.0  # more is told to people
CAUGHT_UP_S = 5.0
REQUEST_BYTES_MAX = 16 * 1024


class Health:
    """What /readyz, /healthz and `status` say of this instance."""

    def __init__(self) -> None:
        self.ready = False
        self.state = "starting"  # one or two words for people
        self.lag = 0  # records between what was taken and the end of the inputs
        self._age_s = 0.0
        self._age_set: float | None = None  # monotonic; None: nothing was taken yet

    @property
    def age_s(self) -> float:
        """Wall seconds since the newest record that was taken was written; it grows by itself."""
        if self._age_set is None:
            return 0.0
        return self._age_s + time.monotonic() - self._age_set

    @age_s.setter
    def age_s(self, seconds: float) -> None:
        self._age_s = seconds
        self._age_set = time.monotonic()

    @property
    def behind_s(self) -> float:
        """Wall seconds by which the work is behind its inputs; 0 where nothing more waits."""
        return self.age_s if self.lag > 0 else 0.0

    @property
    def took_any(self) -> bool:
        """Whether a record was taken since the start."""
        return self._age_set is not None


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of /readyz."""

    service: str
    ready: bool
    state: str
    lag: int
    age_s: float | None  # None: nothing was taken yet
    behind_s: float = 0.0
    pid: int


def readiness(service: str, health: Health) -> Readiness:
    """What /readyz says now."""
    return Readiness(
        service=service,
        ready=health.ready,
        state=said_of(health),
        lag=health.lag,
        age_s=round(health.age_s, 3) if health.took_any else None,
        behind_s=round(health.behind_s, 3),
        pid=os.getpid(),
    )


def said_of(health: Health) -> str:
    """The state, and by how much it is behind where that is long."""
    behind_s = health.behind_s
    return f"{health.state}, {behind_s:.0f} s behind" if behind_s > BEHIND_S_MAX else health.state


class Behind:
    """Says once that the work is behind for long, and once that it has caught up.

    What is read again after a start may be old: only what stays behind for BEHIND_S_MAX is told.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._told = False

    def seen(self, behind_s: float, now: float) -> Literal["", "behind", "caught_up"]:
        """What is to be told, having looked at `now` (monotonic seconds)."""
        if behind_s <= CAUGHT_UP_S:
            told, self._since, self._told = self._told, None, False
            return "caught_up" if told else ""
        if behind_s > BEHIND_S_MAX and self._since is None:
            self._since = now
        if self._told or self._since is None or now - self._since < BEHIND_S_MAX:
            return ""
        self._told = True
        return "behind"


Answer = tuple[int, str, bytes]  # status, content type, body
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


def _answer(
    method: str, path: str, service: str, health: Health, metrics: Callable[[], bytes]
) -> Answer:
    if method not in ("GET", "HEAD"):
        return 405, "text/plain", b"GET only\n"
    if path == "/metrics":
        return 200, CONTENT_TYPE, metrics()
    if path == "/healthz":
        return 200, "text/plain", b"ok\n"
    if path == "/readyz":
        body = msgspec.json.encode(readiness(service, health))
        return (200 if health.ready else 503), "application/json", body
    return 404, "text/plain", b"try /metrics, /healthz or /readyz\n"


async def _serve_one(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    answer: Callable[[str, str], Answer],
) -> None:
    try:
        async with asyncio.timeout(REQUEST_WAIT_S_MAX):
            head = await reader.readuntil(b"\r\n\r\n")
            words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            method, path = (words[0], words[1].split("?", 1)[0]) if len(words) > 1 else ("", "")
            status, kind, body = answer(method, path)
            writer.write(
                f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            )
            writer.write(b"" if method == "HEAD" else body)
            await writer.drain()
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        pass  # the caller went away or never asked: nothing to answer
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def endpoint(
    host: str, port: int, service: str, health: Health, metrics: Callable[[], bytes]
) -> AsyncIterator[int]:
    """Serves the three addresses while the block runs; yields the port. OSError: it is taken."""

    def answer(method: str, path: str) -> Answer:
        return _answer(method, path, service, health, metrics)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve_one(reader, writer, answer)

    server = await asyncio.start_server(handle, host, port, limit=REQUEST_BYTES_MAX)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def ask(host: str, port: int, path: str, wait_s: float = 2.0) -> tuple[int, bytes] | None:
    """GETs `path`; (status, body), or None when nobody answers within `wait_s`."""
    try:
        async with asyncio.timeout(wait_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                raw = await reader.read(-1)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    head, _, body = raw.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        return None
    return int(words[1]), body


async def ask_ready(host: str, port: int, wait_s: float = 2.0) -> Readiness | None:
    """What the service at `port` says of itself; None when nobody (or another) answers."""
    got = await ask(host, port, "/readyz", wait_s)
    if got is None:
        return None
    try:
        return msgspec.json.decode(got[1], type=Readiness)
    except msgspec.DecodeError:
        return None
