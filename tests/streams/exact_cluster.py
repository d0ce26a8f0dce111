"""What the tests of the exact loop share: candles in, rows out, workers as processes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic

from chandler.core.events import CandleSealed, Event, IndicatorRow, Symbol
from chandler.core.granularity import DAY_MS, Granularity, interval_ms
from chandler.core.stage import Stage
from chandler.streams.catalogue import topic as catalogued
from chandler.streams.clients import admin, consumer, producer, topic_name, transactional_producer
from chandler.streams.codec import decode, encode
from chandler.streams.exact import run_stage
from chandler.streams.lifetime import close
from chandler.streams.settings import Installation
from tests.streams.exact_worker import REACH_MS, STAGE, Counted, Health, Silent

ROOT = Path(__file__).resolve().parents[2]
START_MS = 1_704_067_200_000
DEADLINE_S = 60.0
TOPICS = (
    "candles.5m",
    "candles.1H",
    "indicators.5m",
    "indicators.1H",
    "state.indicators",
    "dead-letters",
)


async def sub_cluster(installation: Installation, name: str, partitions: int) -> Installation:
    """The same Kafka under another prefix, with the topics that these tests need."""
    own = msgspec.structs.replace(installation, topic_prefix=f"{installation.topic_prefix}{name}.")
    client = admin(own)
    await client.start()
    try:
        wanted = [
            NewTopic(topic_name(own, topic), catalogued(topic).partitions or partitions, 1)
            for topic in TOPICS
        ]
        await client.create_topics(wanted)
    finally:
        await client.close()
    return own


def candle(symbol: str, number: int, granularity: str = "5m") -> CandleSealed:
    price = 100.0 + number
    return CandleSealed(
        symbol=Symbol(symbol),
        granularity=Granularity(granularity),
        open_ms=START_MS + number * interval_ms(Granularity(granularity)),
        open=price,
        high=price + 1,
        low=price - 1,
        close=price,
        volume=1.0,
        quote_volume=price,
    )


async def publish(
    installation: Installation, candles: Iterable[CandleSealed], *, commit: bool = True
) -> None:
    """All of them in one transaction, committed or aborted."""
    client = transactional_producer(installation, "ingest-0")
    async with client:
        await client.begin_transaction()
        for one in candles:
            name = topic_name(installation, f"candles.{one.granularity}")
            await client.send(name, encode(one), key=one.symbol.encode())
        if commit:
            await client.commit_transaction()
        else:
            await client.flush()
            await client.abort_transaction()


async def publish_raw(installation: Installation, topic: str, value: bytes, key: str) -> int:
    """Its offset, which counts the marker of a transaction before it if that is written by then."""
    async with producer(installation) as client:
        sent = await client.send_and_wait(topic_name(installation, topic), value, key=key.encode())
    return int(sent.offset)


async def read(installation: Installation, topic: str) -> list[Event]:
    """All committed events of a topic, by partition and offset."""
    name = topic_name(installation, topic)
    client = consumer(installation, fetch_max_wait_ms=50)
    try:
        await client.start()
        await client._client.force_metadata_update()
        partitions = client.partitions_for_topic(name) or await _partitions(client, name)
        assigned = [TopicPartition(name, partition) for partition in sorted(partitions)]
        client.assign(assigned)
        begins = await client.beginning_offsets(assigned)
        ends = await client.end_offsets(assigned)
        for tp in assigned:
            client.seek(tp, begins[tp])
        events: list[Event] = []
        while True:
            behind = [tp for tp in assigned if await client.position(tp) < ends[tp]]
            if not behind:
                return events
            for records in (await client.getmany(*behind, timeout_ms=100)).values():
                events += [decode(topic, record.value) for record in records]
    finally:
        await close(client)


async def _partitions(client: object, name: str) -> set[int]:
    await client._client.add_topic(name)  # type: ignore[attr-defined]
    found: set[int] = client.partitions_for_topic(name)  # type: ignore[attr-defined]
    return found


async def rows(installation: Installation) -> list[IndicatorRow]:
    found: list[IndicatorRow] = []
    for topic in ("indicators.5m", "indicators.1H"):
        found += [row for row in await read(installation, topic) if isinstance(row, IndicatorRow)]
    return found


async def rows_when(installation: Installation, number: int) -> list[IndicatorRow]:
    """The rows as soon as there are `number` of them; fails after the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await rows(installation)
            if len(found) >= number:
                return found
            await asyncio.sleep(0.1)


def spawn(installation: Installation, point: str = "") -> subprocess.Popen[str]:
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CHANDLER_BROKERS": installation.bootstrap,
        "CHANDLER_TOPIC_PREFIX": installation.topic_prefix,
    }
    command = [sys.executable, "-m", "tests.streams.exact_worker", point]
    return subprocess.Popen(command, env=environ, cwd=ROOT, text=True)


def end(process: subprocess.Popen[str]) -> None:
    """Ends a worker whatever its state."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.kill()
    process.wait()


async def died(process: subprocess.Popen[str]) -> int:
    async with asyncio.timeout(DEADLINE_S):
        return await asyncio.to_thread(process.wait)


async def run_until(
    installation: Installation,
    stop: asyncio.Event,
    observer: Silent,
    ahead_max_ms: int,
    stage: Stage[Counted] = STAGE,
) -> None:
    """The counting stage, run in this process."""
    await run_stage(
        stage,
        installation=installation,
        service="indicators",
        reach_ms=REACH_MS,
        stop=stop,
        health=Health(),
        observer=observer,
        ahead_max_ms=ahead_max_ms,
    )


@asynccontextmanager
async def running(
    installation: Installation, ahead_max_ms: int = 10 * DAY_MS, stage: Stage[Counted] = STAGE
) -> AsyncIterator[Silent]:
    """The counting stage while the block runs."""
    stop = asyncio.Event()
    observer = Silent()
    task = asyncio.create_task(run_until(installation, stop, observer, ahead_max_ms, stage))
    try:
        yield observer
    finally:
        stop.set()
        await task


async def run_to_its_end(installation: Installation) -> None:
    """The counting stage until it ends by itself."""
    async with asyncio.timeout(DEADLINE_S):
        await run_until(installation, asyncio.Event(), Silent(), 10 * DAY_MS)


def exactly_once(found: list[IndicatorRow], symbols: list[str], number: int) -> bool:
    """Each symbol's 5m rows count 1, 2, … number: none lost, none twice, none out of order."""
    counts: dict[str, list[float]] = {symbol: [] for symbol in symbols}
    for row in found:
        if row.granularity == "5m":
            counts[row.symbol].append(row.values["count"])
    return all(counts[symbol] == [float(n + 1) for n in range(number)] for symbol in symbols)
