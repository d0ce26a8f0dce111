"""Fetches what the cache lacks of partitions, up to where they end now. Committed records only.

Reading goes on at the last record that is cached: if another one stands there, the topic was made
anew, and what is cached of it is dropped.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chandler.streams.clients import topic_name
from chandler.streams.columns.cache import PART_ROWS_MAX, PartitionCache
from chandler.streams.columns.decoding import Decoding, Rows
from chandler.streams.columns.parts import START, Name, Part, fingerprint, part
from chandler.streams.lifetime import close
from chandler.streams.reader import BATCH_MAX, POLL_MS, SILENT_POLLS_MAX, ReadError, connected
from chandler.streams.settings import Installation

Progress = Callable[[int, int], None]  # offsets read so far, and of how many


class Lane:
    """One partition: its cached parts, and what is read after them."""

    def __init__(self, decoding: Decoding, number: int, cache: PartitionCache) -> None:
        self.decoding = decoding
        self.place = (decoding.topic, number)
        self.cache = cache
        self.parts = cache.load()
        self.cached_rows = sum(rows for each in self.parts for _, rows in each.head.groups)
        self.warnings: list[str] = []
        self._start = 0  # where a reading from the first record on begins
        self._expected = ""  # the fingerprint that the next record has to have
        self._chunks: list[Rows] = []
        self._rows = 0
        self._newest_ms = 0
        self._last: Any = None  # the newest record that no part holds yet

    @property
    def end(self) -> int:
        """Behind the last record of the parts; 0 without any."""
        return self.parts[-1].name.end if self.parts else 0

    def begin(self, first: int, end: int) -> int:
        """The offset to read from, of a partition that holds offsets from `first` to `end`."""
        self._start = first
        if not self.parts:
            return first
        if first < self.end <= end:
            self._expected = self.parts[-1].name.last
            return self.end - 1
        reason = "has lost all records that were" if self.end <= end else "is another one than was"
        return self.forget(reason)

    def forget(self, reason: str) -> int:
        """Drops what is cached; the offset to read from."""
        topic, number = self.place
        self.warnings.append(f"{topic}/{number} {reason} cached: it is read from its first record")
        self.cache.drop(each.name for each in self.parts)
        self.parts, self.cached_rows, self._expected = [], 0, ""
        return self._start

    @property
    def unsure(self) -> bool:
        """Whether the topic's own record at the end of the cache hasn't been seen yet."""
        return bool(self._expected)

    def take(self, records: Sequence[Any]) -> bool:
        """Takes records in the order of their offsets; False: the cache is of another topic."""
        if self._expected and records:
            known = fingerprint(records[0])
            if records[0].offset != self.end - 1 or known != self._expected:
                return False
            self._expected = ""
            records = records[1:]
        if records:
            rows = self.decoding.rows([each.value for each in records])
            rows.columns["offset"] = np.array([each.offset for each in records], np.int64)
            self._chunks.append(rows)
            self._rows += len(records)
            self._newest_ms = max(self._newest_ms, *(each.timestamp for each in records))
            self._last = records[-1]
            if self._rows >= PART_ROWS_MAX:
                self.keep()
        return True

    def keep(self) -> None:
        """Makes a part of what was read since the last one, and caches it."""
        if self._last is None:
            return
        begin, previous = self._start, START
        if self.parts:
            begin, previous = self.end, self.parts[-1].name.last
        name = Name(begin, self._last.offset + 1, previous, fingerprint(self._last))
        made: Part = part(name, self._chunks, self._newest_ms)
        self.cache.write(made)
        self.parts.append(made)
        self._chunks, self._rows, self._newest_ms, self._last = [], 0, 0, None


async def fetch(
    installation: Installation, lanes: Sequence[Lane], progress: Progress | None
) -> None:
    """Brings every lane up to the end that its partition has now. ReadError; NewerSchemaError.

    What came before an error, or before it was cancelled, is kept.
    """
    if not lanes:
        return
    reader = await connected(installation)
    try:
        await _fetch(installation, reader, lanes, progress)
    except KafkaError as error:
        raise ReadError(f"topics can't be read to the end: {error!r}") from error
    finally:
        for lane in lanes:
            lane.keep()
        await close(reader)


async def _fetch(
    installation: Installation,
    reader: AIOKafkaConsumer,
    lanes: Sequence[Lane],
    progress: Progress | None,
) -> None:
    at = {
        TopicPartition(topic_name(installation, lane.place[0]), lane.place[1]): lane
        for lane in lanes
    }
    reader.assign(list(at))
    firsts = await reader.beginning_offsets(list(at))
    ends = await reader.end_offsets(list(at))
    begins = {tp: lane.begin(firsts[tp], ends[tp]) for tp, lane in at.items()}
    for tp, offset in begins.items():
        reader.seek(tp, offset)
    behind = {tp for tp in at if begins[tp] < ends[tp]}
    reader.pause(*(tp for tp in at if tp not in behind))
    total, done, silent = sum(ends[tp] - begins[tp] for tp in behind), 0, 0
    while behind:
        batches = await reader.getmany(*behind, timeout_ms=POLL_MS, max_records=BATCH_MAX)
        for tp, records in batches.items():
            lane = at[tp]
            if not lane.take([each for each in records if each.offset < ends[tp]]):
                begins[tp] = lane.forget("is another one than was")
                reader.seek(tp, begins[tp])
        places = {tp: min(await reader.position(tp), ends[tp]) for tp in behind}
        finished = {tp for tp in behind if places[tp] >= ends[tp]}
        for tp in [tp for tp in finished if at[tp].unsure]:
            begins[tp] = at[tp].forget("is another one than was")
            reader.seek(tp, begins[tp])
            finished.discard(tp)
        reader.pause(*finished)
        behind -= finished
        if progress is not None and batches:
            done += sum(map(len, batches.values()))
            progress(min(done, total), total)
        silent = 0 if batches or finished else silent + 1
        if silent > SILENT_POLLS_MAX:
            stuck = min(behind)
            raise ReadError(
                f"{stuck.topic}/{stuck.partition} can't be read up to its end: a transaction "
                "hangs open, wait for its timeout and try again"
            )
    if progress is not None:
        progress(total, total)
