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

from chandler.core import indicator_stage, signals
from chandler.core.engine import indicators_of
from chandler.core.events import Candle, MatrixRow, Signal
from chandler.replay.audit.recompute import Recomputed, digest_of, recompute
from chandler.streams.admin import create_topics
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.reader import follow_batches, read_topics
from chandler.streams.settings import Installation
from services import plugins
from services.declaration import Context, Health, Service
from services.indicators.service import SERVICE as INDICATORS
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


def found_of(made: Sequence[Signal], matrix: Sequence[MatrixRow]) -> Found:
    return Found(len(made), len(matrix), digest_of(made), digest_of(matrix))


def evaluable(profile: Profile, candles: Iterable[Candle]) -> list[int]:
    """How many closes can be evaluated after 0, 1, 2 … of the candles, in this order."""
    engines = plugins.resolve(profile)
    indicators = indicator_stage.stage(indicators_of(engines), code="")
    decisions = signals.stage(engines, code="")
    series: dict[str, indicator_stage.SeriesState] = {}
    states: dict[str, signals.SymbolState] = {}
    counts = [0]
    for candle in candles:
        key = indicators.key(candle)
        series[key], rows = indicators.step(series.get(key) or indicators.start(key), candle)
        count = 0
        for row in rows:
            state = states.get(candle.symbol) or decisions.start(candle.symbol)
            states[candle.symbol], outputs = decisions.step(state, row.event)
            count += sum(output.topic == "matrix" for output in outputs)
        counts.append(counts[-1] + count)
    return counts


def recomputed(profile: Profile, candles: Iterable[Candle]) -> Recomputed:
    """What the folds make of the candles, without any Kafka."""
    lanes: defaultdict[tuple[str, str], list[Candle]] = defaultdict(list)
    for candle in candles:
        lanes[candle.symbol, candle.granularity].append(candle)
    return recompute(lanes.values(), plugins.resolve(profile), code=plugins.code_hash())


async def branch(
    installation: Installation, profile: Profile, partitions: int, expected: Recomputed
) -> Branch:
    """The stages' topics under the installation's prefix, those that aren't there yet made."""
    kafka = msgspec.structs.replace(profile.kafka, symbol_partitions=partitions)
    await create_topics(installation, partitions, 1, TOPICS)
    return Branch(installation, msgspec.structs.replace(profile, kafka=kafka), expected)


async def publish(target: Branch, candles: Iterable[Candle]) -> None:
    """Writes candles in their order; the key decides the partition."""
    installation = target.installation
    async with producer(installation) as client:
        for candle in candles:
            name = topic_name(installation, f"candles.{candle.granularity}")
            await client.send(name, encode(candle), key=candle.symbol.encode())
        await client.flush()


def portions(candles: Sequence[Candle], count: int) -> list[Sequence[Candle]]:
    """As many parts of equal size, in order."""
    size = -(-len(candles) // count)
    return [candles[at : at + size] for at in range(0, len(candles), size)]


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
    found: list[Signal] = []
    matrix: list[MatrixRow] = []
    async for record in read_topics(target.installation, ["signals", "matrix"]):
        if isinstance(record.event, Signal):
            found.append(record.event)
        elif isinstance(record.event, MatrixRow):
            matrix.append(record.event)
    return found_of(found, matrix)


class Workers:
    """Workers of both stages as processes, so that they can be killed and frozen."""

    def __init__(self, target: Branch, system: System, each: int, chance: random.Random) -> None:
        """`system`: data and ports of these processes alone; Kafka is the branch's."""
        self._system = system
        self._settings = {
            "CHANDLER_BROKERS": target.installation.bootstrap,
            "CHANDLER_TOPIC_PREFIX": target.installation.topic_prefix,
            "CHANDLER_SET_kafka__symbol_partitions": str(target.profile.kafka.symbol_partitions),
        }
        self.killed = 0
        self._chance = chance
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

    def kill(self) -> None:
        """kill -9 for one by chance, of the two stages in turn, and another in its place."""
        service = SERVICES[self.killed % len(SERVICES)].name
        place = self._chance.choice([key for key in self._processes if key[0] == service])
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
