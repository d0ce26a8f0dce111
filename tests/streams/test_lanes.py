"""Lanes that are followed from offsets that the reader keeps itself."""

import asyncio
import time
from contextlib import aclosing

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from chandler.core.events import Event, Symbol
from chandler.core.trading.events import Command, PumpState
from chandler.streams.clients import admin, producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.reader import ReadError, Record, follow_lanes
from chandler.streams.settings import Installation
from tests.conftest import Topics

pytestmark = pytest.mark.kafka

DEADLINE_S = 60.0
T0 = time.time_ns() // 1_000_000 - 60_000  # Kafka takes no record from the future
NAMES = ("pumps", "commands")


@pytest.fixture
async def cluster(installation: Installation, topics: Topics) -> Installation:
    await topics(NAMES, partitions=2)
    return installation


def pump(number: int) -> PumpState:
    return PumpState(symbol=Symbol(f"n{number}"), at=number, kind="heartbeat", pump="none")


async def put(
    cluster: Installation, topic: str, event: Event, partition: int = 0, at: int = T0
) -> None:
    async with producer(cluster) as client:
        name = topic_name(cluster, topic)
        await client.send_and_wait(name, encode(event), partition=partition, timestamp_ms=at)


class Read:
    """What a reader of its own offsets has read."""

    def __init__(self, cluster: Installation) -> None:
        self.cluster = cluster
        self.records: list[Record] = []
        self.begun: dict[str, int] = {}

    @property
    def ids(self) -> list[str]:
        return [
            getattr(each.event, "id", getattr(each.event, "symbol", "")) for each in self.records
        ]

    async def until(self, count: int, offsets: dict[str, int], since_ms: int = 0) -> "Read":
        stop = asyncio.Event()

        async def begun(lanes: dict[str, int]) -> None:
            assert not self.records, "said before anything is read"
            self.begun = lanes

        batches = follow_lanes(self.cluster, NAMES, offsets, since_ms, stop, begun)
        async with asyncio.timeout(DEADLINE_S), aclosing(batches):
            async for batch in batches:
                self.records += batch
                if len(self.records) >= count:
                    stop.set()
        return self


async def test_it_goes_on_where_it_is_told_to(cluster):
    for number in range(4):
        await put(cluster, "pumps", pump(number))
    await put(cluster, "commands", Command(id="c", who="cli", what="close_all", at=1))

    found = await Read(cluster).until(3, {"pumps:0": 2, "pumps:1": 0, "commands:0": 0})

    assert sorted(found.ids) == ["c", "n2", "n3"]
    assert found.begun == {}


async def test_a_lane_that_was_never_read_begins_at_a_time(cluster):
    await put(cluster, "pumps", pump(1), partition=0, at=T0 - 10_000)
    await put(cluster, "pumps", pump(2), partition=0, at=T0)
    await put(cluster, "pumps", pump(3), partition=1, at=T0 - 10_000)

    async def later() -> None:
        await put(cluster, "pumps", pump(4), partition=1, at=T0 + 1)

    reader = Read(cluster)
    async with asyncio.TaskGroup() as group:
        group.create_task(reader.until(2, {"commands:0": 0}, since_ms=T0 - 5_000))
        group.create_task(later())

    # The later one is read wherever the lane began: before it or behind it.
    assert sorted(reader.ids) == ["n2", "n4"]
    assert reader.begun["pumps:0"] == 1
    assert "commands:0" not in reader.begun


async def test_what_comes_first_in_a_lane_while_nobody_reads_is_not_missed(cluster):
    """The notifier looked back 5 s from each of its starts in lanes without a record so far: what

    came there first, longer than that before a restart, was never told.
    """
    await put(cluster, "pumps", pump(1), partition=0)
    first = await Read(cluster).until(1, {}, since_ms=T0)
    await put(cluster, "pumps", pump(2), partition=1, at=T0 + 1)

    kept = {**first.begun, "pumps:0": first.records[0].offset + 1}
    again = await Read(cluster).until(1, kept, since_ms=T0 + 3_600_000)

    assert set(first.begun) == {"pumps:0", "pumps:1", "commands:0"}
    assert again.ids == ["n2"]


async def test_where_records_are_gone_it_goes_on_with_the_first_that_is_left(cluster):
    for number in range(4):
        await put(cluster, "pumps", pump(number))
    client = admin(cluster)
    await client.start()
    lane = TopicPartition(topic_name(cluster, "pumps"), 0)
    await client.delete_records({lane: RecordsToDelete(before_offset=3)})
    await client.close()

    found = await Read(cluster).until(1, {"pumps:0": 1, "pumps:1": 0, "commands:0": 0})

    assert found.ids == ["n3"]


async def test_a_stop_ends_it_though_nothing_comes(cluster):
    stop = asyncio.Event()
    batches = follow_lanes(cluster, NAMES, {}, 0, stop)
    async with asyncio.timeout(DEADLINE_S), aclosing(batches):
        async for batch in batches:
            assert batch == []
            stop.set()


async def test_without_kafka_it_says_so(cluster):
    gone = msgspec.structs.replace(cluster, brokers="127.0.0.1:9")
    with pytest.raises(ReadError, match="Kafka can't be reached"):
        async for _ in follow_lanes(gone, NAMES, {}, 0, asyncio.Event()):
            pass
