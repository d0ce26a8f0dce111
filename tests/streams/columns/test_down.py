"""Reading without a cluster, and tickers from a real one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chandler.core.events import Event, Symbol, Ticker
from chandler.core.trading.events import TickersOut
from chandler.streams import embedded
from chandler.streams.admin import create_topics
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.columns import (
    TickerReading,
    clear_cache,
    gather_tickers,
    read_candles,
    read_tickers,
)
from chandler.streams.reader import ReadError
from chandler.streams.settings import Installation, installation
from tests.conftest import free_port_base
from tests.streams.exact_cluster import candle, publish

pytestmark = pytest.mark.kafka


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose Kafka a test may stop; it doesn't run yet."""
    mine = installation(
        {"CHANDLER_DATA": str(tmp_path), "CHANDLER_PORT_BASE": str(free_port_base())}
    )
    yield mine
    embedded.stop(mine)


def ticker(symbol: str, at: int, last: str) -> Ticker:
    return Ticker(
        symbol=Symbol(symbol),
        at=at,
        last=last,
        bid=f"{last}0",
        ask=f"{last}1",
        mark="",
        minute_open_ms=at - at % 60_000,
        minute_volume=at / 7,
    )


async def send(place: Installation, events: list[tuple[int, Event]]) -> None:
    """To partitions of `tickers`."""
    async with producer(place) as sender:
        for partition, event in events:
            name = topic_name(place, "tickers")
            await sender.send_and_wait(name, encode(event), key=b"k", partition=partition)


async def test_with_the_cluster_down_what_is_cached_is_given_and_up_to_when(own) -> None:
    candles = [candle(symbol, n) for n in range(30) for symbol in ("BTCUSDT", "ETHUSDT")]
    with embedded.lease(own):
        await create_topics(own, 2, 1, ["candles.5m"])
        await publish(own, candles)
        before = await asyncio.to_thread(read_candles, own, ["5m"])
    embedded.stop(own)

    down = read_candles(own, ["5m", "1H"])
    report = down.report

    assert before.report.live
    assert not report.live
    assert report.rows == before.report.rows == len(candles)
    assert report.until == before.report.until
    assert report.newest_ms == before.report.newest_ms > 0
    assert report.absent == ["candles.1H"]
    assert len(report.warnings) == 1
    assert "Kafka can't be reached" in report.warnings[0]
    for key, columns in before.columns.items():
        for one, other in zip(columns[2:], down.columns[key][2:], strict=True):
            assert one.tobytes() == other.tobytes()
    clear_cache(own)
    with pytest.raises(ReadError, match=r"nothing of candles\.5m is cached"):
        read_candles(own, ["5m"])


async def test_tickers_come_back_as_they_were_with_their_places(
    installation: Installation, topics, tmp_path: Path
) -> None:
    place = msgspec.structs.replace(installation, data=tmp_path)
    await topics(["tickers"], partitions=2)
    btc = [ticker("BTCUSDT", 1_000 * n, f"42000.{n}") for n in range(1, 6)]
    eth = [ticker("ETHUSDT", 1_000, "rubbish"), ticker("ETHUSDT", 2_000, "2300.50")]
    out = TickersOut(shard=0, shards=1, at=3_000)
    sent: list[tuple[int, Event]] = [
        *((0, each) for each in btc[:3]),
        (0, btc[1]),  # older
        (0, btc[2]),  # again
        *((1, each) for each in eth),
        *((partition, out) for partition in range(2)),
        *((0, each) for each in btc[3:]),
    ]
    await send(place, sent)

    first = await gather_tickers(place)
    again = read_tickers(place)
    some = read_tickers(place, ["BTCUSDT"], from_ms=2_000, to_ms=4_000)

    for reading in (first, again):
        assert events(reading, "BTCUSDT") == btc
        assert events(reading, "ETHUSDT") == eth
        assert reading.columns[Symbol("BTCUSDT")].offset.tolist() == [0, 1, 2, 6, 7]
        assert reading.columns[Symbol("ETHUSDT")].partition.tolist() == [1, 1]
        assert reading.report.dropped == 2
        assert reading.out.at.tolist() == [3_000, 3_000]
        assert reading.out.partition.tolist() == [0, 1]
        assert reading.out.offset.tolist() == [5, 2]
    assert again.report.fetched_rows == 0
    assert list(some.columns) == ["BTCUSDT"]
    assert events(some, "BTCUSDT") == btc[1:3]


def events(reading: TickerReading, symbol: str) -> list[Ticker]:
    columns = reading.columns[Symbol(symbol)]
    return [columns.ticker(row) for row in range(len(columns.at))]
