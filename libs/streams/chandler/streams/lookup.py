"""Finds single records in long topics by offset: a bisection, then a short scan around the place.

For topics whose records of a partition come (almost) in order of a number that they carry.
"""

from collections.abc import AsyncIterator, Callable
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from chandler.core.events import Event
from chandler.streams.clients import topic_name
from chandler.streams.lifetime import close
from chandler.streams.reader import Record, connected, record_of
from chandler.streams.settings import Installation

NEAR = 500  # offsets on either side of the place that are scanned first
WIDER = 20  # times as many are scanned next, then all
POLL_MS = 2_000
WAIT_MS = 20  # how long Kafka keeps a fetch at a topic's end; the next question waits for it

Number = Callable[[Event], int | None]  # what the records are ordered by; None: not of interest
Wanted = Callable[[Record], bool]


class Lookup:
    """`async with Lookup(installation) as lookup`; one reader for any number of questions."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._reader: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        self._reader = await connected(self._installation, WAIT_MS)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reader is not None
        await close(self._reader)

    async def at(self, topic: str, partition: int, offset: int) -> Record | None:
        """The record at exactly `offset`."""
        found = await self._first(self._place(topic, partition), offset)
        return found if found is not None and found.offset == offset else None

    async def begin(self, topic: str, partition: int) -> int:
        """The first offset that is still there."""
        reader = self._reader
        assert reader is not None
        place = self._place(topic, partition)
        first: int = (await reader.beginning_offsets([place]))[place]
        return first

    async def partition_of(self, topic: str, key: str) -> int:
        """Where a key's records are."""
        reader = self._reader
        assert reader is not None
        name = topic_name(self._installation, topic)
        await reader._client.add_topic(name)
        everything = sorted(reader.partitions_for_topic(name) or {0})
        partition: int = DefaultPartitioner()(key.encode(), everything, everything)
        return partition

    async def find(
        self, topic: str, partition: int, number: Number, value: int, wanted: Wanted
    ) -> Record | None:
        """The first record that is `wanted` near where `number` comes to `value`; else anywhere."""
        reader = self._reader
        assert reader is not None
        place = self._place(topic, partition)
        reader.assign([place])
        begin = (await reader.beginning_offsets([place]))[place]
        end = (await reader.end_offsets([place]))[place]
        low, high = begin, end
        while high - low > NEAR:
            middle = (low + high) // 2
            record = await self._numbered(place, middle, high, number)
            if record is None or (number(record.event) or 0) >= value:  # type: ignore[arg-type]
                high = middle
            else:
                low = record.offset
        scanned: tuple[int, int] | None = None
        for reach in (NEAR, NEAR * WIDER, end - begin):
            around = (max(begin, low - reach), min(end, high + reach))
            if around == scanned:
                continue
            found = await self._scan(place, *around, wanted)
            if found is not None:
                return found
            scanned = around
        return None

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(topic_name(self._installation, topic), partition)

    async def _numbered(
        self, place: TopicPartition, start: int, end: int, number: Number
    ) -> Record | None:
        """The first record from `start` on that has a number."""
        async for record in self._from(place, start, end):
            if record.event is not None and number(record.event) is not None:
                return record
        return None

    async def _first(self, place: TopicPartition, offset: int) -> Record | None:
        reader = self._reader
        assert reader is not None
        reader.assign([place])
        end = (await reader.end_offsets([place]))[place]
        async for record in self._from(place, offset, end):
            return record
        return None

    async def _scan(
        self, place: TopicPartition, start: int, end: int, wanted: Wanted
    ) -> Record | None:
        async for record in self._from(place, start, end):
            if wanted(record):
                return record
        return None

    async def _from(self, place: TopicPartition, start: int, end: int) -> AsyncIterator[Record]:
        reader = self._reader
        assert reader is not None
        reader.seek(place, start)
        while await reader.position(place) < end:
            batches = await reader.getmany(place, timeout_ms=POLL_MS, max_records=NEAR)
            for raw in batches.get(place, []):
                if raw.offset >= end:
                    return
                yield record_of(self._installation, raw)
