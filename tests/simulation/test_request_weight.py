"""One feed and one rate budget for any number of engines: what the venue is asked for is equal."""

import asyncio
from typing import NamedTuple

import msgspec
import pytest

from chandler.core.engine import EngineConfig, EvaluatorConfig
from chandler.core.granularity import MINUTE_MS
from chandler.streams.settings import Installation
from chandler.streams.telemetry.metrics import Metrics, standard
from services import plugins
from services.ingest.edge import run
from services.ingest.service import SERVICE
from services.profile import Profile
from tests.conftest import Topics
from tests.services.ingesting import TOPICS, context_of, profile_of, until, venue

pytestmark = [pytest.mark.kafka, pytest.mark.system]

SPEED = 300.0
SLOTS = 24  # of 5m, after the start
SYMBOLS = 6


class Asked(NamedTuple):
    """What one ingest cost the venue over the same slots."""

    connections: int
    subscriptions: int
    backfill: int
    rest: dict
    weight: float
    sealed: float


def profile(count: int, simulator) -> Profile:
    """`count` engines that all read 5m, 1H and 4H."""
    config = EngineConfig(
        granularity="5m",
        evaluators={
            "rsi_reversal": EvaluatorConfig(weight=1.0),  # with 1H
            "trend_follow": EvaluatorConfig(weight=1.0),  # with 4H
        },
        long_threshold=0.5,
        short_threshold=-0.5,
    )
    engines = {
        f"engine_{number}": msgspec.structs.replace(config, cooldown=number)
        for number in range(count)
    }
    return msgspec.structs.replace(profile_of(simulator, pinned=[]), engines=engines)


async def asked(installation: Installation, engines: int) -> Asked:
    metrics = Metrics("ingest", (*standard("ingest"), *SERVICE.metrics))
    async with venue(SPEED, symbols=SYMBOLS) as simulator:
        chosen = profile(engines, simulator)
        assert len(plugins.wanted(chosen).indicators) == 3
        context = msgspec.structs.replace(context_of(installation, chosen), metrics=metrics)
        task = asyncio.create_task(run(context))
        await until(lambda: context.health.ready, "it is not ready")
        end_ms = simulator.clock.now() + SLOTS * 5 * MINUTE_MS
        await until(lambda: simulator.clock.now() >= end_ms, "time stands")
        context.stop.set()
        await task
        state = simulator.state()
    print(metrics.text().decode())
    return state


@pytest.mark.parametrize("n", [1,50,1,50])
async def test_x(installation: Installation, topics: Topics, n) -> None:
    await topics(TOPICS)
    s = await asked(installation, n)
    print(n, s)
