"""Recorded candles published again under another prefix, and the real stages run over them.

The stages run as tasks of this process, or as processes of their own where they are to be killed.
"""

import asyncio
import logging
import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from chandler.core.events import Candle, CandleMissing, CandleSealed, MatrixRow, Signal, event_at
from chandler.replay.recompute import Recomputed, digest_of, recompute
from chandler.streams.admin import create_topics
from chandler.streams.clients import producer, topic_name
from chandler.streams.reader import Record, follow_batches, read_topics
from chandler.streams.settings import Installation
from services import plugins
from services.declaration import Context, Health, Service
from services.indicators.service import SERVICE as INDICATORS
from services.loading import configuration
from services.profile import Profile
from services.signals.service import SERVICE as SIGNALS
from tests.simulation.system import System, until

SERVICES: tuple[Service, ...] = (INDICATORS, SIGNALS)
DONE_S_MAX = 240.0
TOPICS = sorted({"infra"}.union(*({*service.reads, *service.writes} for service in SERVICES)))


class Found(NamedTuple):
    """What stages made of candles: how much, and one digest over all of it."""

    signals: int
    matrix: int
    signals_digest: str
    matrix_digest: str


class Branch(NamedTuple):
    """A copy of the topics with partitions of its own."""

    installation: Installation
    profile: Profile
    expected: Recomputed


def found_of(signals: Sequence[Signal], matrix: Sequence[MatrixRow]) -> Found:
    return Found(len(signals), len(matrix), digest_of(signals), digest_of(matrix))


def recomputed(system: System, records: Iterable[Record]) -> Recomputed:
    """What the folds make of the candles, without any Kafka."""
    profile = configuration(system.installation, system.environ).profile
    lanes: defaultdict[tuple[str, str], list[Candle]] = defaultdict(list)
    for record in records:
        assert isinstance(record.event, CandleSealed | CandleMissing)
        lanes[record.event.symbol, record.event.granularity].append(record.event)
    return recompute(lanes.values(), plugins.resolve(profile), code=plugins.code_hash())


async def branch(system: System, name: str, partitions: int, expected: Recomputed) -> Branch:
    """Empty topics under the prefix `name`, on the system's Kafka."""
    installation = msgspec.structs.replace(system.installation, topic_prefix=f"{name}.")
    profile = configuration(system.installation, system.environ).profile
    kafka = msgspec.structs.replace(profile.kafka, symbol_partitions=partitions)
    await create_topics(installation, partitions, 1, TOPICS)
    return Branch(installation, msgspec.structs.replace(profile, kafka=kafka), expected)


async def publish(target: Branch, records: Iterable[Record]) -> None:
    """Writes candles as they are, in their order; the key decides the partition anew."""
    installation = target.installation
    async with producer(installation) as client:
        for record in records:
            name = topic_name(installation, record.topic)
            await client.send(name, record.raw, key=record.key.encode())
        await client.flush()


def portions(records: Iterable[Record], count: int) -> list[list[Record]]:
    """The records in the order in which ingest had published them, in equal parts."""
    in_order = sorted(records, key=lambda record: record.timestamp_ms)
    size = -(-len(in_order) // count)
    return [in_order[at : at + size] for at in range(0, len(in_order), size)]


def due(target: Branch, withheld: Iterable[Record]) -> int:
    """How many closes are evaluated for sure while these candles are withheld."""
    first: dict[str, int] = {}
    for record in withheld:
        assert record.event is not None
        first.setdefault(record.key, event_at(record.event))
        first[record.key] = min(first[record.key], event_at(record.event))
    return sum(
        row.symbol not in first or row.close_ms < first[row.symbol]
        for row in target.expected.matrix
    )


@asynccontextmanager
async def running(target: Branch, workers: int) -> AsyncIterator[None]:
    """`workers` of each stage as tasks; they have drained afterwards."""
    contexts = [
        (service, _context(service, target, number))
        for service in SERVICES
        for number in range(workers)
    ]
    tasks = [asyncio.ensure_future(service.run(context)) for service, context in contexts]
    try:
        yield
    finally:
        for _, context in contexts:
            context.stop.set()
        await asyncio.wait(tasks)
    for task in tasks:
        task.result()


def _context(service: Service, target: Branch, number: int) -> Context:
    return Context(
        installation=target.installation,
        profile=target.profile,
        shard=None,
        stop=asyncio.Event(),
        health=Health(),
        log=logging.getLogger(f"test.{service.name}"),
        code=plugins.code_hash(),
        instance=number,
    )


async def evaluated(target: Branch, count: int | None = None) -> None:
    """Returns when `count` closes (all that are expected) are in the matrix."""
    wanted = len(target.expected.matrix) if count is None else count
    seen = 0
    async with asyncio.timeout(DONE_S_MAX):
        async for batch in follow_batches(target.installation, ["matrix"], "beginning"):
            seen += len(batch)
            if seen >= wanted:
                return


async def made(target: Branch) -> Found:
    """All that stands in signals and matrix."""
    signals: list[Signal] = []
    matrix: list[MatrixRow] = []
    async for record in read_topics(target.installation, ["signals", "matrix"]):
        if isinstance(record.event, Signal):
            signals.append(record.event)
        elif isinstance(record.event, MatrixRow):
            matrix.append(record.event)
    return found_of(signals, matrix)


class Workers:
    """Workers of both stages as processes, so that they can be killed and frozen."""

    def __init__(self, target: Branch, system: System, each: int, seed: int) -> None:
        """`system`: data and ports of these processes alone; Kafka is the branch's."""
        self._system = system
        self._settings = {
            "CHANDLER_BROKERS": target.installation.bootstrap,
            "CHANDLER_TOPIC_PREFIX": target.installation.topic_prefix,
            "CHANDLER_SET_kafka__symbol_partitions": str(target.profile.kafka.symbol_partitions),
        }
        self.killed = 0
        self._chance = random.Random(seed)
        self._processes: dict[tuple[str, int], subprocess.Popen[bytes]] = {}
        self._frozen: subprocess.Popen[bytes] | None = None
        self._frozen_at = 0.0
        for service in SERVICES:
            for instance in range(each):
                self.start(service.name, instance)

    def start(self, service: str, instance: int) -> None:
        """One more of them."""
        place = {"CHANDLER_INSTANCE": str(instance)}
        process = self._system.spawn("run", service, **self._settings, **place)
        self._processes[service, instance] = process

    def kill(self, service: str) -> None:
        """kill -9 for one by chance, and another in its place."""
        alive = [key for key in self._processes if key[0] == service]
        place = self._chance.choice(alive)
        process = self._processes.pop(place)
        process.kill()
        process.wait()
        self.killed += 1
        self.start(*place)

    def freeze(self, service: str, instance: int, spare: int) -> None:
        """Stops one where it stands; another takes its place under the number `spare`."""
        self._frozen = self._processes.pop((service, instance))
        self._frozen.send_signal(signal.SIGSTOP)
        self._frozen_at = time.monotonic()
        self.start(service, spare)

    def thaw(self, after_s: float) -> None:
        """Lets it go on when it was frozen that long."""
        frozen = self._frozen
        assert frozen is not None
        until(lambda: time.monotonic() - self._frozen_at >= after_s, after_s + 1, "time stands")
        frozen.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """All of them, asked first; whatever state they are in."""
        every = [*self._processes.values(), *([self._frozen] if self._frozen else [])]
        for process in every:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in every:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
