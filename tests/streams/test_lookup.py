"""Finding single records in long topics: by offset, and by a number that they come in order of."""

import asyncio
from typing import Any

import msgspec
import pytest

from chandler.core.events import CandleSealed, Event, Signal, Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.streams import lookup as module
from chandler.streams.admin import create_topics
from chandler.streams.clients import producer, topic_name, transactional_producer
from chandler.streams.codec import encode
from chandler.streams.lookup import Lookup
from chandler.streams.reader import Record
from chandler.streams.settings import Installation
from tests.conftest import Topics

pytestmark = pytest.mark.kafka

START_MS = 1_704_067_200_000
SYMBOLS = ("AUSDT", "BUSDT", "CUSDT")
CLOSES = 2_000
M5 = Granularity("5m")


def candle(symbol: str, number: int) -> CandleSealed:
    return CandleSealed(
        symbol=Symbol(symbol),
        granularity=M5,
        open_ms=START_MS + number * interval_ms(M5),
        open=1.0,
        high=2.0,
        low=0.5,
        close=1.5,
        volume=1.0,
        quote_volume=1.5,
    )


def close_of(event: Event) -> int | None:
    return event.close_ms if isinstance(event, CandleSealed) else None


def of(symbol: str, number: int) -> tuple[int, Any]:
    """The number to look for, and what is wanted."""
    close_ms = candle(symbol, number).close_ms

    def wanted(record: Record) -> bool:
        event = record.event
        if not isinstance(event, CandleSealed):
            return False
        return event.symbol == symbol and event.close_ms == close_ms

    return close_ms, wanted


@pytest.fixture(scope="module")
def filled(kafka: Installation) -> Installation:
    """6,000 candles of three symbols in one partition, each close of all before the next."""
    installation = msgspec.structs.replace(kafka, topic_prefix="lookup.")
    asyncio.run(_fill(installation))
    return installation


async def _fill(installation: Installation) -> None:
    await create_topics(installation, 1, 1, ["candles.5m", "signals"])
    async with producer(installation, linger_ms=5) as client:
        for number in range(CLOSES):
            for symbol in SYMBOLS:
                name = topic_name(installation, "candles.5m")
                await client.send(name, encode(candle(symbol, number)), key=symbol.encode())
        await client.flush()


@pytest.mark.parametrize("number", [0, 1, 700, 1_234, CLOSES - 1])
async def test_a_record_is_found_by_its_number(
    filled: Installation, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(module, "NEAR", 50)

    async with Lookup(filled) as lookup:
        found = await lookup.find("candles.5m", 0, close_of, *of("BUSDT", number))

    assert found is not None
    assert found.event == candle("BUSDT", number)
    assert found.offset == 3 * number + 1


async def test_only_the_neighbourhood_of_a_record_is_read(
    filled: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEAR", 50)
    read: list[int] = []
    close_ms, wanted = of("CUSDT", 1_500)

    def counted(record: Record) -> bool:
        read.append(record.offset)
        return bool(wanted(record))

    async with Lookup(filled) as lookup:
        found = await lookup.find("candles.5m", 0, close_of, close_ms, counted)

    assert found is not None
    assert len(read) <= 150


async def test_a_record_far_from_where_its_number_says_is_found_by_reading_all(
    filled: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NEAR", 50)
    _, wanted = of("AUSDT", 3)

    async with Lookup(filled) as lookup:
        found = await lookup.find(
            "candles.5m",
            0,
            close_of,
            candle("AUSDT", 1_900).close_ms,
            wanted,
        )

    assert found is not None
    assert found.offset == 9


async def test_what_is_not_there_is_none(filled: Installation) -> None:
    async with Lookup(filled) as lookup:
        late = await lookup.find("candles.5m", 0, close_of, *of("AUSDT", CLOSES))
        empty = await lookup.find("signals", 0, close_of, *of("AUSDT", 1))

    assert (late, empty) == (None, None)


async def test_events_without_a_number_are_passed_over(
    filled: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The closes of one symbol among others'."""
    monkeypatch.setattr(module, "NEAR", 20)

    def number(event: Event) -> int | None:
        is_it = isinstance(event, CandleSealed) and event.symbol == "CUSDT"
        return event.close_ms if is_it and isinstance(event, CandleSealed) else None

    async with Lookup(filled) as lookup:
        found = await lookup.find("candles.5m", 0, number, *of("CUSDT", 999))

    assert found is not None
    assert found.offset == 2_999


async def test_a_record_is_read_by_its_offset(filled: Installation) -> None:
    async with Lookup(filled) as lookup:
        found = await lookup.at("candles.5m", 0, 4_000)
        beyond = await lookup.at("candles.5m", 0, 3 * CLOSES)
        again = await lookup.at("candles.5m", 0, 1)

    assert found is not None
    assert found.event == candle(SYMBOLS[4_000 % 3], 4_000 // 3)
    assert beyond is None
    assert again is not None
    assert again.offset == 1


async def test_the_mark_of_a_transaction_is_no_record(
    installation: Installation, topics: Topics
) -> None:
    await topics(["candles.5m"], partitions=1)
    name = topic_name(installation, "candles.5m")
    client = transactional_producer(installation, "lookup")
    await client.start()
    for number in range(2):
        async with client.transaction():
            await client.send(name, encode(candle("AUSDT", number)), key=b"AUSDT")
    await client.stop()

    async with Lookup(installation) as lookup:
        mark = await lookup.at("candles.5m", 0, 1)
        second = await lookup.find("candles.5m", 0, close_of, *of("AUSDT", 1))

    assert mark is None
    assert second is not None
    assert second.offset == 2


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "PEPEUSDT", "1000BONKUSDT"])
async def test_a_keys_partition_is_where_the_producer_puts_it(
    installation: Installation, topics: Topics, symbol: str
) -> None:
    await topics(["signals"], partitions=8)
    signal = Signal(
        id="s",
        symbol=Symbol(symbol),
        side="long",
        strength=0.5,
        source="engine",
        granularity=M5,
        close_ms=START_MS,
        expires_ms=START_MS,
        reason="",
        inputs=[],
        config="",
        code="",
    )
    async with producer(installation) as client:
        name = topic_name(installation, "signals")
        sent = await client.send_and_wait(name, encode(signal), key=symbol.encode())

    async with Lookup(installation) as lookup:
        partition = await lookup.partition_of("signals", symbol)
        found = await lookup.at("signals", partition, sent.offset)

    assert partition == sent.partition
    assert found is not None
    assert found.event == signal
