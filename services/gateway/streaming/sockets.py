"""The route of the WebSocket."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.websockets import WebSocket

from services.gateway.parts import Parts
from services.gateway.streaming.stream import Stream
from services.gateway.streaming.talking import Talk

FORBIDDEN = 1008  # before it is accepted: the handshake is answered 403

router = APIRouter()


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """What happens, until one of the two leaves. No cookie and nothing of the address counts."""
    parts = socket.app.state.parts
    assert isinstance(parts, Parts)
    assert isinstance(parts.streaming, Stream)
    hosts = {socket.headers.get("host", ""), *parts.profile.gateway.hosts}
    if not is_ours(socket.headers.get("origin"), hosts):
        await socket.close(FORBIDDEN)
        return
    await Talk(socket, parts.streaming).run()


def is_ours(origin: str | None, hosts: Iterable[str]) -> bool:
    """Whether a page of ours asks, by a name that we have, or a program: it names no origin."""
    if origin is None:
        return True
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    ours = {host.casefold() for host in hosts}
    return found.scheme in ("http", "https") and found.netloc.casefold() in ours
