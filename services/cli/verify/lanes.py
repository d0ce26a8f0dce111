"""One partition's topics, read one after the other and as far as they stood at the start.

A process of its own reads them, so nothing else needs its loop: it runs while a batch is awaited.
What is derived was written after what it comes from, so its end is looked up first.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from chandler.replay.audit.verdict import Read
from chandler.streams.lifetime import close
from chandler.streams.reader import (
    BATCH_MAX,
    POLL_MS,
    SILENT_POLLS_MAX,
    ReadError,
    connected,
    partitions,
    record_of,
)
from chandler.streams.settings import Installation


class Lanes:
    """The topics of one partition; `count` is told of records that were read."""

    def __init__(
        self,
        installation: Installation,
        partition: int,
        topics: Sequence[str],
        count: Callable[[int], None] = lambda records: None,
    ) -> None:
        """`topics`: derived ones first. ReadError where Kafka can't be reached."""
        self.installation = installation
        self.count = count
        self.loop = asyncio.new_event_loop()
        self.ranges: dict[str, tuple[Any, int, int]] = {}  # topic → place, begin, end
        self.open: list[Any] = []  # readers
        self.loop.run_until_complete(self._look(partition, topics))

    async def _look(self, partition: int, topics: Sequence[str]) -> None:
        found = await partitions(self.installation, topics)
        reader = await connected(self.installation)
        try:
            for topic in topics:
                places = [tp for tp in found.get(topic, ()) if tp.partition == partition]
                if places:
                    begins = await reader.beginning_offsets(places)
                    ends = await reader.end_offsets(places)
                    self.ranges[topic] = (places[0], begins[places[0]], ends[places[0]])
        finally:
            await close(reader)

    def whole(self, topic: str) -> bool:
        """Whether the topic still has all its records here."""
        return topic not in self.ranges or self.ranges[topic][1] == 0

    @property
    def cut(self) -> list[str]:
        """Topics of which older records are gone here."""
        return [topic for topic in self.ranges if not self.whole(topic)]

    def lane(self, topic: str) -> "Lane":
        return Lane(self, topic)

    def stop(self, reader: Any) -> None:
        """Ends a reader, once."""
        if reader in self.open:
            self.open.remove(reader)
            self.loop.run_until_complete(close(reader))

    def close(self) -> None:
        """Ends all readers, also of lanes that were not read to their end."""
        for reader in [*self.open]:
            self.stop(reader)
        self.loop.close()


class Lane:
    """A topic's records here; each iteration reads them anew."""

    def __init__(self, lanes: Lanes, topic: str) -> None:
        self._lanes = lanes
        self._topic = topic

    def __iter__(self) -> Iterator[Read]:
        """Decoded records in the topic's order; what can't be decoded is passed by."""
        lanes = self._lanes
        if self._topic not in lanes.ranges:
            return
        place, begin, end = lanes.ranges[self._topic]
        if begin >= end:
            return
        run = lanes.loop.run_until_complete
        reader = run(_at(lanes.installation, place, begin))
        lanes.open.append(reader)
        try:
            silent = 0
            while run(reader.position(place)) < end:
                batches = run(reader.getmany(place, timeout_ms=POLL_MS, max_records=BATCH_MAX))
                records = [raw for part in batches.values() for raw in part if raw.offset < end]
                silent = 0 if batches else silent + 1
                if silent > SILENT_POLLS_MAX:
                    raise ReadError(
                        f"{place.topic}/{place.partition} can't be read up to its end: a "
                        "transaction hangs open, wait for its timeout and try again"
                    )
                lanes.count(len(records))
                for raw in records:
                    read = self._read(raw)
                    if read is not None:
                        yield read
        finally:
            lanes.stop(reader)

    def _read(self, raw: Any) -> Read | None:
        record = record_of(self._lanes.installation, raw)
        if record.event is None or record.raw is None:
            return None
        made_from = record.headers.get("in", b"").decode(errors="replace")
        return Read(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            written_ms=record.timestamp_ms,
            event=record.event,
            raw=record.raw,
            made_from=made_from,
        )


async def _at(installation: Installation, place: Any, begin: int) -> Any:
    """A reader that stands at an offset."""
    reader = await connected(installation)
    reader.assign([place])
    reader.seek(place, begin)
    return reader


async def sizes(
    installation: Installation, numbers: Collection[int], topics: Sequence[str]
) -> dict[str, int]:
    """How many offsets each topic has in these partitions."""
    found = await partitions(installation, topics)
    places = [tp for parts in found.values() for tp in parts if tp.partition in numbers]
    reader = await connected(installation)
    try:
        begins = await reader.beginning_offsets(places)
        ends = await reader.end_offsets(places)
    finally:
        await close(reader)
    return {
        topic: sum(ends[tp] - begins[tp] for tp in parts if tp in ends)
        for topic, parts in found.items()
    }
