"""What happens goes in, and out to whoever may hear it. Knows nothing of Kafka or sockets."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from chandler.core.events import CandleSealed, Event, MatrixRow, Ticker
from chandler.core.granularity import Granularity
from chandler.core.trading import events as tr
from chandler.streams.reader import Record
from services.gateway.streaming.frames import framed
from services.gateway.streaming.telling.listening import Client, Frame, Listeners, View
from services.gateway.streaming.telling.opened import Opened
from services.gateway.streaming.telling.ring import Entry, Ring
from services.gateway.streaming.telling.said import Commands, Said, encode, is_mark, message, said
from services.gateway.streaming.telling.said import position_said as marked
from services.gateway.streaming.telling.states import Forming, Notes, Prices

PRICES_S = 0.25  # between two batches of prices, and of forming candles
MATRIX_S = 1.0
MARKS_S = 1.0
PING_S = 20.0
TYPES = {"prices": "price_update_batch", "matrix": "matrix"}  # of states that are whole at first


class Hub:
    """One gateway's life: its stream."""

    def __init__(
        self,
        granularities: Iterable[Granularity],
        now_ms: Callable[[], int],
        ring: Ring | None = None,
    ) -> None:
        self.stream = secrets.token_hex(8)
        self.granularities = tuple(granularities)
        self.ring = ring or Ring()
        self.opened = Opened()
        self.listeners = Listeners()
        self.seq = 1  # of the newest message
        self.ready = asyncio.Event()  # once the newest past is in the ring
        self._now_ms = now_ms
        self.commands = Commands()
        self._prices = Prices()
        self._notes = Notes()
        self._forming = Forming(self.granularities)
        self._marks: dict[str, tr.PositionUpdated] = {}
        self._moved: set[str] = set()  # symbols whose forming candles changed
        self._wholes: dict[tuple[str, frozenset[str]], bytes] = {}  # of all prices, all notes
        self._progress: set[asyncio.Future[None]] = set()

    # What comes in.

    def take(self, record: Record) -> None:
        """A record of a topic of events, the next of its partition; one that was is passed over."""
        lane = f"{record.topic}:{record.partition}"
        if not self.ring.passed(lane, record.offset):
            return
        if record.event is not None:
            self._fold(record.event)
        told = said(record, self.commands)
        if told is not None:
            place = f"{lane}:{record.offset}"
            frame = self._frame(told.type, told.rest, place)
            kept = told._replace(rest=b"")  # the frame has it
            self.ring.add(Entry(frame.seq, kept, lane, record.offset, frame.data))
            self._tell(told, frame)
        for each in self._progress:
            if not each.done():
                each.set_result(None)
        self._progress.clear()

    def know(self, event: Event) -> None:
        """Something of before that only makes up what is now."""
        match event:
            case Ticker():
                if self._prices.take(event):
                    self._forming.take(event)
                    self._moved.add(event.symbol)
            case MatrixRow():
                self._notes.take(event)
            case _:
                self._fold(event)

    def _fold(self, event: Event) -> None:
        match event:
            case tr.PositionOpened() | tr.PositionUpdated() | tr.PositionClosed():
                self.opened.take(event)
                self._marks.pop(event.position.id, None)
                if isinstance(event, tr.PositionUpdated) and is_mark(event):
                    self._marks[event.position.id] = event
            case tr.PumpState():
                self.opened.pump(event)
            case tr.Command():
                self.commands.take(event)
            case CandleSealed():
                self._forming.sealed(event)

    def _tell(self, told: Said, frame: Frame) -> None:
        for view, clients in self.listeners:
            if view.hears(told):
                for client in clients:
                    client.event(frame)

    # What is now, at its own pace.

    async def run(self) -> None:
        """Tells states until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_every(PRICES_S, self.tell_prices))
            group.create_task(_every(MATRIX_S, self.tell_matrix))
            group.create_task(_every(MARKS_S, self.tell_marks))
            group.create_task(_every(PING_S, self.tell_ping))

    def tell_prices(self) -> None:
        """What changed since the last time; all where that has not gone out yet."""
        self._states("prices", self._prices)
        moved, self._moved = self._moved, set()
        hears: dict[tuple[str, Granularity], list[Iterable[Client]]] = {}
        for view, clients in self.listeners:
            for series in view.series(moved, self.granularities):
                hears.setdefault(series, []).append(clients)
        for series, groups in hears.items():
            if rest := self._forming.members(*series):
                frame = self._frame("candle", rest)  # goes out at once: numbers fall for nobody
                for client in chain.from_iterable(groups):
                    client.state(("candle", *series), frame)

    def tell_matrix(self) -> None:
        """As prices."""
        self._states("matrix", self._notes)

    def tell_marks(self) -> None:
        """Of positions that only have another mark."""
        marks, self._marks = self._marks, {}
        for id_, event in marks.items():
            told = marked(event)
            frame = None
            for view, clients in self.listeners:
                if view.hears(told):
                    frame = frame or self._frame(told.type, told.rest)
                    for client in clients:
                        client.state(("position", id_), frame)

    def tell_agents(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """How the agents stand, to each who sees some of them."""
        rows = list(rows)
        for view, clients in self.listeners:
            if "positions" in view.wants.topics:
                seen = [each for each in rows if view.sees(each["agent"])]
                frame = self._frame("agents", encode({"agents": seen})[1:-1])
                for client in clients:
                    client.state("agents", frame)

    def tell_ping(self) -> None:
        """To all, with where the topics are by now."""
        frame = self._frame("ping", encode({"places": self.places()})[1:-1])
        for client in self.listeners.clients:
            client.state("ping", frame)

    def _states(self, topic: str, kept: Prices | Notes) -> None:
        if not kept.changed:
            return
        for old in [each for each in self._wholes if each[0] == topic]:
            del self._wholes[old]
        frames: dict[tuple[frozenset[str], bool], Frame | None] = {}
        for view, clients in self.listeners:
            if topic not in view.wants.topics:
                continue
            symbols = view.wants.symbols
            for client in clients:
                key = symbols, client.waits(topic)
                if key not in frames:
                    late = key[1]
                    rest = self._whole(topic, symbols) if late else kept.members(symbols)
                    frames[key] = self._frame(TYPES[topic], rest) if rest else None
                if frame := frames[key]:
                    client.state(topic, frame)
        kept.changed.clear()

    def _whole(self, topic: str, symbols: frozenset[str]) -> bytes:
        """All that is known, encoded once until something changes."""
        found = self._wholes.get((topic, symbols))
        if found is None:
            kept = self._prices if topic == "prices" else self._notes
            found = self._wholes[topic, symbols] = kept.members(symbols, whole=True)
        return found

    # Who listens.

    def attach(self, client: Client, view: View) -> None:
        """From the next message on; the states come at once, whole."""
        self.listeners.add(client, view)
        for topic, type_ in TYPES.items():
            if topic in view.wants.topics:
                frame = self._frame(type_, self._whole(topic, view.wants.symbols))
                client.state(topic, frame)
        if "candles" in view.wants.topics:
            self._moved |= view.wants.symbols

    def detach(self, client: Client) -> None:
        self.listeners.remove(client)

    def places(self) -> dict[str, int]:
        """The newest offset of each lane that was taken in; -1: it is empty."""
        return {lane: offset - 1 for lane, offset in self.ring.following.items()}

    async def reached(self, places: Mapping[str, int]) -> None:
        """Returns once all that these places name was taken in."""
        following = self.ring.following
        while any(offset >= following.get(lane, 2**63) for lane, offset in places.items()):
            moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._progress.add(moved)
            try:
                await moved
            finally:
                self._progress.discard(moved)

    def own(self, type_: str, rest: bytes) -> Frame:
        """A message for one client."""
        return self._frame(type_, rest)

    def last(self, rest: bytes, sent: int) -> bytes:
        """An error, before all that still waits for the client: it has the number of the last."""
        return framed(message("error", sent, self._now_ms(), rest))

    def old(self, told: Said, place: str) -> bytes:
        """A message of before what the client has heard of this stream: its number is 0."""
        return framed(message(told.type, 0, self._now_ms(), told.rest, place))

    def _frame(self, type_: str, rest: bytes, place: str = "") -> Frame:
        """The next message. What one client hears of a turn is made in the order of its queue."""
        self.seq += 1
        return Frame(self.seq, framed(message(type_, self.seq, self._now_ms(), rest, place)))


async def _every(seconds: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        work()
