"""The loop of one desk shard: takes inputs in their order, journals what came of them, once.

A paper shard takes them in the order of things, up to the watermarks; a live one as they arrive,
the venue's among them. Journal, outputs, states and offsets are one transaction; no call to the
outside is made within one. Whoever starts a shard's producer fences its older owner, which ends.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Sequence
from typing import Generic, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from chandler.streams.clients import catalogue_name, consumer, topic_name, transactional_producer
from chandler.streams.exact.journal import DeskRestored, Fold, Journal, restored
from chandler.streams.exact.loop import (
    FENCED,
    LAG_EVERY_S,
    POLL_MS,
    RESTART_WAIT_S,
    RESTARTS_MAX,
    HealthSink,
    gravest,
)
from chandler.streams.exact.restore import OnRestored, StateError
from chandler.streams.exact.taker import INPUTS, DeskObserver, Effects, Shard, Taker
from chandler.streams.lifetime import close, start
from chandler.streams.reader import ReadError
from chandler.streams.reader import partitions as partitions_of
from chandler.streams.settings import Installation

S = TypeVar("S")

BUFFER_MAX = 4_000  # records of one input partition that wait in memory
FIRST_MS = 600_000  # a shard that never ran begins with what was published in this wall time
FIRST_DAY_MS = 86_400_000  # and with the funding rates of this one
# Small topics that nobody waits for later: a shard that was away reads what is new in them first.
KNOWN_FIRST = ("instruments", "funding")
OWNER_WAIT_S = 1.0  # that a successor has to say who it is, before we take a shard back

log = logging.getLogger("chandler.streams.exact")


class FencedError(Exception):
    """Another process runs this shard: one line. This one has to end."""


async def run_desk(
    fold: Fold[S],
    shard: Shard,
    *,
    installation: Installation,
    stop: asyncio.Event,
    health: HealthSink,
    observer: DeskObserver[S],
    effects: Effects[S] | None = None,
    closing: asyncio.Event | None = None,
    restored: OnRestored[S] | None = None,
) -> None:
    """Runs one shard until `stop` is set. `effects`: the venue of a live shard.

    `closing`: from then on nothing is decided; only what the venue says of orders under way is
    taken in, until `stop`.

    Raises FencedError where another process took the shard over; StateError, NewerSchemaError,
    and what the fold raises: people have to look.
    """
    desk = _Desk(fold, shard, installation, stop, health, observer, effects)
    desk.closing = closing or stop
    desk.restored = restored
    await desk.run()


class _Desk(Generic[S]):
    """One shard, over its restarts."""

    def __init__(
        self,
        fold: Fold[S],
        shard: Shard,
        installation: Installation,
        stop: asyncio.Event,
        health: HealthSink,
        observer: DeskObserver[S],
        effects: Effects[S] | None,
    ) -> None:
        self.fold = fold
        self.shard = shard
        self.installation = installation
        self.stop = stop
        self.health = health
        self.observer = observer
        self.effects = effects
        self.name = f"executor shard {shard.number}"
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.wake = effects.inbox.wake if effects is not None else asyncio.Event()
        self.commits = 0  # since the last restart
        self.closing = stop
        self.restored: OnRestored[S] | None = None

    async def run(self) -> None:
        restarts = 0
        while not self.stop.is_set():
            self.commits = 0
            try:
                await self._session()
            except ExceptionGroup as group:
                error = gravest(group)
            except (KafkaError, TimeoutError, OSError, ReadError) as caught:
                error = caught
            else:
                continue
            kafka = isinstance(error, (KafkaError, TimeoutError, OSError, ReadError))
            if not kafka or restarts >= RESTARTS_MAX:
                raise error from None
            restarts = 1 if self.commits else restarts + 1
            fenced = isinstance(error, ProducerFenced)
            said = FENCED if fenced else repr(error)
            log.warning("%s: %s; starting anew from the committed state", self.name, said)
            self.observer.restarted(repr(error))
            self.health.state = "reconnecting"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), OWNER_WAIT_S if fenced else RESTART_WAIT_S)
            if fenced:
                await self._see_owner()

    async def _see_owner(self) -> None:
        """Ends here if another process has said that the shard is its own."""
        with contextlib.suppress(KafkaError, TimeoutError, OSError):
            owner = (await restored(self.installation, self.shard.number)).owner
            if owner and owner != self.owner:
                raise FencedError(
                    f"{self.name} was taken over by {owner}: this process places nothing any more "
                    "and ends; run one executor for each shard"
                )

    async def _session(self) -> None:
        """From the start of the producer to the first error or the stop."""
        producer = transactional_producer(self.installation, f"executor-{self.shard.number}")
        client = consumer(self.installation, fetch_max_wait_ms=100)
        try:
            await start(producer)
            journal = Journal(self.installation, self.shard.number, self.shard.shards, producer)
            await journal.own(self.owner)
            found = await restored(self.installation, self.shard.number)
            parts = await self._parts()
            taker = Taker(self.fold, self.shard, parts, found, self.observer, self.effects)
            if self.restored is not None:
                self.restored(taker.states, found.written_ms)
                self.restored = None
            await start(client)
            await self._seek(client, taker, parts, found)
            if self.effects is not None:
                self.effects.restored(taker.states, taker.order.clock)
            async with asyncio.TaskGroup() as tasks:
                drive = tasks.create_task(self._drive(taker, journal, len(parts["tickers"])))
                await self._consume(client, taker, parts)
                self.wake.set()
                await drive
        finally:
            self.health.ready = False
            await _close(client, producer)

    async def _parts(self) -> dict[str, list[int]]:
        names = [name for name in INPUTS if not (self.shard.live and name == "matrix")]
        found = await partitions_of(self.installation, names)
        absent = [name for name in names if not found.get(name)]
        if absent:
            raise StateError(f"topic {absent[0]} is not on this cluster: run ./chandler up first")
        return {name: [tp.partition for tp in found[name]] for name in names}

    async def _seek(
        self,
        client: AIOKafkaConsumer,
        taker: Taker[S],
        parts: dict[str, list[int]],
        found: DeskRestored,
    ) -> None:
        """Assigns every input by hand and seeks each explicitly."""
        every = [
            TopicPartition(topic_name(self.installation, topic), partition)
            for topic, partitions in parts.items()
            for partition in partitions
        ]
        client.assign(every)
        begins = await client.beginning_offsets(every)
        ends = await client.end_offsets(every)
        firsts = await self._firsts(client, every, begins, ends)
        if found.offsets is not None:
            firsts = begins  # it ran, and had read nothing there
        for tp in every:
            topic = catalogue_name(self.installation, tp.topic)
            if topic in KNOWN_FIRST:
                taker.order.expects(topic, tp.partition, ends[tp])
            low = taker.order.low(topic, tp.partition)
            if low < 0:
                client.seek(tp, firsts[tp])
                continue
            if low > ends[tp]:
                raise StateError(
                    f"desk.state/{self.shard.number} stands at offset {low} of {topic}, which "
                    f"ends at {ends[tp]}: the topic was made anew, look before any order is made"
                )
            if low < begins[tp]:
                log.warning(
                    "%s: %s/%d begins at %d, expected %d: what was between is gone for good",
                    *(self.name, topic, tp.partition, begins[tp], low),
                )
            client.seek(tp, max(low, begins[tp]))

    async def _firsts(
        self,
        client: AIOKafkaConsumer,
        every: Sequence[TopicPartition],
        begins: dict[TopicPartition, int],
        ends: dict[TopicPartition, int],
    ) -> dict[TopicPartition, int]:
        """Where a shard begins that never ran: not with old news, and live with no old orders."""
        now_ms = round(time.time() * 1_000)
        times = {}
        for tp in every:
            topic = catalogue_name(self.installation, tp.topic)
            times[tp] = now_ms - (FIRST_DAY_MS if topic == "funding" else FIRST_MS)
        found = await client.offsets_for_times(times)
        firsts = {}
        for tp in every:
            topic = catalogue_name(self.installation, tp.topic)
            firsts[tp] = found[tp].offset if found[tp] else ends[tp]
            if topic == "instruments":
                firsts[tp] = begins[tp]
            elif self.shard.live and topic not in ("tickers", "pumps", "funding"):
                firsts[tp] = ends[tp]
        return firsts

    async def _consume(
        self, client: AIOKafkaConsumer, taker: Taker[S], parts: dict[str, list[int]]
    ) -> None:
        shown = 0.0
        while not self.stop.is_set():
            for tp, records in (await client.getmany(timeout_ms=POLL_MS)).items():
                topic = catalogue_name(self.installation, tp.topic)
                for record in records:
                    taker.feed(topic, record)
                self.wake.set()
            if taker.order.is_behind:
                await self._catch_up(client, taker)
            self._regulate(client, taker)
            if time.monotonic() - shown > LAG_EVERY_S:
                shown = time.monotonic()
                await self._show(client, taker)

    async def _catch_up(self, client: AIOKafkaConsumer, taker: Taker[S]) -> None:
        for tp in client.assignment():
            topic = catalogue_name(self.installation, tp.topic)
            taker.order.reached(topic, tp.partition, await client.position(tp))
        if not taker.order.is_behind:
            self.wake.set()

    def _regulate(self, client: AIOKafkaConsumer, taker: Taker[S]) -> None:
        """Pauses inputs that fill the memory, but never one that is waited for."""
        paused = client.paused()
        for tp in client.assignment():
            topic = catalogue_name(self.installation, tp.topic)
            full = taker.order.buffered(topic, tp.partition) > BUFFER_MAX and not (
                taker.order.is_holding(topic, tp.partition) or taker.order.is_behind
            )
            if full and tp not in paused:
                client.pause(tp)
            elif not full and tp in paused:
                client.resume(tp)

    async def _show(self, client: AIOKafkaConsumer, taker: Taker[S]) -> None:
        lag = 0
        for tp in client.assignment():
            topic = catalogue_name(self.installation, tp.topic)
            end = client.last_stable_offset(tp) or 0
            lag += max(0, end - await client.position(tp))
            lag += taker.order.buffered(topic, tp.partition)
        newest = taker.newest_timestamp_ms
        self.health.lag = lag
        self.health.age_s = max(0.0, time.time() - newest / 1_000) if newest else 0.0
        self.health.ready = not taker.order.is_behind
        self.health.state = "running" if taker.is_ready() else "waiting for tickers"

    async def _drive(self, taker: Taker[S], journal: Journal, partitions: int) -> None:
        """Takes and commits until the stop; what was taken by then is committed, and no more."""
        while True:
            self.wake.clear()
            stopped = self.stop.is_set()
            more = await taker.fill(closing=stopped or self.closing.is_set())
            if taker.due_in() == 0.0:
                await self._commit(taker, journal, partitions)
                continue
            if stopped:
                return
            if more:  # nobody wakes us for what is here already
                await asyncio.sleep(0)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), taker.wait_s())

    async def _commit(self, taker: Taker[S], journal: Journal, partitions: int) -> None:
        told = taker.out()
        out = None if told is None else (told, partitions)
        await journal.commit(taker.batch, taker.offsets(), taker.snapshot(), out)
        self.commits += 1
        taker.committed(told)


async def _close(client: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
    for each in (client, producer):
        await close(each)
