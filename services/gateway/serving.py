"""Serves an ASGI application inside the service's own loop: uvicorn without signal handlers."""

import asyncio
import contextlib
import logging
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.gateway.streaming.frames import Protocol
from services.layers import ConfigurationError
from services.profile import GatewayConfig

BACKLOG = 1_024
IDLE_S = 30.0  # of a connection that asks nothing
LEAVE_S_MAX = 2.0  # for answers under way at the stop
HEAD_BYTES_MAX = 16 * 1024
MESSAGE_BYTES_MAX = 64 * 1024  # of a WebSocket's
SILENT_S_MAX = 10.0  # until a connection has asked something
CONNECTIONS_MAX = 4_000  # WebSockets among them; more are answered 503


class _Server(uvicorn.Server):
    """Whose process it is has its own handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(H11Protocol):
    """A connection, which is closed when it has asked nothing for long."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._silent = self.loop.call_later(SILENT_S_MAX, self._close_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        self._silent.cancel()
        super().connection_lost(exc)

    def _close_silent(self) -> None:
        upgraded = self not in self.connections  # it is a WebSocket's by now
        if self.cycle is None and not upgraded:
            self.transport.close()


@contextlib.asynccontextmanager
async def served(app: Any, host: str, port: int, gateway: GatewayConfig) -> AsyncIterator[int]:
    """Serves while the block runs; yields the port. OSError: it is taken; ConfigurationError."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # rubbish is no news
    _raise_files_max()
    config = uvicorn.Config(
        app,
        http=_Protocol,
        limit_concurrency=CONNECTIONS_MAX,
        ws=Protocol,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # the stream has its own
        ws_max_size=MESSAGE_BYTES_MAX,
        lifespan="off",
        log_config=None,
        access_log=False,  # a hook's path holds its token
        server_header=False,
        proxy_headers=bool(gateway.proxies),
        forwarded_allow_ips=list(gateway.proxies),
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        timeout_keep_alive=round(IDLE_S),
        timeout_graceful_shutdown=round(LEAVE_S_MAX),
        ssl_certfile=gateway.tls_cert or None,
        ssl_keyfile=gateway.tls_key or None,
    )
    try:
        config.load()
    except OSError as error:
        raise ConfigurationError(
            f"gateway.tls_cert or gateway.tls_key can't be used ({error}): expected files in PEM"
        ) from None
    server = _Server(config)
    with contextlib.closing(_listening(host, port)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


def _raise_files_max() -> None:
    """As many sockets as the system lets us have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS_MAX
    if soft < wanted and soft != resource.RLIM_INFINITY:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Said to be TCP, for asyncio sends at once (TCP_NODELAY) only where it knows that.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made
