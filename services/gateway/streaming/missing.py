"""What a client has missed: from the ring, or where that is too young from the topics."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from chandler.core.granularity import DAY_MS
from chandler.streams.reading.spans import between, span
from chandler.streams.settings import Installation
from services.following.sources import is_outage
from services.gateway.streaming.asked import Last
from services.gateway.streaming.ended import End, EndedError
from services.gateway.streaming.feeding import TOPICS_OF
from services.gateway.streaming.telling.hub import Hub
from services.gateway.streaming.telling.listening import View
from services.gateway.streaming.telling.said import said

READ_MAX = 200_000  # offsets that are read for one client
BYTES_MAX = 32 * 1024 * 1024  # of what is told to it
READING_MAX = 2  # clients for which topics are read, and which are sent that, at once
PLACE_S_MAX = 40.0  # that others wait for a place among them
READ_S_MAX = 20.0
REACH_S = 5.0  # that the topics may take to come to where a client is

TOO_OLD = "what was before the last 24 hours can't be told: look it up by REST"
TOO_MUCH = "too much has happened meanwhile: look it up by REST"
ELSEWHERE = "what this client knows is not of these topics: look everything up by REST"
UNSAID = "it didn't say of all topics where it was (places): look everything up by REST"
AWAY = "the topics can't be read now: look it up by REST"


class Missed(NamedTuple):
    """All of it but what the stream says after `seq`."""

    frames: list[bytes]
    seq: int  # where the stream goes on after it
    way: str = ""  # "ring", "topics"
    lost: str = ""  # why some of it can't be had


class Missing:
    """Looks it up for one gateway's clients."""

    def __init__(self, installation: Installation, hub: Hub) -> None:
        self._installation = installation
        self._hub = hub
        self._reading = asyncio.Semaphore(READING_MAX)

    @asynccontextmanager
    async def of(self, last: Last | None, view: View) -> AsyncIterator[Missed]:
        """What a client that knows so much has not heard; it is held while the block runs.

        EndedError where too many ask at once.
        """
        hub = self._hub
        if last is None:
            yield Missed([], hub.seq)
            return
        if last.stream == hub.stream and last.seq <= hub.seq and hub.ring.reaches(last.seq):
            yield Missed([], last.seq, "ring")
            return
        lanes = {lane for lane in hub.ring.following if _topic(lane) in view.wants.topics}
        places = {lane: offset for lane, offset in last.places.items() if lane in lanes}
        if any(hub.ring.following[lane] for lane in lanes - places.keys()):
            yield Missed([], hub.seq, lost=UNSAID)
        elif not await self._reached(places):
            yield Missed([], hub.seq, lost=ELSEWHERE)
        elif hub.ring.covers(places):
            yield Missed(hub.ring.behind(places, view.hears), hub.seq, "ring" if places else "")
        else:
            try:
                async with asyncio.timeout(PLACE_S_MAX):
                    await self._reading.acquire()
            except TimeoutError:
                raise EndedError(End.LATER, "many come back at once: reconnect soon") from None
            try:
                yield await self._of_topics(places, view)
            finally:
                self._reading.release()

    async def _reached(self, places: Mapping[str, int]) -> bool:
        try:
            async with asyncio.timeout(REACH_S):
                await self._hub.reached(places)
        except TimeoutError:
            return False
        return True

    async def _of_topics(self, places: Mapping[str, int], view: View) -> Missed:
        """Up to where the hub is now, its number taken at the same moment."""
        ends, until = dict(self._hub.ring.following), self._hub.seq
        begins = {lane: offset + 1 for lane, offset in places.items()}
        names = sorted({lane.rpartition(":")[0] for lane in begins})
        try:
            async with asyncio.timeout(READ_S_MAX):
                youngest = await span(self._installation, names, _now_ms() - DAY_MS)
                old = any(begins[lane] < youngest.begins[lane] for lane in begins)
                begins = {lane: max(each, youngest.begins[lane]) for lane, each in begins.items()}
                if sum(max(0, ends[lane] - each) for lane, each in begins.items()) > READ_MAX:
                    return Missed([], until, lost=TOO_MUCH)
                frames = await self._read(begins, ends, view)
        except TimeoutError:
            return Missed([], until, lost=TOO_MUCH)
        except Exception as error:
            if not is_outage(error):
                raise
            return Missed([], until, lost=AWAY)
        if frames is None:
            return Missed([], until, lost=TOO_MUCH)
        return Missed(frames, until, "topics", TOO_OLD if old else "")

    async def _read(
        self, begins: Mapping[str, int], ends: Mapping[str, int], view: View
    ) -> list[bytes] | None:
        """In order of time, each lane in its own. None: more than BYTES_MAX."""
        newest: dict[str, int] = {}
        size = 0
        frames: list[tuple[int, bytes]] = []
        async for record in between(self._installation, begins, ends):
            lane = f"{record.topic}:{record.partition}"
            newest[lane] = max(newest.get(lane, 0), record.timestamp_ms)
            told = said(record, self._hub.commands)
            if told is not None and view.hears(told):
                frame = self._hub.old(told, f"{lane}:{record.offset}")
                frames.append((newest[lane], frame))
                size += len(frame)
                if size > BYTES_MAX:
                    return None
        return [frame for _, frame in sorted(frames, key=lambda each: each[0])]


def _topic(lane: str) -> str:
    name = lane.rpartition(":")[0]
    return TOPICS_OF.get(name, name)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
