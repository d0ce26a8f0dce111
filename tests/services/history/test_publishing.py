"""The publisher: a transaction that is lost is neither repeated nor left out, a fenced one ends."""

import itertools
from collections.abc import Sequence

import pytest

from chandler.streams.settings import Installation
from chandler.streams.writing import LostError, Outbox, Record, ReplacedError
from services.history import publishing
from services.history.publishing import Batches, Publisher
from tests.candles import BTC, path
from tests.conftest import Topics
from tests.services.ingesting import candles, faults_of, records

TOPICS = ("candles.5m", "candles.last")


async def sent(publisher: Publisher, count: int, step: int = 50) -> int:
    batches = Batches([iter(path(count))])
    total = 0
    while batch := batches.take(step):
        total += await publisher.publish(batch)
    return total


def test_every_symbol_has_its_turn() -> None:
    batches = Batches([iter(path(1_000)), iter(path(700, 2))])

    sizes = [len(batches.take(800)) for _ in range(4)]

    assert sizes == [800, 800, 100, 0]


@pytest.mark.kafka
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_transaction_that_is_lost_is_neither_repeated_nor_left_out(
    installation: Installation, topics: Topics, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka may have committed what it could not acknowledge: what is out is read back."""
    await topics(TOPICS)
    writes = itertools.count(1)
    whole = Outbox.write

    async def write(self: Outbox, batch: Sequence[Record]) -> None:
        if next(writes) % 4:
            await whole(self, batch)
            return
        if after:
            await whole(self, batch)
        await self.close()
        raise LostError("the test lost this one")

    monkeypatch.setattr(Outbox, "write", write)
    monkeypatch.setattr(publishing, "REOPEN_S", 0.0)
    publisher = Publisher(installation, 2, "import")
    await publisher.open()
    total = await sent(publisher, 600)
    await publisher.close()
    found = await candles(installation)

    assert found == {(BTC, "5m"): path(600)}
    assert total == (600 if not after else 600 - 50 * (next(writes) // 4))


@pytest.mark.kafka
async def test_who_opens_the_shard_later_ends_the_publisher(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    publisher = Publisher(installation, 1, "import")
    await publisher.open()
    await sent(publisher, 100)
    ingest = Outbox(installation, "ingest-0")
    await ingest.open()

    with pytest.raises(ReplacedError, match="another instance took over"):
        await sent(publisher, 200)

    await ingest.close()
    await publisher.close()
    found = await candles(installation)
    headers = [each.headers for each in await records(installation, "candles.5m")]

    assert faults_of(found) == []
    assert headers == [{"source": b"import"}] * 100
