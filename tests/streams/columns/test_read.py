"""Reading candles as columns from a real Kafka, and again from the cache."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pytest

from chandler.core.events import Candle, CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity, interval_ms
from chandler.streams.admin import create_topics
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import NewerSchemaError, encode
from chandler.streams.columns import CandleReading, gather_candles, read_candles
from chandler.streams.columns.cache import cache_folder
from chandler.streams.columns.decoding import CANDLE_FLOATS
from chandler.streams.settings import Installation
from tests.streams.exact_cluster import START_MS, candle, publish

pytestmark = pytest.mark.kafka
SYMBOLS = ("BTCUSDT", "ETHUSDT", "XRPUSDT", "SOLUSDT", "ADAUSDT")
FIVE_MS = interval_ms(Granularity("5m"))


@pytest.fixture
async def place(installation: Installation, topics, tmp_path: Path) -> Installation:
    """Two topics of candles, and a cache of its own."""
    await topics(["candles.5m", "candles.1H"], partitions=4)
    return msgspec.structs.replace(installation, data=tmp_path)


def real(symbol: str, number: int, granularity: str = "5m") -> CandleSealed:
    """A candle with all the digits that a float can have."""
    walk = random.Random(f"{symbol}{number}{granularity}")
    numbers = {name: walk.lognormvariate(0.0, 20.0) for name in CANDLE_FLOATS}
    return msgspec.structs.replace(candle(symbol, number, granularity), **numbers)


def missing(symbol: str, number: int) -> CandleMissing:
    open_ms = START_MS + number * FIVE_MS
    return CandleMissing(symbol=Symbol(symbol), granularity=Granularity("5m"), open_ms=open_ms)


async def send(place: Installation, values: Iterable[tuple[str, bytes | None]]) -> None:
    """Records as they are, to candles.5m."""
    async with producer(place) as sender:
        for key, value in values:
            await sender.send_and_wait(topic_name(place, "candles.5m"), value, key=key.encode())


def events(reading: CandleReading) -> dict[tuple[str, str], list[Candle]]:
    """The events that the columns say, by symbol and granularity."""
    found: dict[tuple[str, str], list[Candle]] = {}
    for (symbol, granularity), each in reading.columns.items():
        assert (each.symbol, each.granularity) == (symbol, granularity)
        own: list[Candle] = []
        for row, open_ms in enumerate(each.open_ms.tolist()):
            numbers = {name: getattr(each, name)[row].item() for name in CANDLE_FLOATS}
            if each.missing[row]:
                assert set(numbers.values()) == {0.0}
                slot = CandleMissing(symbol=symbol, granularity=granularity, open_ms=open_ms)
                own.append(slot)
            else:
                own.append(
                    CandleSealed(symbol=symbol, granularity=granularity, open_ms=open_ms, **numbers)
                )
        found[symbol, granularity] = own
    return found


def grouped(candles: Sequence[Candle]) -> dict[tuple[str, str], list[Candle]]:
    found: dict[tuple[str, str], list[Candle]] = {}
    for each in candles:
        found.setdefault((each.symbol, each.granularity), []).append(each)
    return found


async def test_columns_are_the_events_bit_by_bit_from_kafka_and_from_the_cache(place) -> None:
    candles = [real(symbol, n) for n in range(50) for symbol in SYMBOLS]
    hours = [real(symbol, n, "1H") for n in range(4) for symbol in SYMBOLS]
    await publish(place, [*candles, *hours])
    await send(place, [("BTCUSDT", encode(missing("BTCUSDT", 50)))])

    seen: list[tuple[int, int]] = []
    first = await gather_candles(
        place, ["5m", "1H"], progress=lambda done, total: seen.append((done, total))
    )
    again = read_candles(place, ["5m", "1H"])
    await publish(place, [real(symbol, 51) for symbol in SYMBOLS])
    later = read_candles(place, ["5m", "1H"])

    expected = grouped([*candles, *hours, missing("BTCUSDT", 50)])
    assert events(first) == events(again) == expected
    for each in SYMBOLS:
        expected[each, "5m"].append(real(each, 51))
    assert events(later) == expected
    rows = len(candles) + len(hours) + 1
    assert [(r.report.cached_rows, r.report.fetched_rows) for r in (first, again, later)] == [
        (0, rows),
        (rows, 0),
        (rows, len(SYMBOLS)),
    ]
    assert all(r.report.live and not r.report.warnings for r in (first, again, later))
    assert later.report.holes == len(SYMBOLS) - 1
    assert seen[-1][0] == seen[-1][1] > 0
    for columns in later.columns.values():
        assert all(array.flags.writeable and array.flags.c_contiguous for array in columns[2:])


async def test_nothing_of_an_aborted_transaction_is_read(place) -> None:
    for number in range(5):
        await publish(place, [real(symbol, number) for symbol in SYMBOLS])
        await publish(place, [real(SYMBOLS[0], 90 + number)], commit=False)
        reading = read_candles(place, ["5m"])

        assert events(reading) == grouped([real(s, n) for n in range(number + 1) for s in SYMBOLS])
        assert reading.report.fetched_rows == len(SYMBOLS)


async def test_rubbish_and_repeats_cost_themselves_only_and_are_counted(place) -> None:
    good = [real("BTCUSDT", n) for n in (0, 1, 2, 5)]
    off_grid = msgspec.structs.replace(real("BTCUSDT", 6), open_ms=START_MS + 1)
    twice = encode(good[0]) + b"," + encode(good[1])
    rubbish = [
        b"rubbish",
        b"",
        b"[]",
        None,
        twice,
        encode(off_grid),
        encode(real("BTCUSDT", 0, "1H")),
    ]
    values = [
        *map(encode, good[:2]),
        *rubbish,
        encode(msgspec.structs.replace(good[1], close=1.0)),
        encode(good[0]),
        *map(encode, good[2:]),
    ]
    await send(place, [("BTCUSDT", value) for value in values])

    first, again = read_candles(place, ["5m"]), read_candles(place, ["5m"])

    for reading in (first, again):
        assert events(reading) == grouped(good)
        report = reading.report
        assert (report.undecodable, report.dropped, report.holes) == (len(rubbish), 2, 2)


async def test_a_record_of_newer_code_ends_the_reading(place) -> None:
    await send(place, [("BTCUSDT", encode(msgspec.structs.replace(real("BTCUSDT", 0), v=2)))])

    with pytest.raises(NewerSchemaError):
        read_candles(place, ["5m"])


async def test_symbols_times_and_offsets_select(place) -> None:
    await send(place, [(s, encode(real(s, n))) for n in range(20) for s in ("BTCUSDT", "ETHUSDT")])

    reading = read_candles(
        place, ["5m"], ["BTCUSDT", "NONE"], START_MS + 3 * FIVE_MS, START_MS + 7 * FIVE_MS
    )
    everything = read_candles(place, ["5m"])
    limits = dict.fromkeys(everything.report.until, (0, 5))
    few = read_candles(place, ["5m"], offsets=limits)
    nothing = read_candles(place, ["5m"], from_ms=START_MS + 20 * FIVE_MS)

    assert events(reading) == grouped([real("BTCUSDT", n) for n in range(3, 7)])
    ends = [end for end in everything.report.until.values() if end]
    assert few.report.rows == 5 * len(ends)
    assert all(np.all(np.diff(each.open_ms) == FIVE_MS) for each in few.columns.values())
    assert nothing.columns == {}


async def test_a_symbol_in_two_partitions_is_one_series_by_time(place) -> None:
    """So it is once the number of partitions was raised."""
    name = topic_name(place, "candles.5m")
    async with producer(place) as sender:
        for number in range(6):
            value = encode(real("BTCUSDT", number))
            await sender.send_and_wait(
                name, value, key=b"BTCUSDT", partition=3 if number < 4 else 0
            )
        await sender.send_and_wait(name, encode(real("BTCUSDT", 2)), partition=0)
        await sender.send_and_wait(name, encode(real("BTCUSDT", 1)), partition=1)

    reading = read_candles(place, ["5m"])

    assert events(reading) == grouped([real("BTCUSDT", n) for n in range(6)])
    assert reading.report.dropped == 2


async def test_a_corrupt_file_is_read_from_kafka_again(place) -> None:
    await publish(place, [real(symbol, n) for n in range(50) for symbol in SYMBOLS])
    before = events(read_candles(place, ["5m"]))
    damaged = sorted(cache_folder(place).rglob("*.parquet"))[0]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:200] + bytes([whole[200] ^ 255]) + whole[201:])

    reading, again = read_candles(place, ["5m"]), read_candles(place, ["5m"])

    assert events(reading) == events(again) == before
    assert len(reading.report.warnings) == 1
    assert "thrown away" in reading.report.warnings[0]
    assert reading.report.fetched_rows > 0
    assert again.report.warnings == []
    assert again.report.fetched_rows == 0


@pytest.mark.parametrize("rows", [3, 10, 30])
async def test_the_cache_of_a_topic_that_was_made_anew_is_dropped(place, rows) -> None:
    """With fewer records than the one before, as many, or more."""
    await send(place, [("BTCUSDT", encode(real("BTCUSDT", n))) for n in range(10)])
    read_candles(place, ["5m"])
    anew = msgspec.structs.replace(place, topic_prefix=f"{place.topic_prefix}anew.")
    await create_topics(anew, 4, 1, ["candles.5m"])
    async with producer(anew) as sender:
        for number in range(rows):
            value = encode(real("BTCUSDT", 100 + number))
            await sender.send_and_wait(topic_name(anew, "candles.5m"), value, key=b"BTCUSDT")
    (old,) = (each for each in cache_folder(place).rglob("*candles.5m"))
    old.rename(old.with_name(topic_name(anew, "candles.5m")))

    reading, again = read_candles(anew, ["5m"]), read_candles(anew, ["5m"])

    expected = grouped([real("BTCUSDT", 100 + n) for n in range(rows)])
    assert events(reading) == events(again) == expected
    assert ["is another one than was cached" in line for line in reading.report.warnings] == [True]
    assert again.report.warnings == []


async def test_many_readers_at_once_read_the_same(place) -> None:
    candles = [real(symbol, n) for n in range(200) for symbol in SYMBOLS]
    await publish(place, candles)

    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(read_candles, place, ["5m"]) for _ in range(4)]
        readings = await asyncio.gather(*map(asyncio.wrap_future, found))

    assert [events(each) == grouped(candles) for each in readings] == [True] * 4
    assert events(read_candles(place, ["5m"])) == grouped(candles)


async def test_a_topic_that_is_not_there_is_named(place) -> None:
    reading = read_candles(place, ["5m", "4H"])

    assert reading.report.absent == ["candles.4H"]
    assert reading.columns == {}


async def test_an_unknown_granularity_is_refused(place) -> None:
    with pytest.raises(ValueError, match="unknown granularity '7m'"):
        read_candles(place, ["7m"])


async def test_a_reading_says_little_of_itself(place) -> None:
    """asyncio.run spells out its task's result: it took ten times as long as the reading."""
    await publish(place, [real(symbol, n) for n in range(3) for symbol in SYMBOLS])

    assert repr(read_candles(place, ["5m"])) == "CandleReading(columns=5, rows=15)"
