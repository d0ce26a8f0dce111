"""Reads what is replayed: partition by partition, a bounded number of records at a time.

Joins no group and writes nothing. Committed records only.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chandler.core.granularity import HOUR_MS
from chandler.streams.catalogue import topic as catalogued
from chandler.streams.lifetime import close
from chandler.streams.reader import POLL_MS, SILENT_POLLS_MAX, ReadError, connected, partitions
from chandler.streams.replaying.lanes import Lane, Merged, Ready
from chandler.streams.replaying.plan import LAST_OF_KEY, OPEN, Places, Plan, event_time
from chandler.streams.settings import Installation

WAITING_MAX = 2_000  # records of one partition in memory; beyond it is not fetched
BATCH_MAX = 2_000
SKEW_MS = HOUR_MS  # by which an event may be of a later time than its record, at a real venue
EDGE = 64  # offsets at an end of a partition that are looked at for its times


class Kept(NamedTuple):
    """What a topic still holds, by the edges of its partitions."""

    records: int  # offsets; markers of transactions count too
    first_ms: int  # event time from which on every partition is whole; OPEN: it holds nothing
    last_ms: int  # of the newest record; -1: it holds nothing
    cut: bool  # its oldest records are gone: retention


class Source:
    """The topics of an installation as a replay reads them; `opened` makes one."""

    def __init__(
        self,
        installation: Installation,
        reader: AIOKafkaConsumer,
        parts: Mapping[str, Sequence[TopicPartition]],
    ) -> None:
        self._installation = installation
        self.reader = reader
        self.partitions = {topic: len(tps) for topic, tps in parts.items()}
        self._parts = parts
        self._begins: dict[TopicPartition, int] = {}
        self.ends: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        """Takes down where the topics begin and end now: later records don't count."""
        everything = [tp for tps in self._parts.values() for tp in tps]
        self.reader.assign(everything)
        self._begins = await self.reader.beginning_offsets(everything)
        self.ends = await self.reader.end_offsets(everything)
        self.reader.pause(*everything)

    async def kept(self) -> dict[str, Kept]:
        """What each topic holds, by its edges."""
        everything = list(self.ends)
        first = await self._edge({tp: self._begins[tp] for tp in everything})
        near = {tp: max(self._begins[tp], self.ends[tp] - EDGE) for tp in everything}
        last = await self._edge(near)
        found = {}
        for topic, tps in self._parts.items():
            firsts = {tp: min(first[tp], default=OPEN) for tp in tps if self._begins[tp]}
            found[topic] = Kept(
                records=sum(self.ends[tp] - self._begins[tp] for tp in tps),
                first_ms=max(firsts.values(), default=0)
                if firsts
                else min((min(first[tp], default=OPEN) for tp in tps), default=OPEN),
                last_ms=max((max(last[tp], default=-1) for tp in tps), default=-1),
                cut=bool(firsts) and not catalogued(topic).compacted,
            )
        return found

    async def _edge(self, starts: Mapping[TopicPartition, int]) -> dict[TopicPartition, list[int]]:
        """Event times of the records from each start on, EDGE offsets far."""
        ends = {tp: min(self.ends[tp], start + EDGE) for tp, start in starts.items()}
        times: dict[TopicPartition, list[int]] = {tp: [] for tp in starts}
        async for tp, records in self._until(starts, ends):
            found = (event_time(each.value) for each in records)
            times[tp] += [at for at in found if at >= 0]
        return times

    async def _until(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> AsyncIterator[tuple[TopicPartition, list[Any]]]:
        """Every record from the starts up to the ends. ReadError."""
        behind = {tp for tp in starts if starts[tp] < ends[tp]}
        for tp in behind:
            self.reader.seek(tp, starts[tp])
        self.reader.resume(*behind)
        polls = 0
        try:
            while behind:
                batches = await self.fetched(behind)
                for tp, records in batches.items():
                    yield tp, [each for each in records if each.offset < ends[tp]]
                done = {tp for tp in behind if await self.reader.position(tp) >= ends[tp]}
                self.reader.pause(*done)
                behind -= done
                polls = silent(behind, polls, moved=bool(batches or done))
        finally:
            self.reader.pause(*behind)

    async def fetched(self, wanted: Iterable[TopicPartition]) -> dict[TopicPartition, list[Any]]:
        try:
            found: dict[TopicPartition, list[Any]] = await self.reader.getmany(
                *wanted, timeout_ms=POLL_MS, max_records=BATCH_MAX
            )
        except KafkaError as error:
            raise ReadError(f"the topics can't be read on: {error!r}") from error
        return found

    async def last_of_keys(self, plan: Plan) -> tuple[list[Ready], dict[str, dict[bytes, int]]]:
        """The newest record of each key before the period, of topics where it stays in force.

        Beside it the keys that have none there: topic → key → event time of their first record.
        """
        newest: dict[tuple[str, bytes], Ready] = {}
        later: dict[str, dict[bytes, int]] = {}
        for topic in (each for each in LAST_OF_KEY if each in plan.topics):
            every = msgspec.structs.replace(plan, from_ms=0, to_ms=OPEN)
            lanes = {tp: Lane(every, topic, tp.partition) for tp in self._parts[topic]}
            starts = {tp: self._begins[tp] for tp in lanes}
            first = later.setdefault(topic, {})
            async for tp, records in self._until(starts, {tp: self.ends[tp] for tp in lanes}):
                lanes[tp].feed(records)
                while len(lanes[tp]):
                    ready = lanes[tp].pop()
                    key = ready.key or b""
                    if ready.at < plan.from_ms:
                        newest[topic, key] = ready
                    first[key] = min(ready.at, first.get(key, OPEN))
        absent = {
            topic: {key: at for key, at in keys.items() if (topic, key) not in newest}
            for topic, keys in later.items()
        }
        found = sorted(newest.values(), key=lambda each: (each.topic, each.partition, each.offset))
        return found, absent

    async def written_from(self, plan: Plan) -> Places:
        """Places behind what was written before any of the plan's records can have been.

        Only where events are written after their event time: on a real venue, not on a simulated
        one, whose clock may run ahead.
        """
        times = {
            tp: max(0, plan.low_ms(topic) - SKEW_MS)
            for topic in plan.topics
            for tp in self._parts[topic]
        }
        found = await self.reader.offsets_for_times(times)
        places: Places = {}
        for topic in plan.topics:
            places[topic] = {
                tp.partition: found[tp].offset if found[tp] else self.ends[tp]
                for tp in self._parts[topic]
            }
        return places

    async def any_of(self, plan: Plan, topic: str) -> bool:
        """Whether a topic has anything of the plan, beside words on how far it is out."""
        playing = self.playing(plan, topics=[topic], words=False)
        return await playing.fill_any()

    def playing(
        self,
        plan: Plan,
        places: Places | None = None,
        topics: Iterable[str] | None = None,
        *,
        words: bool = True,
    ) -> "Playing":
        """The plan's records from `places` on (from the first ones on)."""
        lanes: dict[TopicPartition, Lane] = {}
        for topic in plan.topics if topics is None else topics:
            for tp in self._parts[topic]:
                start = (places or {}).get(topic, {}).get(tp.partition, 0)
                begin = max(start, self._begins[tp])
                lane = Lane(plan, topic, tp.partition, begin, words=words)
                lane.finished = lane.next_offset >= self.ends[tp]
                lanes[tp] = lane
        for tp, lane in lanes.items():
            self.reader.seek(tp, lane.next_offset)
        return Playing(self, lanes)


class Playing:
    """A reading of all lanes at once. One at a time of a source."""

    def __init__(self, source: Source, lanes: Mapping[TopicPartition, Lane]) -> None:
        self._source = source
        self._lanes = lanes
        self.merged = Merged(list(lanes.values()))
        self._silent = 0  # polls in a row that gave nothing

    async def fill(self, stop: asyncio.Event) -> None:
        """Fetches until each lane has a record or has ended, or `stop`. ReadError."""
        while self.merged.lacking() and not stop.is_set():
            await self._fetch()

    async def fill_any(self) -> bool:
        """Fetches until one lane has a record; whether there is any. ReadError."""
        while self.merged.lacking():
            if any(len(lane) for lane in self.merged.lanes):
                break
            await self._fetch()
        return any(len(lane) for lane in self.merged.lanes)

    async def _fetch(self) -> None:
        source, reader = self._source, self._source.reader
        wanted = {
            tp: lane
            for tp, lane in self._lanes.items()
            if not lane.finished and len(lane) < WAITING_MAX
        }
        reader.resume(*wanted)
        batches = await source.fetched(wanted)
        for tp, records in batches.items():
            wanted[tp].feed(each for each in records if each.offset < source.ends[tp])
        moved = bool(batches)
        for tp, lane in wanted.items():
            if await reader.position(tp) >= source.ends[tp]:
                lane.finished = moved = True
        reader.pause(*wanted)
        stuck = [tp for tp in wanted if not len(wanted[tp])]
        self._silent = silent(stuck, self._silent, moved=moved)

    def places(self) -> Places:
        """Where each partition goes on, behind what was taken."""
        found: Places = {}
        for lane in self.merged.lanes:
            found.setdefault(lane.topic, {})[lane.partition] = lane.next_offset
        return found


def silent(behind: Iterable[TopicPartition], polls: int, *, moved: bool) -> int:
    """Polls in a row that gave nothing. ReadError after too many."""
    polls = 0 if moved else polls + 1
    if polls > SILENT_POLLS_MAX:
        stuck = min(behind)
        raise ReadError(
            f"{stuck.topic}/{stuck.partition} can't be read up to its end: a transaction hangs "
            "open, wait for its timeout and try again"
        )
    return polls


@asynccontextmanager
async def opened(installation: Installation, topics: Sequence[str]) -> AsyncIterator[Source]:
    """The topics of `topics` that are on the cluster, as they are now. ReadError."""
    parts = {name: tps for name, tps in (await partitions(installation, topics)).items() if tps}
    reader = await connected(installation)
    try:
        source = Source(installation, reader, parts)
        if parts:
            await source.start()
        yield source
    except KafkaError as error:
        raise ReadError(f"the topics can't be read on: {error!r}") from error
    finally:
        await close(reader)
