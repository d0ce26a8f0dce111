"""One partition of a stage: takes events in order of event time, commits outputs, state, offsets.

A lane owns the transactional producer of its partition; starting it fences every older owner.
"""

import asyncio
import time
from collections import deque
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec
from aiokafka import AIOKafkaProducer

from chandler.core.events import DeadLetter, Event, event_at
from chandler.core.granularity import utc
from chandler.core.stage import HoleError, Output, Stage
from chandler.streams.clients import topic_name
from chandler.streams.codec import UndecodableError, decode, encode
from chandler.streams.exact.restore import OFFSETS_KEY, Offsets, Restored
from chandler.streams.settings import Installation

S = TypeVar("S")

BATCH_MAX = 500  # records in one transaction
FOLD_S_MAX = 0.5  # folding for one transaction ends after the record that takes it past this
FOLD_QUICK_S = 0.1  # after longer folding the other lanes wait for the commit too
RAW_BYTES_MAX = 4_096  # of a dead letter

_encode_state = msgspec.json.Encoder().encode


class Observer(Protocol):
    """Where a lane reports what it does."""

    def committed(self, records: int, outputs: int, seconds: float) -> None: ...

    def dead_letter(self, letter: DeadLetter) -> None: ...

    def restarted(self, cause: str) -> None: ...


class Taken(NamedTuple):
    """A fetched record, decoded; `event` is None where it couldn't be."""

    topic: str  # catalogue name
    partition: int
    offset: int
    timestamp_ms: int
    event: Event | None
    at: int  # event time; of an undecodable record that of the one before it
    fault: str
    raw: bytes


class _Batch(Generic[S]):
    """What one transaction will hold."""

    def __init__(self, started: float) -> None:
        self.started = started  # perf_counter
        self.outputs: list[tuple[Output, Taken]] = []
        self.dirty: dict[str, S] = {}
        self.hole: HoleError | None = None
        self.count = 0  # records


def _retrieved(sent: "asyncio.Future[Any]") -> None:
    """The commit fails with a record that failed; its own exception needs no second report."""
    if not sent.cancelled():
        sent.exception()


