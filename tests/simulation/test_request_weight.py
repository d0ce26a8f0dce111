"""One feed and one rate budget for any number of engines: the venue is asked for the same."""

import asyncio
from typing import NamedTuple

import msgspec
import pytest

from chandler.core.engine import EngineConfig, EvaluatorConfig
from chandler.core.granularity import Granularity
from chandler.exchanges.simulator.server import Simulator
from chandler.streams.admin import create_topics
from chandler.streams.settings import Installation
from chandler.streams.telemetry.metrics import Metrics, standard
from services import plugins
from services.ingest.edge import run
from services.ingest.service import SERVICE
from services.profile import Profile
from tests.services.ingesting import TOPICS, context_of, profile_of, until, venue

pytestmark = [pytest.mark.kafka, pytest.mark.system]

SPEED = 300.0
SYMBOLS = 6
CLOSES = 8  # of 5m, that are looked at
GRANULARITIES = ("5m", "1H", "4H")
PER_CANDLE_OFF_MAX = 0.2  # two closes of a lane share a request where the machine was busy


class Asked(NamedTuple):
    """What one ingest asked of the venue."""

    connections: int
    subscriptions: int
    start: dict[str, int]  # requests up to the first candles, by endpoint
    per_candle: float  # requests for each candle that closed after that


def engines(simulator: Simulator, count: int) -> Profile:
    """A profile of `count` engines that all read 5m, 1H and 4H."""
    config = EngineConfig(
        granularity="5m",
        evaluators={
            "rsi_reversal": EvaluatorConfig(weight=1.0),  # reads 1H too
            "trend_follow": EvaluatorConfig(weight=1.0),  # reads 4H too
        },
        long_threshold=0.5,
        short_threshold=-0.5,
    )
    named = {
        f"engine_{number}": msgspec.structs.replace(config, cooldown=number)
        for number in range(count)
    }
    return msgspec.structs.replace(profile_of(simulator, pinned=[]), engines=named)


class Meter:
    """Reads the metrics of an ingest."""

    def __init__(self) -> None:
        self.metrics = Metrics("ingest", (*standard("ingest"), *SERVICE.metrics))

    def value(self, line: str) -> float:
        lines = (each.rpartition(" ") for each in self.metrics.text().decode().splitlines())
        return next((float(value) for name, _, value in lines if name == line), 0.0)

    def sealed(self, *granularities: str) -> float:
        names = (f'chandler_ingest_sealed_total{{granularity="{each}"}}' for each in granularities)
        return sum(map(self.value, names))

    @property
    def weight(self) -> float:
        return self.value("chandler_ingest_request_weight_total")


async def asked(kafka: Installation, count: int) -> Asked:
    meter = Meter()
    prefix = f"{kafka.topic_prefix}{count}."
    installation = msgspec.structs.replace(kafka, topic_prefix=prefix)
    await create_topics(installation, 4, 1, TOPICS)
    async with venue(SPEED, symbols=SYMBOLS) as simulator:
        profile = engines(simulator, count)
        assert plugins.wanted(profile).granularities == [Granularity(g) for g in GRANULARITIES]
        context = context_of(installation, profile)
        context = msgspec.structs.replace(context, metrics=meter.metrics)
        task = asyncio.create_task(run(context))
        try:
            await until(lambda: context.health.ready, "it is not ready")
            start = {name: rest(simulator)[name] for name in ("rest candles", "rest tickers")}
            before = await after_close(meter, simulator)
            enough = meter.sealed("5m") + (CLOSES - 1) * SYMBOLS
            await until(lambda: meter.sealed("5m") >= enough, "no candles")
            after = await after_close(meter, simulator)
            state = simulator.state()
            await until(lambda: meter.weight == sum(rest(simulator).values()), "another weight")
        finally:
            context.stop.set()
            await task
    per_candle = (after[1] - before[1]) / (after[0] - before[0])
    return Asked(state["connections"], state["subscriptions"], start, per_candle)


def rest(simulator: Simulator) -> dict[str, int]:
    """The requests that the venue has had, by endpoint."""
    counts = simulator.rest.counts
    return {name: count for name, count in counts.items() if name.startswith("rest ")}


async def after_close(meter: Meter, simulator: Simulator) -> tuple[float, int]:
    """(candles, requests for them) when the next close of 5m is out for every symbol."""
    sealed = meter.sealed("5m")
    await until(lambda: meter.sealed("5m") >= sealed + SYMBOLS, "no candles")
    return meter.sealed(*GRANULARITIES), rest(simulator)["rest history-candles"]


async def test_fifty_engines_cost_the_venue_no_more_than_one(installation: Installation) -> None:
    one, fifty = await asyncio.gather(asked(installation, 1), asked(installation, 50))

    print(one, fifty)
    assert fifty._replace(per_candle=0) == one._replace(per_candle=0)
    assert (one.connections, one.subscriptions) == (1, SYMBOLS * (len(GRANULARITIES) + 1))
    assert one.per_candle == pytest.approx(1.0, abs=PER_CANDLE_OFF_MAX)
    assert fifty.per_candle == pytest.approx(one.per_candle, abs=PER_CANDLE_OFF_MAX)
