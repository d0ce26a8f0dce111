"""Reading topics whole, and following them, on a real Kafka."""

import asyncio

import msgspec
import pytest

from chandler.core.events import CandleSealed
from chandler.streams.clients import producer, topic_name
from chandler.streams.reader import (
    ReadError,
    Record,
    follow,
    partitions,
    read_topics,
)
from chandler.streams.settings import Installation
from tests.streams.exact_cluster import candle, publish, sub_cluster

pytestmark = pytest.mark.kafka
SYMBOLS = ("BTCUSDT", "ETHUSDT", "XRPUSDT", "SOLUSDT", "ADAUSDT")
DEADLINE_S = 30.0


@pytest.fixture
async def cluster(installation: Installation) -> Installation:
    return await sub_cluster(installation, "reader", partitions=4)


async def everything(
    cluster: Installation, *names: str, start: str | int = "beginning"
) -> list[Record]:
    async with asyncio.timeout(DEADLINE_S):
        return [record async for record in read_topics(cluster, names, start)]


async def test_every_committed_record_is_read_once_in_its_partitions_order(cluster) -> None:
    """A seek to "the beginning" lost against the reset to the end: the topic read as empty."""
    for number in range(10):
        await publish(cluster, [candle(symbol, number) for symbol in SYMBOLS])
        await publish(cluster, [candle(SYMBOLS[0], 99)], commit=False)

    records = await everything(cluster, "candles.5m", "candles.1H")

    assert len(records) == 10 * len(SYMBOLS)
    for symbol in SYMBOLS:
        own = [record for record in records if record.key == symbol]
        events = [record.event for record in own]
        assert [e.open_ms for e in events if isinstance(e, CandleSealed)] == [
            candle(symbol, number).open_ms for number in range(10)
        ]
        assert sorted(own, key=lambda record: record.offset) == own


async def test_what_comes_after_the_call_is_left_out_and_a_time_leaves_out_what_came_before(
    cluster,
) -> None:
    await publish(cluster, [candle("BTCUSDT", 0)])
    first = await everything(cluster, "candles.5m")
    await asyncio.sleep(0.002)  # CreateTime has whole milliseconds
    await publish(cluster, [candle("BTCUSDT", 1)])

    later = await everything(cluster, "candles.5m", start=first[-1].timestamp_ms + 1)

    assert [record.offset for record in later] == [first[-1].offset + 2]


async def test_an_undecodable_record_is_read_without_an_event(cluster) -> None:
    async with producer(cluster) as sender:
        name = topic_name(cluster, "candles.5m")
        await sender.send_and_wait(name, b"rubbish", key=b"RUBBISH", headers=[("why", b"a test")])

    records = [r for r in await everything(cluster, "candles.5m") if r.key == "RUBBISH"]

    assert [(r.event, r.raw, r.headers) for r in records] == [
        (None, b"rubbish", {"why": b"a test"})
    ]


async def test_a_topic_that_is_not_there_gives_nothing_to_read_and_cannot_be_followed(
    cluster,
) -> None:
    assert await everything(cluster, "market") == []
    assert await partitions(cluster, ["market"]) == {"market": []}
    with pytest.raises(ReadError, match="topic market is not on this cluster"):
        async for _ in follow(cluster, ["market"]):
            pass


async def test_following_sees_records_as_they_are_committed(cluster) -> None:
    stop = asyncio.Event()
    seen: list[Record] = []
    await publish(cluster, [candle("BTCUSDT", 0)])

    async def watch() -> None:
        async for record in follow(cluster, ["candles.5m"], "beginning", stop):
            seen.append(record)
            if {"BTCUSDT", "DONEUSDT"} <= {each.key for each in seen}:
                stop.set()

    async with asyncio.timeout(DEADLINE_S):
        watching = asyncio.create_task(watch())
        await publish(cluster, [candle("BTCUSDT", 7)], commit=False)
        await publish(cluster, [candle("DONEUSDT", 1)])
        await watching

    assert {record.event for record in seen} == {candle("BTCUSDT", 0), candle("DONEUSDT", 1)}


async def test_without_a_kafka_it_says_what_to_do(installation: Installation) -> None:
    nowhere = msgspec.structs.replace(installation, brokers="127.0.0.1:9")

    with pytest.raises(ReadError, match=r"Kafka can't be reached at 127.0.0.1:9"):
        await everything(nowhere, "signals")
