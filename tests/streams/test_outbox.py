"""An outbox: all or nothing, and what a fenced transaction means."""

import pytest

from chandler.streams.settings import Installation
from chandler.streams.writing import LostError, Outbox, Record, ReplacedError, outbox
from tests.streams.exact_cluster import candle, read, sub_cluster

pytestmark = pytest.mark.kafka

RECORDS = [Record("candles.5m", "AAAUSDT", candle("AAAUSDT", number)) for number in range(3)]


@pytest.fixture
async def cluster(installation: Installation) -> Installation:
    return await sub_cluster(installation, "outbox", partitions=2)


async def test_a_newer_holder_of_the_name_ends_the_older_one(cluster):
    older, newer = Outbox(cluster, "ingest-0"), Outbox(cluster, "ingest-0")
    await older.open()
    await newer.open()

    with pytest.raises(ReplacedError, match="another instance took over"):
        await older.write(RECORDS)
    await newer.write(RECORDS)
    await newer.close()

    assert len(await read(cluster, "candles.5m")) == 3


async def test_a_transaction_that_the_broker_ended_for_its_length_is_no_take_over(
    cluster, monkeypatch
):
    """With 200 symbols on a busy machine the backfill's transactions took more than 5 s; the

    broker ends those with the very answer that a taken-over producer gets, and ingest ended.
    """
    monkeypatch.setattr(outbox, "TRANSACTION_TIMEOUT_MS", 0)
    slow, thief = Outbox(cluster, "ingest-0"), Outbox(cluster, "ingest-0")
    await slow.open()
    await thief.open()
    await thief.close()

    with pytest.raises(LostError, match="a transaction took"):
        await slow.write(RECORDS)
    await slow.open()
    await slow.write(RECORDS)
    await slow.close()

    assert len(await read(cluster, "candles.5m")) == 3
