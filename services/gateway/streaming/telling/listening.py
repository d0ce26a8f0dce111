"""Who listens: clients that see and want the same share a view, and with it every frame."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from chandler.core.granularity import Granularity
from services.gateway.caller import Caller
from services.gateway.streaming.asked import Wants
from services.gateway.streaming.ended import End, EndedError
from services.gateway.streaming.telling.said import Audience, Said

EVENTS_MAX = 2_000  # that wait for one client
WRITE_BYTES_MAX = 256 * 1024  # in one go
SLOW = "it reads too slowly: reconnect, and say where it was"
VIAS = ("page", "api", "telegram")  # before a name of who asked for something


class View(NamedTuple):
    """What somebody sees of what is told."""

    caller: Caller
    agent: str  # "": all that the caller sees
    wants: Wants

    @property
    def key(self) -> tuple[object, ...]:
        """The same for clients that get the same."""
        return (self.caller.name, self.caller.key, self.agent, self.wants)

    @property
    def staff(self) -> bool:
        return self.caller.may("operator")

    def sees(self, agent: str) -> bool:
        return self.caller.sees(agent) and self.agent in ("", agent)

    def allowed(self, audience: Audience) -> bool:
        """Whether it is for these eyes."""
        if audience.who and audience.who in {f"{via}:{self.caller.name}" for via in VIAS}:
            return True
        if audience.staff and not self.staff:
            return False
        return not audience.agents or any(map(self.sees, audience.agents))

    def hears(self, said: Said) -> bool:
        """Whether it is for these eyes, and wanted."""
        wants = self.wants
        if said.topic not in wants.topics:
            return False
        if said.topic == "candles" and (
            said.symbol not in wants.symbols
            or (wants.granularities and said.granularity not in wants.granularities)
        ):
            return False
        return self.allowed(said.audience)

    def series(
        self, symbols: Set[str], granularities: Iterable[Granularity]
    ) -> Iterator[tuple[str, Granularity]]:
        """Of which of these it wants candles."""
        wants = self.wants
        if "candles" in wants.topics:
            for symbol in wants.symbols & symbols:
                for granularity in granularities:
                    if not wants.granularities or granularity in wants.granularities:
                        yield symbol, granularity


class Frame(NamedTuple):
    """A message as it goes out, or several."""

    seq: int  # its number, of several the greatest
    data: bytes


class Client:
    """What waits for one socket, in order. A state that waits is replaced by its newer one."""

    def __init__(self) -> None:
        self.caller: Caller | None = None  # None: it has not said who it is
        self.secret = ("", "")  # its token, or its key
        self.asked_s = 0.0  # monotonic, when it was last asked whether that is good
        self.wake = asyncio.Event()
        self.ended: EndedError | None = None
        self.over = asyncio.Event()
        self.view: View | None = None  # None: it is not attached yet
        self.heard_s = 0.0  # monotonic, of its last word
        self.sent = 0  # the number of the newest message that went out
        self._waiting: dict[object, Frame] = {}
        self._events = 0

    def event(self, frame: Frame) -> None:
        """Something happened. A client for whom too much waits is ended: it comes back."""
        if self._events >= EVENTS_MAX:
            self.end(End.SLOW, SLOW)
            return
        self._events += 1
        self._waiting[frame.seq] = frame
        self.wake.set()

    def state(self, key: object, frame: Frame) -> None:
        """How something is now."""
        self._waiting.pop(key, None)
        self._waiting[key] = frame
        self.wake.set()

    def waits(self, key: object) -> bool:
        """Whether a state has not gone out yet."""
        return key in self._waiting

    def take(self) -> Frame:
        """What waits, up to WRITE_BYTES_MAX and at least one frame; no data: nothing."""
        frames: list[bytes] = []
        seq = size = 0
        while self._waiting and size < WRITE_BYTES_MAX:
            key = next(iter(self._waiting))
            seq, data = self._waiting.pop(key)
            self._events -= isinstance(key, int)
            frames.append(data)
            size += len(data)
        if self._waiting:
            self.wake.set()
        return Frame(seq, frames[0] if len(frames) == 1 else b"".join(frames))

    def end(self, end: End, detail: str) -> None:
        """It is told why, and closed. The first reason counts."""
        if self.ended is None:
            self.ended = EndedError(end, detail)
            self.over.set()

    def __len__(self) -> int:
        return len(self._waiting)


class Listeners:
    """All that are attached, by view."""

    def __init__(self) -> None:
        self._of: dict[tuple[object, ...], tuple[View, dict[Client, None]]] = {}
        self.clients: dict[Client, None] = {}

    def add(self, client: Client, view: View) -> None:
        self.remove(client)
        client.view = view
        self._of.setdefault(view.key, (view, {}))[1][client] = None
        self.clients[client] = None

    def remove(self, client: Client) -> None:
        if client.view is not None:
            _, members = self._of[client.view.key]
            del members[client]
            if not members:
                del self._of[client.view.key]
        client.view = None
        self.clients.pop(client, None)

    def __iter__(self) -> Iterator[tuple[View, Mapping[Client, None]]]:
        return iter(self._of.values())
