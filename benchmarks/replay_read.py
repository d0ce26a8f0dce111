"""`bench replay_read`: candles per second from topics into columns, by each way there is.

Real candles in a Kafka of its own, 8 partitions: once as an import leaves them (large batches),
and once as ingest does (a transaction for each close of 50 symbols). Wall time, CPU apart.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.csv
from aiokafka import AIOKafkaConsumer

from chandler.core.events import CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity
from chandler.exchanges.simulator.recording import SHIPPED
from chandler.streams import embedded
from chandler.streams.admin import create_topics
from chandler.streams.clients import consumer, producer, topic_name
from chandler.streams.codec import decode, encode
from chandler.streams.columns import cache_bytes, clear_cache, gather_candles
from chandler.streams.reader import partitions, read_topics
from chandler.streams.settings import Installation, installation
from chandler.streams.writing import Outbox, Record

TOPIC = "candles.5m"
PARTITIONS = 8
SHARD = 50  # symbols in one transaction, as in ingest
ROUNDS = 2  # of each way; the better one counts
LARGE: dict[str, Any] = {"max_poll_records": 50_000, "max_partition_fetch_bytes": 4 << 20}

_list = msgspec.json.Decoder(list[CandleSealed | CandleMissing]).decode

Way = Callable[[Installation], Coroutine[Any, Any, int]]  # the candles that it read


@contextmanager
def place() -> Iterator[Installation]:
    """A data directory and a Kafka of this benchmark."""
    with tempfile.TemporaryDirectory(prefix="chandler-bench-") as folder:
        port_base = os.environ.get("CHANDLER_BENCH_PORT_BASE", "26000")
        base = installation({"CHANDLER_DATA": folder, "CHANDLER_PORT_BASE": port_base})
        with embedded.lease(base):
            yield base


def candles(path: Path, number: int) -> list[CandleSealed]:
    """The file's first candles by time; -1: all."""
    table = pyarrow.csv.read_csv(path).sort_by("open_time")
    table = table.slice(0, number if number >= 0 else None)
    columns = [table[name].to_pylist() for name in ("symbol", "open_time", "open", "high")]
    columns += [table[name].to_pylist() for name in ("low", "close", "volume")]
    return [
        CandleSealed(
            symbol=Symbol(symbol),
            granularity=Granularity("5m"),
            open_ms=open_ms,
            open=open_,
            high=high,
            low=low,
            close=close,
            volume=volume,
            quote_volume=volume * close,
        )
        for symbol, open_ms, open_, high, low, close, volume in zip(*columns, strict=True)
    ]


async def fill_large(base: Installation, feed: Sequence[CandleSealed]) -> None:
    """Batches as large as they get."""
    await create_topics(base, PARTITIONS, 1, [TOPIC])
    async with producer(base, linger_ms=20, max_batch_size=1_000_000) as client:
        for candle in feed:
            await client.send(topic_name(base, TOPIC), encode(candle), key=candle.symbol.encode())


async def fill_live(base: Installation, feed: Sequence[CandleSealed]) -> None:
    """A transaction for each SHARD candles."""
    await create_topics(base, PARTITIONS, 1, [TOPIC])
    outbox = Outbox(base, "ingest-0")
    await outbox.open()
    for first in range(0, len(feed), SHARD):
        await outbox.write([Record(TOPIC, c.symbol, c) for c in feed[first : first + SHARD]])
    await outbox.close()


async def by_record(base: Installation) -> int:
    """Every record as services' readers give it."""
    return len([record.event async for record in read_topics(base, [TOPIC])])


async def polled(base: Installation, take: Callable[[Any], Any], **options: Any) -> int:
    """Every poll's records of a partition to `take`."""
    reader: AIOKafkaConsumer = consumer(base, **{"max_poll_records": 5_000, **options})
    await reader.start()
    assigned = (await partitions(base, [TOPIC]))[TOPIC]
    reader.assign(assigned)
    begins, ends = await reader.beginning_offsets(assigned), await reader.end_offsets(assigned)
    for tp in assigned:
        reader.seek(tp, begins[tp])
    behind, number, kept = set(assigned), 0, []
    while behind:
        for records in (await reader.getmany(*behind, timeout_ms=500)).values():
            number += len(records)
            kept.append(take(records))
        behind = {tp for tp in behind if await reader.position(tp) < ends[tp]}
    await reader.stop()
    return number


def one_list(records: Sequence[Any]) -> list[CandleSealed | CandleMissing]:
    return _list(b"[" + b",".join([record.value for record in records]) + b"]")


def one_by_one(records: Sequence[Any]) -> list[Any]:
    return [decode(TOPIC, record.value) for record in records]


async def columns_first(base: Installation) -> int:
    """Into columns and into the cache."""
    clear_cache(base)
    return (await gather_candles(base, ["5m"])).report.rows


async def columns_again(base: Installation) -> int:
    """From the cache; Kafka, if it runs, is asked what is new."""
    return (await gather_candles(base, ["5m"])).report.rows


WAYS: dict[str, Way] = {
    "records, as services read": by_record,
    "polls of 5,000, undecoded": lambda base: polled(base, len),
    "polls of 5,000, undecoded, no checksums": lambda base: polled(base, len, check_crcs=False),
    "polls of 50,000, undecoded": lambda base: polled(base, len, **LARGE),
    "polls of 5,000, decoded one by one": lambda base: polled(base, one_by_one),
    "polls of 5,000, decoded as one list": lambda base: polled(base, one_list),
    "polls of 50,000, decoded as one list": lambda base: polled(base, one_list, **LARGE),
    "COLUMNS, the first time": columns_first,
    "COLUMNS, from the cache": columns_again,
}


def measure(base: Installation, name: str, way: Way) -> None:
    """Prints the better of some rounds."""
    best, cpu, number = 0.0, 0.0, 0
    for _ in range(ROUNDS):
        began, spent = time.perf_counter(), time.process_time()
        number = asyncio.run(way(base))
        rate = number / (time.perf_counter() - began)
        if rate > best:
            best, cpu = rate, number / (time.process_time() - spent)
    print(f"{name}: candles={number} candles/s={best:,.0f} (by CPU {cpu:,.0f})", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="chandler bench replay_read")
    parser.add_argument("--candles", type=Path, default=SHIPPED, help="a CSV file, packed or not")
    parser.add_argument("--number", type=int, default=300_000)
    parser.add_argument("--live", type=int, default=30_000, help="candles written as ingest does")
    arguments = parser.parse_args()
    feed = candles(arguments.candles, arguments.number)
    with place() as base:
        imported = msgspec.structs.replace(base, topic_prefix="imported.")
        live = msgspec.structs.replace(base, topic_prefix="live.")
        asyncio.run(fill_large(imported, feed))
        asyncio.run(fill_live(live, feed[: arguments.live]))
        for where, topics in (("large batches", imported), ("a transaction a close", live)):
            for name, way in WAYS.items():
                measure(topics, f"{where}: {name}", way)
        asyncio.run(columns_first(imported))
        megabytes = cache_bytes(imported) / 1e6
        measure(imported, f"large batches: COLUMNS, {megabytes:.0f} MB of cache", columns_again)
        embedded.stop(base)
        measure(imported, "large batches: COLUMNS, the cluster down", columns_again)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
