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

DEADLINE_S = 60.0
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


async def newest(cluster: Installation) -> dict[str, MarketView]:
    views = [view for view in await read(cluster, "market") if isinstance(view, MarketView)]
    return {view.window: view for view in views}


async def show(
    cluster: Installation, number: int, windows: tuple[str, ...] = ("5m",)
) -> tuple[dict[str, MarketView], Watched]:
    """Runs the market until it shows candle `number` of all symbols in these windows; its views."""
    stop, health, watched = asyncio.Event(), Health(), Watched()
    setup = FaustView(
        service="market", topic="candles.5m", table="closes", view=MarketFold(), partitions=4
    )
    task = asyncio.create_task(
        run_view(setup, installation=cluster, stop=stop, health=health, watcher=watched)
    )
    views: dict[str, MarketView] = {}
    try:
        async with asyncio.timeout(DEADLINE_S):
            close_ms = candle("AAAUSDT", number).close_ms
            while not task.done() and not all(
                name in views and views[name].at == close_ms and views[name].symbols == len(SYMBOLS)
                for name in windows
            ):
                await asyncio.sleep(0.1)
                views = await newest(cluster)
    finally:
        stop.set()
        await task
    return views, watched


@pytest.mark.kafka
async def test_each_window_is_shown_and_a_restart_goes_on_from_its_table(cluster):
    """The day's window after the restart needs the rows from before it."""
    await publish(cluster, candles(0, 280))
    before, _ = await show(cluster, 279, ("5m", "1h"))
    await publish(cluster, candles(280, 300))
    after, again = await show(cluster, 299, ("5m", "1h", "24h"))

    assert set(before) == {"5m", "1h"}
    assert set(after) == {"5m", "1h", "24h"}
    assert again.records < 280  # it did not read everything again
    assert after["24h"].at == candle("AAAUSDT", 299).close_ms
    assert after["24h"].symbols == 4
    assert dict(after["24h"].movers_up) == pytest.approx(dict.fromkeys(SYMBOLS, 399 / 111 - 1))
    assert after["24h"].up == 1.0


@pytest.mark.kafka
async def test_what_is_no_candle_is_a_dead_letter_and_the_rest_goes_on(cluster):
    await publish(cluster, candles(0, 2))
    await publish_raw(cluster, "candles.5m", b"{not json", "AAAUSDT")
    await publish(cluster, candles(2, 4))

    _, watched = await show(cluster, 3)
    letters = await read(cluster, "dead-letters")

    assert [letter.cause for letter in letters if isinstance(letter, DeadLetter)] == ["undecodable"]
    assert len(watched.letters) == 1


@pytest.mark.kafka
async def test_a_newer_schema_stops_it_with_what_to_do(cluster):
    newer = encode(candle("AAAUSDT", 0)).replace(b'"v":1', b'"v":2')
    await publish_raw(cluster, "candles.5m", newer, "AAAUSDT")

    with pytest.raises(NewerSchemaError, match="update this service"):
        await show(cluster, 1)
