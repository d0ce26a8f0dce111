"""The exact loop: runs a stage on Kafka so that each input counts once, whatever dies when.

Outputs, state and input offsets of a partition go out in one transaction; the offsets inside the
state are the only truth (the group's commit is for the lag display). Starting a partition's
producer fences its older owner. Any error: everything is closed, started anew, read again.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, ProducerFenced

from chandler.core.stage import HoleError, Stage
from chandler.streams.clients import (
    TRANSACTION_TIMEOUT_MS,
    catalogue_name,
    consumer,
    group_name,
    topic_name,
    transactional_producer,
)
from chandler.streams.exact.intake import EventTime, Strategy
from chandler.streams.exact.lane import Beat, Lane, Observer
from chandler.streams.exact.restore import OnRestored, StateError, read_states, tell_restored
from chandler.streams.lifetime import close, start
from chandler.streams.settings import Installation

S = TypeVar("S")

POLL_MS = 200
AHEAD_MAX_MS = 2 * 3_600_000  # event time by which an input may run ahead of the others
RESTART_WAIT_S = 0.5
RESTARTS_MAX = 20  # in a row without a single transaction in between
LAG_EVERY_S = 2.0
SETTLE_S_MAX = 5.0  # that the end of a transaction is waited for
WAITS_S_MAX = 60.0  # wall time that an input may run ahead of the others without a line about it
FENCED = (
    "another worker took over one of its partitions, or a transaction took more than "
    f"{TRANSACTION_TIMEOUT_MS / 1_000:g} s"
)

log = logging.getLogger("chandler.streams.exact")


class HealthSink(Protocol):
    """What the loop reports of itself; see services.declaration.Health."""

    ready: bool
    state: str
    lag: int
    age_s: float


async def run_stage(
    stage: Stage[S],
    *,
    installation: Installation,
    service: str,
    reach_ms: Mapping[str, int] | None = None,
    stop: asyncio.Event,
    health: HealthSink,
    observer: Observer,
    ahead_max_ms: int = AHEAD_MAX_MS,
    intake: Strategy | None = None,
    beat: Beat | None = None,
    restored: OnRestored[S] | None = None,
) -> None:
    """Runs `stage` until `stop` is set.

    `reach_ms` names the inputs (catalogue names) and how far in event time one record of each
    reaches: its granularity's interval, 0 for ticks; they are taken in order of event time.
    Or `intake` says the order and the inputs: `Watermarks({"tickers", "orders"})` takes them by
    at, rank, symbol and id, up to the watermarks that they carry (TickersOut and OrdersOut are
    read here and never folded); `Arrival({"tickers", "orders"})` as they come.
    `beat(partition, clock)` makes the output that tells, in the partition of the same number of
    its topic, that everything up to `clock` was taken: with the outputs in a transaction, and
    alone where only the clock moved; once in 10 ms at most, and never while it stands.
    Raises HoleError, NewerSchemaError, StateError: people have to look.
    """
    assert (reach_ms is None) != (intake is None), "either reach_ms or intake names the inputs"
    strategy = intake or EventTime(dict(reach_ms or {}), ahead_max_ms)
    worker = _Worker(stage, installation, service, strategy, stop, health, observer, beat)
    worker.restored = restored
    await worker.run()


def gravest(group: ExceptionGroup[Exception]) -> Exception:
    """The error to act upon: what people must look at before what a restart repairs."""
    leaves = [
        gravest(error) if isinstance(error, ExceptionGroup) else error for error in group.exceptions
    ]
    return min(leaves, key=lambda error: isinstance(error, (KafkaError, TimeoutError, OSError)))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells the worker about its partitions; nothing is consumed before the worker has sought."""

    def __init__(self, worker: "_Worker[Any]", client: AIOKafkaConsumer) -> None:
        self._worker = worker
        self._client = client

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """No new transaction, and the group waits for those under way: their end fences nobody."""
        self._worker.aligned.clear()
        await self._worker.settled()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._worker.aligned.clear()
        self._worker.assigned = {tp.partition for tp in assigned}
        self._worker.changed.set()
        self._client.pause(*assigned)


