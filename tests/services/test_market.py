"""The market on faust: views of every close, and a restart that goes on where it stopped."""

import asyncio

import pytest

from chandler.core.events import CandleSealed, DeadLetter, MarketView
from chandler.streams.codec import NewerSchemaError, encode
from chandler.streams.faust_worker import FaustView, run_view
from chandler.streams.settings import Installation
from services.declaration import Health
from services.market.views import MarketFold
from tests.streams.exact_cluster import candle, publish, publish_raw, read

DEADLINE_S = 15.0
SYMBOLS = ["AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT"]


class Watched:
    """What the view told."""

    def __init__(self) -> None:
        self.records = 0
        self.letters: list[DeadLetter] = []

    def took(self, records: int, outputs: int) -> None:
        self.records += records

    def dead_letter(self, letter: DeadLetter) -> None:
        self.letters.append(letter)


def candles(first: int, last: int) -> list[CandleSealed]:
    return [candle(symbol, number) for number in range(first, last) for symbol in SYMBOLS]


@pytest.fixture
async def cluster(installation: Installation, topics) -> Installation:
    await topics(("candles.5m", "market", "dead-letters"), partitions=4)
    return installation


async def show(cluster: Installation, number: int) -> tuple[Watched, Health]:
    """Runs the market until it took `number` records and has nothing left to take."""
    stop, health, watched = asyncio.Event(), Health(), Watched()
    setup = FaustView(
        service="market", topic="candles.5m", table="closes", view=MarketFold(), partitions=4
    )
    task = asyncio.create_task(
        run_view(setup, installation=cluster, stop=stop, health=health, watcher=watched)
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not task.done() and not (
                watched.records >= number and health.ready and health.lag == 0
            ):
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await task
    return watched, health


async def newest(cluster: Installation) -> dict[str, MarketView]:
    views = [view for view in await read(cluster, "market") if isinstance(view, MarketView)]
    return {view.window: view for view in views}


@pytest.mark.kafka
async def test_each_window_is_shown_and_a_restart_goes_on_from_its_table(cluster):
    """The day's window after the restart needs the rows from before it."""
    await publish(cluster, candles(0, 280))
    await show(cluster, 280 * 4)
    before = await newest(cluster)
    await publish(cluster, candles(280, 300))
    again, _ = await show(cluster, 20 * 4)
    after = await newest(cluster)

    assert set(before) == {"5m", "1h"}
    assert again.records == 20 * 4
    assert set(after) == {"5m", "1h", "24h"}
    assert after["24h"].at == candle("AAAUSDT", 299).close_ms
    assert after["24h"].symbols == 4
    assert after["24h"].movers_up[0] == ("AAAUSDT", pytest.approx(399 / 111 - 1))  # type: ignore[comparison-overlap]
    assert after["24h"].up == 1.0


@pytest.mark.kafka
async def test_what_is_no_candle_is_a_dead_letter_and_the_rest_goes_on(cluster):
    await publish(cluster, candles(0, 2))
    await publish_raw(cluster, "candles.5m", b"{not json", "AAAUSDT")
    await publish(cluster, candles(2, 4))

    await show(cluster, 17)
    letters = await read(cluster, "dead-letters")

    assert [letter.cause for letter in letters if isinstance(letter, DeadLetter)] == ["undecodable"]
    assert (await newest(cluster))["5m"].at == candle("AAAUSDT", 3).close_ms


@pytest.mark.kafka
async def test_a_newer_schema_stops_it_with_what_to_do(cluster):
    newer = encode(candle("AAAUSDT", 0)).replace(b'"v":1', b'"v":2')
    await publish_raw(cluster, "candles.5m", newer, "AAAUSDT")

    with pytest.raises(NewerSchemaError, match="update this service"):
        await show(cluster, 1)
