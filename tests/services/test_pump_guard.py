"""The pump guard as a service: on Kafka, killed in the middle, and what a profile asks for."""

import asyncio
import logging
from pathlib import Path

import msgspec
import pytest

from chandler.core.events import CandleSealed, Event, Symbol, Ticker
from chandler.core.granularity import HOUR_MS, MINUTE_MS, Granularity
from chandler.core.market.pump import BOUNDARY_MS, MINUTE, stage
from chandler.core.trading.agents import AgentConfig, PumpConfig
from chandler.core.trading.events import PumpState, TickersOut
from chandler.exchanges.simulator.config import SimulatorConfig
from chandler.streams.catalogue import BY_NAME
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from chandler.streams.telemetry.metrics import Metrics
from chandler.streams.writing import EVERY, Outbox, Record
from services import plugins
from services.declaration import Context, Health
from services.profile import IngestConfig, Profile
from services.pump_guard.service import SERVICE, boundary, metered, run
from services.topology import services_of
from tests.conftest import Topics

START_MS = 1_704_067_200_000
PUMP = PumpConfig(window_min=2, usual_min=5, cool_down_min=2)
AGENTS = {"one": AgentConfig()}
SYMBOLS = [Symbol(f"SYN{number}USDT") for number in range(6)]
TOPICS = ("tickers", "candles.1m", "pumps", "state.pump_guard", "configs", "dead-letters")
WAIT_S_MAX = 60.0


def candle(symbol: Symbol, number: int, price: float, volume: float) -> CandleSealed:
    return CandleSealed(
        symbol=symbol,
        granularity=MINUTE,
        open_ms=START_MS + number * MINUTE_MS,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=volume,
        quote_volume=volume,
    )


def ticker(symbol: Symbol, at: int, price: float, volume: float = 0.0) -> Ticker:
    last = repr(price)
    return Ticker(
        symbol=symbol,
        at=at,
        last=last,
        bid=last,
        ask=last,
        mark=last,
        minute_open_ms=at - at % MINUTE_MS,
        minute_volume=volume,
    )


def played(minutes: int) -> list[Record]:
    """Each symbol is calm, pumped from its minute 10 on, and calm again from minute 12 on."""
    records = []
    for number in range(minutes):
        for symbol in SYMBOLS:
            price = 100.0 if number < 10 else 105.0
            volume = 100.0 if number == 10 else 10.0
            at = START_MS + number * MINUTE_MS
            for second in (0, 20, 40):
                event = ticker(symbol, at + 1_000 * second, price, volume * second / 60)
                records.append(Record("tickers", symbol, event))
            sealed = candle(symbol, number, price, volume)
            records.append(Record("candles.1m", symbol, sealed))
        out = TickersOut(shard=0, shards=1, at=START_MS + number * MINUTE_MS + 40_000)
        records.append(Record("tickers", "@shard-0", out, partition=EVERY))
    return records


def expected(records: list[Record]) -> dict[str, list[PumpState]]:
    """By symbol, from the fold alone."""
    fold = stage(PUMP, heartbeat_ms=PUMP.heartbeat_ms)
    found: dict[str, list[PumpState]] = {}
    for symbol in SYMBOLS:
        state = fold.start(symbol)
        for record in records:
            if record.key == symbol:
                state, outputs = fold.step(state, record.event)
                found.setdefault(symbol, []).extend(_states(each.event for each in outputs))
    return found


def _states(events: object) -> list[PumpState]:
    return [each for each in events if isinstance(each, PumpState)]  # type: ignore[attr-defined]


def context_of(installation: Installation, profile: Profile) -> Context:
    return Context(
        installation=installation,
        profile=profile,
        shard=None,
        stop=asyncio.Event(),
        health=Health(),
        log=logging.getLogger("test.pump_guard"),
        code="",
        metrics=Metrics("pump_guard", SERVICE.metrics),
    )


async def pumps(installation: Installation) -> dict[str, list[PumpState]]:
    found: dict[str, list[PumpState]] = {}
    async for record in read_topics(installation, ["pumps"]):
        assert isinstance(record.event, PumpState)
        found.setdefault(record.key, []).append(record.event)
    return found


