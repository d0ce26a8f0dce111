"""Topics: made from the catalogue in one go, and refused where they differ from it."""

import asyncio

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chandler.streams.admin import TopicError, check_topics, configuration, create_topics, describe
from chandler.streams.catalogue import TOPICS, topic
from chandler.streams.clients import admin, consumer, producer, topic_name
from chandler.streams.settings import Installation

pytestmark = pytest.mark.kafka

COMPACTION_S_MAX = 120.0


async def test_the_whole_catalogue_is_created_once_and_can_be_written_to_at_once(installation):
    created = await create_topics(installation, 2, 1)
    again = await create_topics(installation, 2, 1)
    async with producer(installation, retry_backoff_ms=1) as client:
        for one in TOPICS:
            await client.send_and_wait(topic_name(installation, one.name), b"x", key=b"k")
    found = await describe(installation)

    assert created == [one.name for one in TOPICS]
    assert again == []
    assert [(state.name, state.partitions) for state in found] == [
        (one.name, one.partitions or 2) for one in TOPICS
    ]
    assert {state.records for state in found} == {1}
    assert all(state.bytes is None or state.bytes > 0 for state in found)


async def test_what_is_missing_is_added_to_what_is_there(installation, topics):
    await topics(["signals"], partitions=3)
    created = await topics(["signals", "matrix"], partitions=3)

    assert created == ["matrix"]


async def test_two_who_create_at_the_same_time_both_succeed(installation):
    names = ["signals", "matrix", "infra"]
    created = await asyncio.gather(*(create_topics(installation, 2, 1, names) for _ in range(3)))
    await check_topics(installation, names, 2)

    assert {name for one in created for name in one} == set(names)


async def test_a_partition_count_that_differs_is_refused(installation, topics):
    await topics(["signals", "infra"], partitions=2)

    with pytest.raises(TopicError, match=r"^topic signals has 2 partitions, .* says 4: [^\n]*$"):
        await create_topics(installation, 4, 1, ["signals", "infra"])
    with pytest.raises(TopicError, match="topic signals has 2 partitions"):
        await check_topics(installation, ["infra", "signals"], 4)


async def test_a_service_finds_what_it_needs(installation, topics):
    await topics(["signals", "infra"], partitions=2)

    await check_topics(installation, ["signals", "infra"], 2)


async def test_a_missing_topic_is_refused_and_not_made_by_asking(installation, topics):
    await topics(["signals"], partitions=2)

    for _ in range(2):
        with pytest.raises(TopicError, match=r"1 of 2 topics are missing .*\(matrix\)"):
            await check_topics(installation, ["signals", "matrix"], 2)


async def test_a_topic_that_the_catalogue_lacks_is_refused(installation):
    with pytest.raises(TopicError, match="unknown topic sgnals"):
        await check_topics(installation, ["sgnals"], 2)
    with pytest.raises(TopicError, match="unknown topic sgnals"):
        await create_topics(installation, 2, 1, ["sgnals"])


async def test_more_replicas_than_brokers_are_refused_in_one_line(installation):
    with pytest.raises(TopicError, match=r"^topic .*signals can't be created: [^\n]+$"):
        await create_topics(installation, 2, 9, ["signals"])


async def test_brokers_that_are_gone_are_one_line(installation):
    gone = msgspec.structs.replace(installation, brokers="127.0.0.1:9")

    with pytest.raises(TopicError, match=r"^topics can't be looked at on 127.0.0.1:9: [^\n]+$"):
        await check_topics(gone, ["signals"], 2)


async def test_nothing_is_described_where_nothing_is(installation):
    assert await describe(installation) == []


@pytest.mark.parametrize("name", ["candles.5m", "candles.last", "tickers"])
async def test_the_cluster_holds_the_settings_of_the_catalogue(installation, topics, name):
    await topics([name], partitions=1)
    expected = configuration(topic(name))
    client = admin(installation)
    await client.start()
    asked = ConfigResource(ConfigResourceType.TOPIC, topic_name(installation, name))
    [answer] = await client.describe_configs([asked])
    await client.close()
    found = {entry[0]: entry[1] for entry in answer.resources[0][4]}

    assert {key: found[key] for key in expected} == expected


async def test_a_compacted_topic_forgets_what_was_overwritten(installation, topics):
    await topics(["candles.last"], partitions=1)
    name = topic_name(installation, "candles.last")
    async with producer(installation) as client:
        for number in range(24):  # 24 MB, three segments
            await client.send_and_wait(name, bytes([number]) * 1_000_000, key=b"k")
    async with asyncio.timeout(COMPACTION_S_MAX):
        while len(found := await _values(installation, name)) > 12:
            await asyncio.sleep(1)

    assert found[-1] == bytes([23]) * 1_000_000


async def _values(installation: Installation, name: str) -> list[bytes]:
    tp = TopicPartition(name, 0)
    async with consumer(installation, fetch_max_wait_ms=50) as client:
        client.assign([tp])
        end = (await client.end_offsets([tp]))[tp]
        client.seek(tp, (await client.beginning_offsets([tp]))[tp])
        values: list[bytes] = []
        while await client.position(tp) < end:
            batches = await client.getmany(tp, timeout_ms=500)
            values += [record.value for record in batches.get(tp, [])]
        return values
