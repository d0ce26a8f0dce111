"""A gateway without a socket: its application is asked as ASGI, over views that events are put in.

Access is a stand-in that reads real tokens; anna's figures are small, all of bert's have a 7.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jwt
import msgspec
from fastapi import APIRouter, FastAPI
from sqlalchemy import make_url

import services.gateway
from chandler.core.events import Event
from chandler.core.notices.routing import User
from chandler.streams.codec import encode
from chandler.streams.reader import Record
from services.following.scanned import SCANNED
from services.following.sources import Sources
from services.following.views import Views
from services.gateway.app import make_app
from services.gateway.caller import Caller
from services.gateway.parts import Parts
from services.ledger.writer import LedgerWriter
from services.plugins import load
from tests.services.ledgering import following, placed
from tests.services.notifier.answering.scene import DAY, NOW, Scene

SECRET, FOREIGN = "ours " * 8, "theirs " * 8
USERS = {
    "olga": User(role="owner", telegram_id=1),
    "otto": User(role="operator", telegram_id=2, agents=["anna"]),
    "vera": User(role="viewer", telegram_id=3, agents=["anna"]),
    "nina": User(role="viewer", telegram_id=4),  # whom nobody gave an agent
}


def token(name: str, *, secret: str = SECRET, expires_ms: int = NOW + 900_000) -> str:
    """A session's, as a login gives it."""
    return jwt.encode({"sub": name, "expires_ms": expires_ms}, secret, "HS256")


class Tokens:
    """Tells who calls by these tokens alone."""

    def __init__(self, users: Mapping[str, User], now_ms: int) -> None:
        self._users = users
        self._now_ms = now_ms

    async def caller(self, request: Any) -> Caller | None:
        kind, _, said = request.headers.get("authorization", "").partition(" ")
        try:
            claims = jwt.decode(said, SECRET, ["HS256"])
        except jwt.InvalidTokenError:
            return None
        user = self._users.get(claims["sub"])
        late = claims["expires_ms"] <= self._now_ms
        return None if late or user is None or kind != "Bearer" else Caller(claims["sub"], user)

    def by_token(self, token: str) -> Caller:
        raise NotImplementedError

    def by_key(self, text: str) -> Caller:
        raise NotImplementedError

    def limit(self, caller: Caller) -> None:
        """Nobody asks too often here."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return msgspec.json.decode(self.raw)

    @property
    def items(self) -> list[dict[str, Any]]:
        assert self.status == 200, self
        found: list[dict[str, Any]] = self.body["items"]
        return found

    @property
    def kind(self) -> str:
        """Of a problem."""
        assert self.headers["content-type"] == "application/problem+json", self
        return str(self.body["kind"])


async def asked(
    app: FastAPI, target: str, *, by: str = "", method: str = "GET", body: bytes = b""
) -> Answer:
    """What the application answers. `by`: a token."""
    parts = urlsplit(target)
    headers = [(b"host", b"localhost")]
    if by:
        headers.append((b"authorization", f"Bearer {by}".encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    names = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    raw = b"".join(each.get("body", b"") for each in sent[1:])
    return Answer(sent[0]["status"], names, raw)


class Door:
    """A gateway with its views and its ledger, to be filled with events."""

    def __init__(self, data: Path, *agents: str) -> None:
        self.scene = Scene(data, *agents)
        engines = {name: each.config for name, each in load().engines.items()}
        self.profile = msgspec.structs.replace(self.scene.sources.profile, engines=engines)
        self.sources = Sources(self.scene.sources.installation, self.profile, waiting_max=29)
        self.views = self.scene.views
        self.app = application(self.sources, self.views)
        self._offsets: dict[str, int] = {}  # of topics that are seen
        self._recorded: dict[str, int] = {}  # of those in the ledger, the next

    def read(self) -> None:
        """The topics have been read, and are followed."""
        for name in ("desk", "orders", "lately", "scanned"):
            self.views._read.add(name)
            self.views._troubles[name] = ""

    def see(self, topic: str, *events: Event) -> None:
        """Events as they come in a topic."""
        self.scene.see(topic, *events)
        for event in events if topic in SCANNED else ():
            offset = self._offsets[topic] = self._offsets.get(topic, -1) + 1
            record = Record(topic, 0, offset, NOW + offset, "", event, encode(event), {})
            self.views.scanned.take(record)

    def record(self, **events: Iterable[Event]) -> None:
        """Events by topic, as the recorder takes them into the ledger."""
        data = self.sources.installation.data
        writer = LedgerWriter(make_url(f"sqlite:///{data / 'ledger.sqlite'}"), "cluster/")
        writer.places()
        for topic, of in events.items():
            records = placed(topic, of, self._recorded.get(topic, 0))
            self._recorded[topic] = records[-1].offset + 1
            assert writer.take(records, following(records)).untold == []
        writer.close()

    async def ask(self, target: str, by: str = "olga") -> Answer:
        """What a route under /v1 answers somebody."""
        return await asked(self.app, f"/v1{target}", by=token(by))


def application(
    sources: Sources, views: Views, now_ms: int = NOW, only: Iterable[APIRouter] = ()
) -> FastAPI:
    """The application with every router that there is, or with these."""
    parts = Parts(
        installation=sources.installation,
        profile=sources.profile,
        views=views,
        sources=sources,
        access=Tokens(USERS, now_ms),
        now_ms=lambda: now_ms,
    )
    found = list(routers())
    pages = [router for module, router in found if module.endswith(".pages")]
    return make_app(parts, only or [each for _, each in found if each not in pages], pages)


def routers() -> Iterator[tuple[str, APIRouter]]:
    """Each module of the gateway that has a router, and that: whoever has written it."""
    for module in _modules(services.gateway):
        router = getattr(module, "router", None)
        if isinstance(router, APIRouter):
            yield module.__name__, router


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(each.name)


__all__ = ["DAY", "NOW", "SECRET", "Answer", "Door", "application", "asked", "routers", "token"]