class Lane(Generic[S]):
    """The state, buffers and producer of one partition."""

    def __init__(
        self,
        stage: Stage[S],
        installation: Installation,
        partition: int,
        producer: AIOKafkaProducer,
        restored: Restored,
        reach_ms: dict[str, int],
        ahead_max_ms: int,
        observer: Observer,
        folding: asyncio.Lock,
    ) -> None:
        self.partition = partition
        self.producer = producer
        self._stage = stage
        self._installation = installation
        self._reach_ms = reach_ms
        self._ahead_max_ms = ahead_max_ms
        self._observer = observer
        self._folding = folding
        restored = restored.for_stage(stage.fingerprint)
        self._silent_until = restored.offsets.silent_until
        self._raw_states = restored.states
        self._states: dict[str, S] = {}
        self._next = {topic: restored.offsets.next.get(topic, -1) for topic in reach_ms}
        self._first_at = restored.offsets.first_at
        self._last_at = dict(restored.offsets.last_at)
        self._buffers: dict[str, deque[Taken]] = {topic: deque() for topic in reach_ms}
        self.newest_timestamp_ms = 0
        self.turn = asyncio.Lock()  # held during a transaction

    def next_offset(self, topic: str) -> int:
        """The offset to read next; -1 where nothing was ever taken."""
        return self._next[topic]

    def buffered(self, topic: str) -> int:
        return len(self._buffers[topic])

    def feed(self, topic: str, records: list[Any]) -> None:
        """Takes fetched records into the buffer of their topic. NewerSchemaError goes through."""
        buffer = self._buffers[topic]
        last_at = buffer[-1].at if buffer else self._last_at.get(topic, 0)
        for record in records:
            event: Event | None = None
            fault = ""
            try:
                event = decode(topic, record.value)
                last_at = event_at(event)
            except UndecodableError as error:
                fault = str(error)
            buffer.append(
                Taken(
                    topic,
                    record.partition,
                    record.offset,
                    record.timestamp,
                    event,
                    last_at,
                    fault,
                    record.value or b"",
                )
            )

    def clear(self) -> None:
        """Forgets what was fetched and not taken."""
        for buffer in self._buffers.values():
            buffer.clear()

    def blocked(self) -> set[str]:
        """Inputs whose next record runs further ahead of the others than is allowed."""
        return {
            topic for topic, buffer in self._buffers.items() if buffer and not self._may(buffer[0])
        }

    def waits(self) -> dict[str, str]:
        """What is held back, by topic/partition, and why, for people."""
        said = {}
        for topic in self.blocked():
            head = self._buffers[topic][0]
            others = ", ".join(
                f"{other} at {utc(self._seen(other))}" for other in self._buffers if other != topic
            )
            said[f"{topic}/{self.partition}"] = (
                f"offset {head.offset} is of {utc(head.at)} and waits for {others}: see what keeps "
                "them, or who wrote a record of that time"
            )
        return said

    def _seen(self, topic: str) -> int:
        """Event time that an input has come to."""
        heads = self._buffers[topic]
        taken = self._last_at.get(topic, self._first_at)
        return max(taken, heads[0].at) if heads else taken

    def _may(self, taken: Taken) -> bool:
        if self._first_at < 0:
            return True
        for topic, reach in self._reach_ms.items():
            if topic == taken.topic:
                continue
            if taken.at > self._seen(topic) + reach + self._ahead_max_ms:
                return False
        return True

    def _take(self) -> Taken | None:
        """The next record: the earliest event time, the longest granularity first."""
        heads = [
            (buffer[0].at, -self._reach_ms[topic], topic)
            for topic, buffer in self._buffers.items()
            if buffer
        ]
        for _, _, topic in sorted(heads):
            buffer = self._buffers[topic]
            if self._may(buffer[0]):
                return buffer.popleft()
        return None

    async def run_once(self) -> int:
        """One transaction over what may be taken now; how many records it took.

        Any error leaves the lane unusable: close it and restore. HoleError: what came before the
        hole is committed, the record itself is not taken.
        """
        # One lane folds at a time: between two of them the group's heartbeat gets its turn. What
        # took long is committed before the next one folds: a transaction that has to wait for
        # seven others' slow evaluators is older than the broker allows.
        async with self._folding:
            batch = self._fold_batch()
            slow = time.perf_counter() - batch.started > FOLD_QUICK_S
            if slow:
                await self._finish(batch)
        if not slow:
            await self._finish(batch)
        if batch.hole is not None:
            raise batch.hole
        return batch.count

    def _fold_batch(self) -> "_Batch[S]":
        batch: _Batch[S] = _Batch(time.perf_counter())
        while batch.count < BATCH_MAX and time.perf_counter() - batch.started < FOLD_S_MAX:
            taken = self._take()
            if taken is None:
                break
            try:
                self._fold(taken, batch.dirty, batch.outputs)
            except HoleError as error:
                batch.hole = error
                break
            self._passed(taken)
            batch.count += 1
        return batch

    async def _finish(self, batch: "_Batch[S]") -> None:
        if not batch.count:
            return
        await self._commit(batch.dirty, batch.outputs)
        self._states.update(batch.dirty)
        seconds = time.perf_counter() - batch.started
        self._observer.committed(batch.count, len(batch.outputs), seconds)

    def _passed(self, taken: Taken) -> None:
        self._next[taken.topic] = taken.offset + 1
        # A late symbol's old record takes nothing back from the others of its partition.
        self._last_at[taken.topic] = max(taken.at, self._last_at.get(taken.topic, taken.at))
        self.newest_timestamp_ms = max(self.newest_timestamp_ms, taken.timestamp_ms)
        if self._first_at < 0:
            self._first_at = taken.at

    def _fold(self, taken: Taken, dirty: dict[str, S], outputs: list[tuple[Output, Taken]]) -> None:
        if taken.event is None:
            if taken.offset >= self._silent_until.get(taken.topic, 0):
                outputs.append((self._letter(taken), taken))
            return
        key = self._stage.key(taken.event)
        before = dirty[key] if key in dirty else self._state(key)
        after, made = self._stage.step(before, taken.event)
        if after is not before:
            dirty[key] = after
        if taken.offset >= self._silent_until.get(taken.topic, 0):
            outputs.extend((output, taken) for output in made)

    def _state(self, key: str) -> S:
        if key not in self._states:
            raw = self._raw_states.pop(key, None)
            if raw is None:
                return self._stage.start(key)
            self._states[key] = msgspec.json.decode(raw, type=self._stage.state_type)
        return self._states[key]

    def _letter(self, taken: Taken) -> Output:
        letter = DeadLetter(
            source=self._stage.name,
            cause="undecodable",
            detail=taken.fault,
            topic=taken.topic,
            partition=taken.partition,
            offset=taken.offset,
            raw=taken.raw[:RAW_BYTES_MAX].decode("utf-8", "backslashreplace"),
        )
        return Output("dead-letters", self._stage.name, letter)

    async def _commit(self, dirty: dict[str, S], outputs: list[tuple[Output, Taken]]) -> None:
        state_topic = topic_name(self._installation, f"state.{self._stage.name}")
        producer = self.producer
        await producer.begin_transaction()
        for output, taken in outputs:
            if isinstance(output.event, DeadLetter):
                self._observer.dead_letter(output.event)
            source = f"{taken.topic}/{taken.partition}/{taken.offset}".encode()
            await self._send(
                topic_name(self._installation, output.topic),
                encode(output.event),
                output.key,
                None,
                [("in", source)],
            )
        for key, state in dirty.items():
            await self._send(state_topic, _encode_state(state), key, self.partition)
        offsets = Offsets(
            next={topic: offset for topic, offset in self._next.items() if offset >= 0},
            first_at=self._first_at,
            last_at=self._last_at,
            fingerprint=self._stage.fingerprint,
            silent_until=self._silent_until,
        )
        await self._send(state_topic, _encode_state(offsets), OFFSETS_KEY, self.partition)
        await producer.commit_transaction()

    async def _send(
        self,
        topic: str,
        value: bytes,
        key: str,
        partition: int | None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:
        sent = await self.producer.send(
            topic, value, key=key.encode(), partition=partition, headers=headers
        )
        sent.add_done_callback(_retrieved)
