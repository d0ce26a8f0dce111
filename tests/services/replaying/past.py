"""A recorded past for replays: its records, how they are read back, and the command's words."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient

from chandler.core.events import Event, FundingRate, Instrument, Symbol, Ticker, event_at
from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS
from chandler.core.trading.events import TickersOut
from chandler.streams.admin import TopicState
from chandler.streams.clients import admin, producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.reader import Record, read_topics
from chandler.streams.settings import Installation
from services.cli.replaying.deciding import iso
from tests.candles import START_MS

PARTITIONS = 3
SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
DAYS = 3
FROM_MS = START_MS + 2 * DAY_MS
TO_MS = FROM_MS + 6 * HOUR_MS
CANDLES_A_DAY = DAY_MS // (5 * MINUTE_MS)
PERIOD = ("--to", iso(TO_MS))


def prices(symbol: str, begin_ms: int, end_ms: int, step_ms: int = 5 * MINUTE_MS) -> list[Event]:
    """A ticker now and then, and each time a word how far they are out."""
    events: list[Event] = []
    for at in range(begin_ms, end_ms, step_ms):
        minute = at - at % MINUTE_MS
        events.append(
            Ticker(
                symbol=Symbol(symbol),
                at=at,
                last="100",
                bid="100",
                ask="100",
                mark="100",
                minute_open_ms=minute,
                minute_volume=0.0,
            )
        )
        events.append(TickersOut(shard=0, shards=1, at=at))
    return events


def terms(symbol: str, at: int) -> list[tuple[str, Event]]:
    instrument = Instrument(
        symbol=Symbol(symbol),
        price_step="0.1",
        size_step="0.1",
        size_min="0.1",
        notional_min="5",
        maker_fee="0.0002",
        taker_fee="0.0006",
        leverage_max=20,
        status="normal",
        seen_at=at,
    )
    rate = FundingRate(symbol=Symbol(symbol), rate="0.0001", interval_h=8, next_ms=at, seen_at=at)
    return [("instruments", instrument), ("funding", rate)]


async def put(installation: Installation, records: list[tuple[str, Event]]) -> None:
    """Writes events to their topics; those of a symbol to its partition, as murmur2 says."""
    async with producer(installation) as client:
        for name, event in records:
            key = getattr(event, "symbol", "@out").encode()
            headers = [("source", b"test")]
            await client.send(
                topic_name(installation, name), encode(event), key=key, headers=headers
            )
        await client.flush()


async def bytes_of(installation: Installation, *names: str) -> dict[tuple[str, int], list[Record]]:
    found: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
    async for record in read_topics(installation, names):
        found[record.topic, record.partition].append(record)
    return dict(found)


def event_at_of(record: Record) -> int:
    assert record.event is not None
    return event_at(record.event)


@asynccontextmanager
async def client_of(installation: Installation) -> AsyncIterator[AIOKafkaAdminClient]:
    client = admin(installation)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


def plain(records: dict[tuple[str, int], list[Record]]) -> dict[tuple[str, int], list[object]]:
    return {
        place: [(each.key, each.raw, each.headers) for each in of] for place, of in records.items()
    }


def standing(states: list[TopicState]) -> dict[str, tuple[list[int], list[int]]]:
    return {each.name: (each.begin, each.end) for each in states}


def words(other: Installation, *more: str, from_ms: int = FROM_MS) -> tuple[str, ...]:
    fixed = ("--prefix", other.topic_prefix, "--speed", "max", "--json")
    return ("replay", "--from", iso(from_ms), *fixed, *more)