@pytest.mark.kafka
async def test_a_guard_that_is_started_again_goes_on_where_it_was(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    records = played(20)
    wanted = expected(records)
    outbox = Outbox(installation, "test")
    await outbox.open()
    profile = Profile(agents=AGENTS, pump=PUMP)

    for begin in range(0, len(records), 150):
        context = context_of(installation, profile)
        task = asyncio.create_task(run(context))
        await outbox.write(records[begin : begin + 150])
        async with asyncio.timeout(WAIT_S_MAX):
            while not context.health.ready:
                await asyncio.sleep(0.05)
        context.stop.set()
        await task
    await outbox.close()
    context = context_of(installation, profile)
    task = asyncio.create_task(run(context))
    async with asyncio.timeout(WAIT_S_MAX):
        while sum(map(len, (await pumps(installation)).values())) < sum(map(len, wanted.values())):
            await asyncio.sleep(0.2)
    context.stop.set()
    await task

    assert await pumps(installation) == wanted
    kinds = {each.kind for states in wanted.values() for each in states}
    assert kinds == {"started", "ended", "heartbeat"}


def test_pumps_now_pumps_begun_and_held_ticks_are_measured() -> None:
    metrics = Metrics("pump_guard", SERVICE.metrics)
    now = [0.0]
    guard = metered(stage(PUMP, heartbeat_ms=5_000), metrics, lambda: now[0])
    states = {symbol: guard.start(symbol) for symbol in SYMBOLS}

    def step(event: Event) -> None:
        key = guard.key(event)
        states[Symbol(key)], _ = guard.step(states[Symbol(key)], event)

    for record in played(11):
        if not isinstance(record.event, TickersOut):
            step(record.event)
    step(ticker(SYMBOLS[0], START_MS + 12 * MINUTE_MS, 105.0))
    text = metrics.text().decode()
    now[0] = 100.0
    step(ticker(SYMBOLS[1], START_MS + 11 * MINUTE_MS + 20_000, 105.0))

    assert "chandler_pump_guard_pumped 6.0" in text
    assert "chandler_pump_guard_started_total 6.0" in text
    assert "chandler_pump_guard_held_ticks 1.0" in text
    assert "chandler_pump_guard_pumped 1.0" in metrics.text().decode()


def test_the_guard_writes_only_to_topics_that_name_it_as_their_writer() -> None:
    for name in SERVICE.writes:
        assert set(BY_NAME[name].writers) & {"pump_guard", "all"}, name
    assert set(SERVICE.reads) <= set(BY_NAME)


async def test_without_an_agent_there_is_nothing_to_guard(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    context = context_of(installation, Profile())
    task = asyncio.create_task(run(context))

    while not context.health.ready:
        await asyncio.sleep(0)
    context.stop.set()
    await task

    assert "nothing to guard" in caplog.text


@pytest.mark.parametrize(
    ("agents", "enabled", "runs"),
    [
        ({}, True, False),
        ({"one": AgentConfig(enabled=False)}, True, False),
        (AGENTS, True, True),
        (AGENTS, False, False),
    ],
)
def test_the_guard_and_its_candles_are_wanted_where_there_is_somebody_to_guard(
    tmp_path: Path, agents: dict[str, AgentConfig], enabled: bool, runs: bool
) -> None:
    profile = Profile(
        simulator=SimulatorConfig(),
        agents=agents,
        pump=PumpConfig(enabled=enabled),
        ingest=IngestConfig(pinned=["5m"]),
    )

    wanted = plugins.wanted(profile, plugins.load(tmp_path))

    assert ("1m" in wanted.granularities) == runs
    assert wanted.tickers
    assert Granularity("1m") not in wanted.indicators
    assert ("pump_guard" in services_of(profile)) == runs
    assert ("executor" not in services_of(profile)) or profile.trades


def test_the_state_is_said_at_each_close_of_the_shortest_base(tmp_path: Path) -> None:
    found = plugins.load(tmp_path)
    engine = found.engines["scalper"].config
    hourly = msgspec.structs.replace(engine, granularity=Granularity("1H"))
    minutely = msgspec.structs.replace(engine, granularity=MINUTE)

    assert boundary(Profile()) == BOUNDARY_MS < HOUR_MS
    assert boundary(Profile(engines={"slow": hourly})) == BOUNDARY_MS
    assert boundary(Profile(engines={"slow": hourly, "fast": minutely})) == MINUTE_MS
