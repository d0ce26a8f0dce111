"""One partition of a stage: takes events in its intake's order, commits outputs, state, offsets.

A lane owns the transactional producer of its partition; starting it fences every older owner.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from aiokafka import AIOKafkaProducer

from chandler.core.events import DeadLetter
from chandler.core.stage import HoleError, Output, Stage
from chandler.streams.clients import topic_name
from chandler.streams.codec import encode
from chandler.streams.exact.fetched import BEGAN, Taken, decoded, letter
from chandler.streams.exact.intake import Strategy
from chandler.streams.exact.restore import OFFSETS_KEY, Offsets, Restored
from chandler.streams.settings import Installation

S = TypeVar("S")

BATCH_MAX = 500  # records in one transaction
FOLD_S_MAX = 0.5  # folding for one transaction ends after the record that takes it past this
FOLD_QUICK_S = 0.1  # after longer folding the other lanes wait for the commit too
BEAT_S = 0.01  # of wall time, at least, between two tellings of a clock that moves

Beat = Callable[[int, int], Output]  # (partition, clock) → what tells it there

_encode_state = msgspec.json.Encoder().encode


class Observer(Protocol):
    """Where a lane reports what it does."""

    def committed(self, records: int, outputs: int, seconds: float) -> None: ...

    def published(self, outputs: Sequence[tuple[Output, Taken]]) -> None: ...

    def dead_letter(self, letter: DeadLetter) -> None: ...

    def restarted(self, cause: str) -> None: ...


class _Batch(Generic[S]):
    """What one transaction will hold."""

    def __init__(self, started: float) -> None:
        self.started = started  # perf_counter
        self.outputs: list[tuple[Output, Taken]] = []
        self.dirty: dict[str, S] = {}
        self.hole: HoleError | None = None
        self.count = 0  # records
        self.beat: int | None = None  # the clock that is to be told


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
        strategy: Strategy,
        observer: Observer,
        folding: asyncio.Lock,
        beat: Beat | None = None,
    ) -> None:
        self.partition = partition
        self.producer = producer
        self._stage = stage
        self._installation = installation
        self._observer = observer
        self._folding = folding
        restored = restored.for_stage(stage.fingerprint)
        self._silent_until = restored.offsets.silent_until
        self._raw_states = restored.states
        self._states: dict[str, S] = {}
        self._intake = strategy.lane(partition, restored.offsets)
        self._idle_s_max = strategy.idle_s_max
        self._committed_at = -self._idle_s_max  # perf_counter
        self._beat = beat
        self._told = -1  # the clock that was told last
        self._beat_at = 0.0  # perf_counter: not before it is told again
        self.newest_timestamp_ms = 0
        self.turn = asyncio.Lock()  # held during a transaction

    def next_offset(self, topic: str) -> int:
        """The offset to read next; -1 where nothing was ever taken."""
        return self._intake.next_offset(topic)

    def buffered(self, topic: str) -> int:
        return self._intake.buffered(topic)

    def feed(self, topic: str, records: list[Any]) -> None:
        """Takes fetched records in. NewerSchemaError goes through."""
        for record in records:
            self._intake.feed(decoded(topic, record))

    def clear(self) -> None:
        """Forgets what was fetched and not taken."""
        self._intake.clear()

    def full(self, topic: str) -> bool:
        """Whether an input is to be paused: it runs ahead, or fills the memory."""
        return self._intake.full(topic)

    def waits(self) -> dict[str, str]:
        """What is held back, by topic/partition, and why, for people."""
        return {f"{topic}/{self.partition}": said for topic, said in self._intake.waits().items()}

    def beat_in(self) -> float | None:
        """Seconds until the clock has to be told; None if it has not moved."""
        if self._beat is None or self._intake.clock() <= self._told:
            return None
        return max(0.0, self._beat_at - time.perf_counter())

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
        return batch.count + (batch.beat is not None)

    def _fold_batch(self) -> "_Batch[S]":
        batch: _Batch[S] = _Batch(time.perf_counter())
        while batch.count < BATCH_MAX and time.perf_counter() - batch.started < FOLD_S_MAX:
            taken = self._intake.take()
            if taken is None:
                break
            try:
                self._fold(taken, batch.dirty, batch.outputs)
            except HoleError as error:
                batch.hole = error
                self._intake.step_back()
                break
            self._passed(taken)
            batch.count += 1
        if self.beat_in() == 0.0:
            batch.beat = self._intake.clock()
        return batch

    async def _finish(self, batch: "_Batch[S]") -> None:
        if not batch.count and batch.beat is None:
            return
        changes = batch.outputs or batch.dirty or batch.beat is not None
        if changes or batch.started - self._committed_at >= self._idle_s_max:
            await self._commit(batch)
            self._committed_at = batch.started
        self._states.update(batch.dirty)
        seconds = time.perf_counter() - batch.started
        self._observer.committed(batch.count, len(batch.outputs), seconds)
        self._observer.published(batch.outputs)

    def _passed(self, taken: Taken) -> None:
        self._intake.passed(taken)
        self.newest_timestamp_ms = max(self.newest_timestamp_ms, taken.timestamp_ms)

    def _fold(self, taken: Taken, dirty: dict[str, S], outputs: list[tuple[Output, Taken]]) -> None:
        if taken.event is None:
            if taken.offset >= self._silent_until.get(taken.topic, 0):
                told = Output("dead-letters", self._stage.name, letter(taken, self._stage.name))
                outputs.append((told, taken))
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

    async def _commit(self, batch: "_Batch[S]") -> None:
        state_topic = topic_name(self._installation, f"state.{self._stage.name}")
        producer = self.producer
        await producer.begin_transaction()
        for output, taken in batch.outputs:
            if isinstance(output.event, DeadLetter):
                self._observer.dead_letter(output.event)
            source = f"{taken.topic}/{taken.partition}/{taken.offset}".encode()
            await self._send(
                topic_name(self._installation, output.topic),
                encode(output.event),
                output.key,
                None,
                [("in", source), (BEGAN, str(taken.began_ms).encode())],
            )
        for key, state in batch.dirty.items():
            await self._send(state_topic, _encode_state(state), key, self.partition)
        if batch.beat is not None and self._beat is not None:
            told = self._beat(self.partition, batch.beat)
            name = topic_name(self._installation, told.topic)
            await self._send(name, encode(told.event), told.key, self.partition)
            self._told, self._beat_at = batch.beat, time.perf_counter() + BEAT_S
        offsets = self._intake.offsets(
            Offsets(next={}, fingerprint=self._stage.fingerprint, silent_until=self._silent_until)
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
