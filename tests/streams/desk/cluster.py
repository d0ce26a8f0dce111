"""What the tests of the desk's loop share: inputs with their watermarks, the journal, workers."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
from aiokafka.admin import NewTopic

from chandler.core.events import Event, Instrument, MatrixRow, Signal, Symbol, Ticker
from chandler.core.granularity import Granularity
from chandler.core.trading.events import (
    DeskTaken,
    ExitRequested,
    ExitsOut,
    OrdersOut,
    PumpState,
    TickersOut,
)
from chandler.streams.catalogue import topic as catalogued
from chandler.streams.clients import admin, producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.settings import Installation
from tests.streams.desk.worker import Told, run
from tests.streams.exact_cluster import DEADLINE_S, ROOT, START_MS, read

PARTITIONS = 2
TOPICS = (
    "tickers",
    "matrix",
    "signals",
    "signals.external",
    "pumps",
    "exits",
    "commands",
    "instruments",
    "funding",
    "orders",
    "answers",
    "notices",
    "desk",
    "desk.state",
    "dead-letters",
)
SYMBOLS = [f"{letter}USDT" for letter in "ABCD"]


async def desk_cluster(installation: Installation, name: str) -> Installation:
    """The same Kafka under another prefix, with the topics of the desk."""
    own = msgspec.structs.replace(installation, topic_prefix=f"{installation.topic_prefix}{name}.")
    client = admin(own)
    await client.start()
    try:
        wanted = [
            NewTopic(topic_name(own, topic), catalogued(topic).partitions or PARTITIONS, 1)
            for topic in TOPICS
        ]
        await client.create_topics(wanted)
    finally:
        await client.close()
    return own


def ticker(symbol: str, at: int, last: str = "100") -> Ticker:
    return Ticker(
        symbol=Symbol(symbol),
        at=START_MS + at,
        last=last,
        bid=last,
        ask=last,
        mark=last,
        minute_open_ms=START_MS,
        minute_volume=0.0,
    )


def signal(symbol: str, at: int, strength: float = 0.5, source: str = "engine") -> Signal:
    return Signal(
        id=f"{source}-{symbol}-{at}",
        symbol=Symbol(symbol),
        side="long",
        strength=strength,
        source=source,
        granularity=Granularity("1m"),
        close_ms=START_MS + at,
        expires_ms=START_MS + at + 60_000,
        reason="test",
        inputs=[],
        config="c",
        code="c",
    )


def row(symbol: str, at: int, verdict: str = "below threshold") -> MatrixRow:
    return MatrixRow(
        symbol=Symbol(symbol),
        granularity=Granularity("1m"),
        close_ms=START_MS + at,
        notes={},
        absent={},
        verdicts={"engine": verdict},
        inputs=[],
        config="c",
        code="c",
    )


def exit_of(symbol: str, due: int) -> ExitRequested:
    return ExitRequested(
        id=f"exit-{symbol}-{due}",
        position="p",
        account="a",
        agent="a",
        symbol=Symbol(symbol),
        side="long",
        kind="stop",
        leg="stop",
        action="close",
        size=None,
        price=Decimal(100),
        reason="test",
        at=START_MS + due - 250,
        due_ms=START_MS + due,
    )


def instrument(symbol: str) -> Instrument:
    return Instrument(
        symbol=Symbol(symbol),
        price_step="0.1",
        size_step="0.01",
        size_min="0.01",
        notional_min="5",
        maker_fee="0.0002",
        taker_fee="0.0006",
        leverage_max=50,
        status="normal",
        seen_at=START_MS,
    )


def pump(symbol: str, at: int) -> PumpState:
    return PumpState(symbol=Symbol(symbol), at=START_MS + at, kind="heartbeat", pump="none")


Sent = tuple[str, Event]  # topic and event


async def publish_events(installation: Installation, events: Iterable[Sent]) -> None:
    """Each into its topic, by its symbol; what tells a watermark into every partition."""
    async with producer(installation) as client:
        for topic, event in events:
            name = topic_name(installation, topic)
            key = str(getattr(event, "symbol", "")) or None
            parts: list[int | None] = [None]
            if isinstance(event, TickersOut | OrdersOut):
                parts = list(range(PARTITIONS))
            elif isinstance(event, ExitsOut):
                parts = [event.partition]
            for partition in parts:
                await client.send(
                    name, encode(event), key=key.encode() if key else b"@", partition=partition
                )
        await client.flush()


def tickers_out(at: int) -> Sent:
    return ("tickers", TickersOut(shard=0, shards=1, at=START_MS + at))


def exits_out(at: int) -> list[Sent]:
    return [
        ("exits", ExitsOut(partition=partition, at=START_MS + at))
        for partition in range(PARTITIONS)
    ]


async def journal(installation: Installation) -> list[DeskTaken]:
    """The desk's records, by offset."""
    return [event for event in await read(installation, "desk") if isinstance(event, DeskTaken)]


async def journal_when(installation: Installation, number: int) -> list[DeskTaken]:
    """The journal as soon as it has `number` records."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await journal(installation)
            if len(found) >= number:
                return found
            await asyncio.sleep(0.1)


def ids(records: Iterable[DeskTaken]) -> list[str]:
    """What each record took: an id, or the symbol and time of a ticker."""
    found = []
    for record in records:
        event = msgspec.json.decode(record.input)
        found.append(event.get("id") or f"{event.get('symbol')}@{event['at'] - START_MS}")
    return found


def spawn(
    installation: Installation, point: str = "", window_s: float = 30.0
) -> subprocess.Popen[str]:
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CHANDLER_BROKERS": installation.bootstrap,
        "CHANDLER_TOPIC_PREFIX": installation.topic_prefix,
        "CHANDLER_CHAOS_POINT": point,
    }
    command = [sys.executable, "-m", "tests.streams.desk.worker", str(window_s)]
    return subprocess.Popen(command, env=environ, cwd=ROOT, text=True)


@asynccontextmanager
async def desk_running(
    installation: Installation, window_s_max: float = 30.0
) -> AsyncIterator[Told]:
    """The counting shard while the block runs."""
    stop = asyncio.Event()
    observer = Told()
    task = asyncio.create_task(run(installation, stop, observer, window_s_max))
    try:
        yield observer
    finally:
        stop.set()
        await task


async def begun(installation: Installation, at: int = 0) -> None:
    """Waits until the desk has told that it stands at `at`."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            told = [each for each in await read(installation, "orders") if type(each) is OrdersOut]
            if told and max(each.at for each in told) >= START_MS + at:
                return
            await asyncio.sleep(0.05)
