"""What the tests of ingest share: a simulated venue, a running ingest, what is in the topics."""

import asyncio
import itertools
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from chandler.core.events import Candle, CandleMissing, CandleSealed
from chandler.core.granularity import interval_ms
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.simulator.config import SimulatorConfig
from chandler.exchanges.simulator.market import SPACINGS
from chandler.exchanges.simulator.server import Simulator
from chandler.streams.reader import Record, read_topics
from chandler.streams.settings import Installation
from services.declaration import Context, Health
from services.ingest.edge import run
from services.profile import IngestConfig, Profile

TOPICS = (
    "candles.5m",
    "candles.1H",
    "candles.4H",
    "candles.last",
    "candles.corrections",
    "instruments",
    "funding",
    "tickers",
    "dead-letters",
    "infra",
)
CANDLES = TOPICS[:3]
GRANULARITIES = ["5m", "1H", "4H"]
WAIT_S_MAX = 60.0


@asynccontextmanager
async def venue(speed: float, *, symbols: int = 4, faults: str = "") -> AsyncIterator[Simulator]:
    config = SimulatorConfig(speed=speed, symbols=symbols, faults=faults, seed=7)
    async with Simulator(config, None, 0) as simulator:
        yield simulator


def profile_of(simulator: Simulator, **ingest: object) -> Profile:
    values: dict[str, object] = {"backfill": 30, "pinned": GRANULARITIES, "top": 40, **ingest}
    return Profile(
        name="test",
        venue=VenueConfig(rest_url=simulator.rest_url, ws_url=simulator.ws_url),
        simulator=simulator.config,
        ingest=msgspec.convert(values, IngestConfig),
    )


@asynccontextmanager
async def ingesting(
    installation: Installation, profile: Profile, shard: int | None = None
) -> AsyncIterator[Context]:
    """A running ingest; it has drained afterwards. What ended it before is raised."""
    context = context_of(installation, profile, shard)
    task = asyncio.create_task(run(context))
    try:
        yield context
    finally:
        context.stop.set()
        await asyncio.wait([task])
        task.result()


def context_of(installation: Installation, profile: Profile, shard: int | None = None) -> Context:
    return Context(
        installation=installation,
        profile=profile,
        shard=shard,
        stop=asyncio.Event(),
        health=Health(),
        log=logging.getLogger("test.ingest"),
        code="",
    )


async def until(holds: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while not holds():
            await asyncio.sleep(0.05)
    assert holds(), what


async def records(installation: Installation, *names: str) -> list[Record]:
    return [record async for record in read_topics(installation, names or CANDLES)]


async def candles(installation: Installation) -> dict[tuple[str, str], list[Candle]]:
    """By symbol and granularity, in the topic's order."""
    found: dict[tuple[str, str], list[Candle]] = {}
    for record in await records(installation):
        assert isinstance(record.event, CandleSealed | CandleMissing)
        found.setdefault((record.event.symbol, record.event.granularity), []).append(record.event)
    return found


async def enough(installation: Installation, count: int) -> dict[tuple[str, str], list[Candle]]:
    """Waits until that many candles are out."""
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            found = await candles(installation)
            if sum(map(len, found.values())) >= count:
                return found
            await asyncio.sleep(0.5)


def faults_of(found: dict[tuple[str, str], list[Candle]]) -> list[str]:
    """Repeats and holes, in words."""
    faults = []
    for (symbol, granularity), run_of in found.items():
        for before, after in itertools.pairwise(run_of):
            if after.open_ms - before.open_ms != interval_ms(after.granularity):
                faults.append(f"{symbol} {granularity}: {before.open_ms} then {after.open_ms}")
    return faults


def differing(found: dict[tuple[str, str], list[Candle]], simulator: Simulator) -> list[Candle]:
    """Candles that aren't the venue's."""
    return [
        candle
        for run_of in found.values()
        for candle in run_of
        if not _is_the_venues(candle, simulator)
    ]


def _is_the_venues(candle: Candle, simulator: Simulator) -> bool:
    market, now = simulator.market, simulator.clock.now()
    index, spacing = market.index[candle.symbol], SPACINGS[candle.granularity]
    bars = market.bars(index, spacing, candle.close_ms, 1, now, from_ms=candle.open_ms)
    if isinstance(candle, CandleMissing) or not bars:
        return isinstance(candle, CandleMissing) and not bars
    (bar,) = bars
    prices = (candle.open_ms, candle.open, candle.high, candle.low, candle.close)
    return prices == bar[:5] and math.isclose(candle.volume, bar.volume, rel_tol=1e-6)
