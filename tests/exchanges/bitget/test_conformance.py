"""The client against the simulator: both were written after the same pages, not each other."""

import contextlib
from collections.abc import AsyncIterator
from random import Random

import pytest

from chandler.core.granularity import INTERVAL_MS, MINUTE_MS, Granularity, slot_open
from chandler.exchanges.bitget import errors
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.bitget.feed import Feed, FeedEvent, Received
from chandler.exchanges.bitget.parse import CandlePush, Refused, Subscribed, TickerPush
from chandler.exchanges.bitget.rest import Rest
from chandler.exchanges.bitget.symbols import TICKER, channel_of
from chandler.exchanges.simulator.config import SimulatorConfig
from chandler.exchanges.simulator.server import Simulator
from tests.exchanges.bitget.scripted import until

M1, M5, D1 = Granularity("1m"), Granularity("5m"), Granularity("1D")
SPEED = 300.0


@contextlib.asynccontextmanager
async def playing(faults: str = "") -> AsyncIterator[Simulator]:
    config = SimulatorConfig(speed=SPEED, symbols=5, faults=faults)
    async with Simulator(config, None, 0) as simulator:
        yield simulator


def client(simulator: Simulator) -> Rest:
    return Rest(VenueConfig(rest_url=simulator.rest_url), SPEED, random=Random(1))


async def test_every_question_to_the_simulator_gets_a_readable_answer() -> None:
    async with playing() as simulator, client(simulator) as rest:
        now = await rest.server_time()
        instruments = await rest.contracts()
        symbol = instruments[0].symbol
        forming = (await rest.candles(symbol, M1, limit=3))[-1]
        tickers, funding = await rest.tickers(), await rest.funding()
        depth = await rest.merge_depth(symbol)

    names = {instrument.symbol for instrument in instruments}
    assert {ticker.symbol for ticker in tickers} == names
    assert {rate.symbol for rate in funding} == names
    assert forming.open_ms >= slot_open(now, M1)
    assert float(depth.bids[0][0]) < float(depth.asks[0][0])
    assert not rest.rejected


@pytest.mark.parametrize("granularity", INTERVAL_MS)
async def test_history_of_each_granularity_is_whole_and_finished(granularity: Granularity) -> None:
    async with playing() as simulator, client(simulator) as rest:
        end = slot_open(await rest.server_time(), granularity)
        start = max(end - 450 * INTERVAL_MS[granularity], end - 3 * INTERVAL_MS[D1])
        symbol = (await rest.tickers())[0].symbol
        rows = await rest.history(symbol, granularity, start, end)

    assert [row.open_ms for row in rows] == list(range(start, end, INTERVAL_MS[granularity]))


async def test_an_unknown_symbol_is_told_from_a_refusal() -> None:
    async with playing() as simulator, client(simulator) as rest:
        with pytest.raises(errors.UnknownSymbol):
            await rest.candles("NOPEUSDT", M5)
        with pytest.raises(errors.VenueRefused) as caught:
            await rest.merge_depth("")

    assert caught.value.code == "400172"


async def test_a_storm_of_429_ends_in_an_error_of_the_tree_and_then_in_an_answer() -> None:
    async with playing("storm429=60s/59999ms") as simulator, client(simulator) as rest:
        with pytest.raises(errors.RateLimited):
            await rest.tickers()
        simulator.set_faults("", None)

        assert await rest.tickers()


async def test_all_channels_push_snapshots_and_then_news_through_cuts_and_damage() -> None:
    async with playing("cut=1s,drop=5%,duplicate=5%,reorder=2%,late=5%") as simulator:
        symbols = simulator.market.symbols[:3]
        channels = [TICKER, *map(channel_of, (M1, M5, D1))]
        args = [(symbol, channel) for symbol in symbols for channel in channels]
        feed = Feed(simulator.ws_url, [*args, ("NOPEUSDT", TICKER)], rate=SPEED, random=Random(1))

        def enough(seen: list[FeedEvent]) -> bool:
            return feed.reconnects >= 2 and feed.frames >= 300

        events = await until(feed, enough)

    frames = [event.frame for event in events if isinstance(event, Received)]
    candles = [frame for frame in frames if isinstance(frame, CandlePush)]
    assert all(push.snapshot for push in candles if len(push.rows) > 1)
    assert {push.granularity for push in candles} == {M1, M5, D1}
    assert not any(push.rejected for push in candles)
    assert {frame.symbol for frame in frames if isinstance(frame, TickerPush)} == set(symbols)
    acks = {(frame.symbol, frame.channel) for frame in frames if isinstance(frame, Subscribed)}
    assert acks == set(args)
    assert {frame.code for frame in frames if isinstance(frame, Refused)} == {30001}
    assert set(feed.dropped) == {"refused"}
    assert max(push.ts for push in candles) > min(push.ts for push in candles) + MINUTE_MS
