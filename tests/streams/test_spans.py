"""Stretches of partitions, from place to place."""

import time

import pytest

from chandler.core.events import Symbol
from chandler.core.trading.events import PumpState
from chandler.streams.clients import topic_name, transactional_producer
from chandler.streams.codec import encode
from chandler.streams.reader import ReadError
from chandler.streams.reading import spans
from chandler.streams.reading.spans import between, span
from chandler.streams.settings import Installation
from tests.conftest import Topics as Create
from tests.story import Topics

pytestmark = pytest.mark.kafka

NOW_MS = time.time_ns() // 1_000_000


@pytest.fixture
async def cluster(installation: Installation, topics: Create) -> Installation:
    await topics(["pumps", "commands"], partitions=2)
    return installation


def pump(number: int) -> PumpState:
    return PumpState(symbol=Symbol("AUSDT"), at=number, kind="heartbeat", pump="none")


async def put(cluster: Installation, *, at_ms: int, partition: int, numbers: range) -> None:
    async with Topics(cluster) as topics:
        for number in numbers:
            await topics.put("pumps", pump(number), partition=partition, written_ms=at_ms)


async def read(cluster: Installation, begins: dict[str, int], ends: dict[str, int]) -> list[str]:
    return [
        f"{record.partition}:{record.offset}" async for record in between(cluster, begins, ends)
    ]


async def test_a_span_begins_at_its_time_and_ends_where_the_topic_ends(cluster):
    await put(cluster, at_ms=NOW_MS - 60_000, partition=0, numbers=range(3))
    await put(cluster, at_ms=NOW_MS - 1_000, partition=0, numbers=range(2))

    found = await span(cluster, ["pumps", "commands"], NOW_MS - 10_000)

    assert found.begins == {"pumps:0": 3, "pumps:1": 0, "commands:0": 0}
    assert found.ends == {"pumps:0": 5, "pumps:1": 0, "commands:0": 0}


async def test_what_lies_between_is_read_and_no_more(cluster):
    await put(cluster, at_ms=NOW_MS, partition=0, numbers=range(5))
    await put(cluster, at_ms=NOW_MS, partition=1, numbers=range(4))

    found = await read(cluster, {"pumps:0": 1, "pumps:1": 3}, {"pumps:0": 4, "pumps:1": 4})

    assert sorted(found) == ["0:1", "0:2", "0:3", "1:3"]


async def test_nothing_between_is_nothing(cluster):
    await put(cluster, at_ms=NOW_MS, partition=0, numbers=range(5))

    assert await read(cluster, {"pumps:0": 5}, {"pumps:0": 5, "pumps:1": 0}) == []
    assert await read(cluster, {}, {}) == []


async def test_the_end_of_a_transaction_is_passed_and_an_aborted_one_is_not_read(cluster):
    client = transactional_producer(cluster, "spans")
    await client.start()
    name = topic_name(cluster, "pumps")
    for well in (True, False, True):
        await client.begin_transaction()
        await client.send_and_wait(name, encode(pump(1)), key=b"a", partition=0)
        await (client.commit_transaction() if well else client.abort_transaction())
    await client.stop()
    ends = (await span(cluster, ["pumps"], 0)).ends

    assert ends["pumps:0"] == 6
    assert await read(cluster, {"pumps:0": 0}, ends) == ["0:0", "0:4"]


async def test_an_end_that_is_never_reached_is_an_error(cluster, monkeypatch):
    monkeypatch.setattr(spans, "SILENT_POLLS_MAX", 2)
    await put(cluster, at_ms=NOW_MS, partition=0, numbers=range(2))

    with pytest.raises(ReadError, match=r"up to 9: .*another Kafka"):
        await read(cluster, {"pumps:0": 0}, {"pumps:0": 9})
