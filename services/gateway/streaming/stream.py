"""The stream of one gateway: hub, feeding, who is connected, and when each has to go."""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chandler.core.granularity import INTERVAL_MS
from services.gateway.caller import Caller
from services.gateway.parts import Parts
from services.gateway.problems import Problem
from services.gateway.streaming.ended import End, EndedError
from services.gateway.streaming.feeding import Feeding
from services.gateway.streaming.missing import Missing
from services.gateway.streaming.telling.hub import Hub
from services.gateway.streaming.telling.listening import Client
from services.gateway.streaming.telling.opened import Picture

SOCKETS_MAX = 1_000  # those that have not said yet who they are among them
USER_SOCKETS_MAX = 100
FILES = 8_192  # that one process may have open
LOOK_S = 0.5  # between two looks at who has to go
SILENT_S = 60.0  # without a word, a pong that is
AGAIN_S = 10.0  # between two questions whether a session or key is still good
ASKED_MAX = 100  # of them in one look
MOVING = {"unrealised", "pnl", "pnl_today"}  # of an agent's row, with each price


class Limits:
    """How many there may be."""

    def __init__(self, sockets: int = SOCKETS_MAX, of_user: int = USER_SOCKETS_MAX) -> None:
        self.sockets = sockets
        self.of_user = of_user


class Stream:
    """`run` it beside the server."""

    def __init__(self, parts: Parts, limits: Limits | None = None) -> None:
        profile = parts.profile
        self.hub = Hub(INTERVAL_MS, parts.now_ms)
        self.feeding = Feeding(parts.installation, self.hub, parts.sources.log)
        self.missing = Missing(parts.installation, self.hub)
        self.picture = Picture(parts.views, profile.agents, self.hub.opened, time.monotonic)
        self._parts = parts
        self._limits = limits or Limits()
        self.clients: dict[Client, None] = {}
        self._known = asyncio.Event()
        self._made = 0  # messages that were counted
        self._of_user: Counter[str] = Counter()
        self._told: list[dict[str, Any]] = []  # of the agents, but for what moves with each price

    async def run(self) -> None:
        """Until it is cancelled."""
        _make_room()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.feeding.run())
            group.create_task(self.hub.run())
            group.create_task(self._attend())

    async def known(self, most_s: float) -> None:
        """Returns once the topics were read. EndedError where that takes longer."""
        try:
            async with asyncio.timeout(most_s):
                await self._known.wait()
        except TimeoutError:
            raise EndedError(End.LATER, "the topics are not read yet: reconnect soon") from None

    def is_agent(self, name: str) -> bool:
        """Whether there is one of this name, in the profile or on the desk."""
        return name in self._parts.profile.agents or name in self._parts.views.desk.states()

    def caller(self, token: str, key: str) -> Caller:
        """Whose a session's token or a key is. Problem."""
        access = self._parts.access
        found = access.by_token(token) if token else access.by_key(key)
        assert isinstance(found, Caller)
        return found

    @contextmanager
    def counted(self, client: Client) -> Iterator[None]:
        """Among those that are connected. EndedError where there are too many."""
        if len(self.clients) >= self._limits.sockets:
            raise EndedError(End.TOO_MANY, "too many are connected: try again in half a minute")
        client.heard_s = time.monotonic()
        self.clients[client] = None
        try:
            yield
        finally:
            del self.clients[client]
            if client.caller is not None:
                self._leave(client.caller.name)

    def admit(self, client: Client, caller: Caller) -> None:
        """It is known who it is. EndedError where that one has too many."""
        if self._of_user[caller.name] >= self._limits.of_user:
            most = self._limits.of_user
            raise EndedError(End.TOO_MANY, f"you have {most} connections: close one of them")
        self._of_user[caller.name] += 1
        client.caller = caller
        client.asked_s = time.monotonic()

    def _leave(self, name: str) -> None:
        self._of_user[name] -= 1
        if not self._of_user[name]:
            del self._of_user[name]

    async def _attend(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self.look(time.monotonic())

    def look(self, now_s: float) -> None:
        """Ends those that say nothing, and those whose session or key is over."""
        self._measure()
        self._tell_agents()
        if self.hub.ready.is_set() and self._parts.views.known("desk", "lately"):
            self._known.set()
        asked = 0
        for client in list(self.clients):
            if now_s - client.heard_s > SILENT_S:
                client.end(End.SILENT, f"no pong for {SILENT_S:g} s: reconnect")
            elif client.caller is not None and now_s - client.asked_s > AGAIN_S:
                asked += 1
                if asked <= ASKED_MAX:
                    self._ask_again(client, now_s)

    def _tell_agents(self) -> None:
        """What changed of them otherwise than by a price: whoever asked or traded."""
        if not self.clients or not self._parts.views.known("desk"):
            return
        rows = self.picture.agents()
        still = [{name: row[name] for name in row.keys() - MOVING} for row in rows]
        if still != self._told:
            self._told = still
            self.hub.tell_agents(rows)

    def _ask_again(self, client: Client, now_s: float) -> None:
        client.asked_s = now_s
        try:
            self.caller(*client.secret)
        except Problem as problem:
            client.end(End.TOKEN, problem.detail)

    def ended(self, end: End) -> None:
        """One was closed from here."""
        self._parts.metrics.add("chandler_gateway_sockets_ended_total", why=end.kind)

    def _measure(self) -> None:
        metrics = self._parts.metrics
        metrics.set("chandler_gateway_sockets", len(self.clients))
        waiting = max(map(len, self.clients), default=0)
        metrics.set("chandler_gateway_stream_waiting_messages", waiting)
        made, self._made = self.hub.seq - self._made, self.hub.seq
        metrics.add("chandler_gateway_stream_messages_total", made)


def _make_room() -> None:
    """For as many sockets as there may be, where the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