class _Worker(Generic[S]):
    """One member of the stage's consumer group."""

    def __init__(
        self,
        stage: Stage[S],
        installation: Installation,
        service: str,
        strategy: Strategy,
        stop: asyncio.Event,
        health: HealthSink,
        observer: Observer,
        beat: Beat | None,
    ) -> None:
        self.stage = stage
        self.installation = installation
        self.service = service
        self.strategy = strategy
        self.topics = strategy.topics
        self.stop = stop
        self.health = health
        self.observer = observer
        self.beat = beat
        self.restored: OnRestored[S] | None = None
        self.assigned: set[int] = set()
        self.aligned: set[int] = set()
        self.changed = asyncio.Event()
        self.lanes: dict[int, Lane[S]] = {}
        self.drives: dict[int, asyncio.Task[None]] = {}
        self.wakes: dict[int, asyncio.Event] = {}
        self.committed = 0  # transactions since the last restart
        self.folding = asyncio.Lock()
        self.waiting: dict[str, float] = {}  # topic/partition → monotonic, since when, or told

    async def run(self) -> None:
        restarts = 0
        last_hole = ""
        while not self.stop.is_set():
            self.committed = 0
            try:
                await self._session()
            except ExceptionGroup as group:
                error = gravest(group)
            except (KafkaError, TimeoutError, OSError) as caught:
                error = caught
            else:
                continue
            if isinstance(error, HoleError) and str(error) != last_hole:
                last_hole = str(error)
                log.warning("%s: %s; reading again from the state's offsets", self.service, error)
            elif isinstance(error, (KafkaError, TimeoutError, OSError)) and (
                restarts < RESTARTS_MAX
            ):
                restarts = 1 if self.committed else restarts + 1
                said = FENCED if isinstance(error, ProducerFenced) else repr(error)
                log.warning("%s: %s; starting anew from the committed state", self.service, said)
            else:
                raise error from None
            self.observer.restarted(repr(error))
            await self._pause_before_restart()

    async def _pause_before_restart(self) -> None:
        self.health.state = "reconnecting"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), RESTART_WAIT_S)

    async def _session(self) -> None:
        """One membership in the group, from joining to the first error or the stop."""
        client = consumer(
            self.installation,
            group_name(self.installation, self.service),
            partition_assignment_strategy=[RangePartitionAssignor],
            fetch_max_wait_ms=250,
        )
        names = [topic_name(self.installation, topic) for topic in self.topics]
        client.subscribe(names, listener=_Listener(self, client))
        self.assigned.clear()
        self.aligned.clear()
        self.changed.clear()
        try:
            await start(client)
            async with asyncio.TaskGroup() as tasks:
                await self._consume(client, tasks)
                await self._drain()
        finally:
            self.health.ready = False
            await self._close_lanes(set(self.lanes))
            await close(client)

    async def _consume(self, client: AIOKafkaConsumer, tasks: asyncio.TaskGroup) -> None:
        shown = 0.0
        while not self.stop.is_set():
            if self.changed.is_set():
                await self._realign(client, tasks)
            batches = await client.getmany(timeout_ms=POLL_MS)
            for tp, records in batches.items():
                if tp.partition in self.aligned:
                    topic = catalogue_name(self.installation, tp.topic)
                    self.lanes[tp.partition].feed(topic, records)
                    self.wakes[tp.partition].set()
            self._regulate(client)
            if time.monotonic() - shown > LAG_EVERY_S:
                shown = time.monotonic()
                await self._show(client)

    async def _realign(self, client: AIOKafkaConsumer, tasks: asyncio.TaskGroup) -> None:
        """Brings lanes in line with the assignment and every input to its state's offset."""
        self.changed.clear()
        wanted = set(self.assigned)
        await self._close_lanes(set(self.lanes) - wanted)
        await self._open_lanes(sorted(wanted - set(self.lanes)), tasks)
        inputs = [
            TopicPartition(topic_name(self.installation, topic), partition)
            for topic in self.topics
            for partition in wanted
        ]
        begins = await client.beginning_offsets(inputs)
        ends = await client.end_offsets(inputs)
        if self.changed.is_set():
            return
        try:
            for tp in inputs:
                lane = self.lanes[tp.partition]
                topic = catalogue_name(self.installation, tp.topic)
                client.seek(tp, self._start_offset(lane, topic, begins[tp], ends[tp]))
        except IllegalStateError:
            return  # the group moved on while we restored: on_partitions_assigned follows
        for partition in wanted:
            self.lanes[partition].clear()
        self.aligned = wanted
        client.resume(*inputs)
        self.health.ready = True
        self.health.state = "running" if wanted else "standby"

    def _start_offset(self, lane: Lane[S], topic: str, begin: int, end: int) -> int:
        offset = lane.next_offset(topic)
        if offset < 0:
            return begin
        if not begin <= offset <= end:
            raise StateError(
                f"state.{self.stage.name}/{lane.partition} stands at offset {offset} of {topic}, "
                f"which holds {begin} to {end}: the topic was cut or made anew, "
                "recreate the state topic too"
            )
        return offset

    async def _open_lanes(self, partitions: list[int], tasks: asyncio.TaskGroup) -> None:
        if not partitions:
            return
        # Starting the producers comes first: it ends what an older owner had under way.
        producers = [
            transactional_producer(self.installation, f"{self.service}-{partition}")
            for partition in partitions
        ]
        try:
            await asyncio.gather(*(start(producer) for producer in producers))
            state_topic = topic_name(self.installation, f"state.{self.stage.name}")
            restored = await read_states(self.installation, state_topic, partitions)
        except BaseException:
            await asyncio.gather(*(close(producer) for producer in producers))
            raise
        if self.restored is not None:
            usable = [each.for_stage(self.stage.fingerprint) for each in restored.values()]
            tell_restored(usable, self.stage.state_type, self.restored)
            self.restored = None
        for partition, producer in zip(partitions, producers, strict=True):
            lane = Lane(
                self.stage,
                self.installation,
                partition,
                producer,
                restored[partition],
                self.strategy,
                self.observer,
                self.folding,
                self.beat,
            )
            self.lanes[partition] = lane
            self.wakes[partition] = asyncio.Event()
            self.drives[partition] = tasks.create_task(self._drive(lane))

    async def _drive(self, lane: Lane[S]) -> None:
        wake = self.wakes[lane.partition]
        while True:
            with contextlib.suppress(TimeoutError):
                waits = lane.beat_in() if lane.partition in self.aligned else None
                await asyncio.wait_for(wake.wait(), waits)
            wake.clear()
            while lane.partition in self.aligned:
                async with lane.turn:
                    if not await lane.run_once():
                        break
                self.committed += 1

    async def _drain(self) -> None:
        """Lets running transactions end, then ends the lanes' tasks."""
        self.aligned.clear()
        self.health.state = "stopping"
        for partition in list(self.drives):
            await self._close_lane(partition)

    async def _close_lanes(self, partitions: set[int]) -> None:
        for partition in partitions:
            await self._close_lane(partition)

    async def _close_lane(self, partition: int) -> None:
        drive = self.drives.pop(partition, None)
        if drive is not None and not drive.done():
            await self._idle(partition, drive)
            drive.cancel()
        lane = self.lanes.pop(partition, None)
        self.wakes.pop(partition, None)
        if lane is not None:
            await close(lane.producer)

    async def _idle(self, partition: int, drive: asyncio.Task[None]) -> None:
        """Waits, with a bound, until the lane is between two transactions."""
        lane = self.lanes[partition]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S_MAX):
                async with lane.turn:
                    drive.cancel()

    async def settled(self) -> None:
        """Waits, with a bound, until no transaction is under way."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S_MAX):
                for lane in list(self.lanes.values()):
                    async with lane.turn:
                        pass

    def _regulate(self, client: AIOKafkaConsumer) -> None:
        """Pauses inputs that run ahead in event time or fill the memory; lets the others go on."""
        paused = client.paused()
        for partition in self.aligned:
            lane = self.lanes[partition]
            for topic in self.topics:
                tp = TopicPartition(topic_name(self.installation, topic), partition)
                full = lane.full(topic)
                if full and tp not in paused:
                    client.pause(tp)
                elif not full and tp in paused:
                    client.resume(tp)

    def _tell_waiting(self) -> None:
        """A line for each input that is held back for long: it may never be caught up with."""
        now = time.monotonic()
        found: dict[str, str] = {}
        for partition in self.aligned:
            found.update(self.lanes[partition].waits())
        self.waiting = {place: self.waiting.get(place, now) for place in found}
        for place, said in found.items():
            if now - self.waiting[place] > WAITS_S_MAX:
                self.waiting[place] = now
                log.warning("%s: %s %s", self.service, place, said)

    async def _show(self, client: AIOKafkaConsumer) -> None:
        lag = 0
        newest = 0
        commits: dict[TopicPartition, int] = {}
        for partition in self.aligned:
            lane = self.lanes[partition]
            newest = max(newest, lane.newest_timestamp_ms)
            for topic in self.topics:
                tp = TopicPartition(topic_name(self.installation, topic), partition)
                end = client.last_stable_offset(tp)
                position = await client.position(tp)
                lag += max(0, (end or 0) - position) + lane.buffered(topic)
                if lane.next_offset(topic) >= 0:
                    commits[tp] = lane.next_offset(topic)
        self._tell_waiting()
        self.health.lag = lag
        self.health.age_s = max(0.0, time.time() - newest / 1000) if newest else 0.0
        if commits:
            with contextlib.suppress(KafkaError):
                await client.commit(commits)
