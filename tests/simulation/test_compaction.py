"""A stage's state topic is really compacted, and what is left is all that a restart needs."""

import asyncio
from itertools import chain

import msgspec
import pytest
from aiokafka.admin import NewTopic

from chandler.core.events import Candle, CandleSealed, Symbol
from chandler.streams.admin import configuration as topic_settings
from chandler.streams.catalogue import topic
from chandler.streams.clients import admin, topic_name
from chandler.streams.exact.restore import read_states
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.loading import configuration
from tests.candles import longer, path
from tests.simulation.branches import (
    branch,
    evaluable,
    evaluated,
    found_of,
    made,
    portions,
    publish,
    recomputed,
    running,
)

pytestmark = [pytest.mark.kafka, pytest.mark.system]

STATES = ("state.indicators", "state.signals")
PARTS = 12
COMPACTED_S_MAX = 90.0
# The catalogue's settings but for these: a segment is closed and compacted as soon as may be.
EAGER = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100"}


async def test_a_stage_goes_on_from_a_compacted_state(installation: Installation) -> None:
    candles = in_order([path(420, seed, Symbol(f"S{seed}USDT")) for seed in range(6)])
    profile = configuration(installation, {}).profile
    expected = recomputed(profile, candles)
    parts, counts = portions(candles, PARTS), evaluable(profile, candles)
    await create_eager(installation)
    target = await branch(installation, profile, 1, expected)
    published = 0
    async with running(target, 1):
        for part in parts[:-1]:
            await publish(target, part)
            published += len(part)
            await evaluated(target, counts[published])
    before = {name: await states(installation, name) for name in STATES}

    await compacted(installation)
    after = {name: await states(installation, name) for name in STATES}
    async with running(target, 1):
        await publish(target, parts[-1])
        await evaluated(target)

    assert after == before
    assert await made(target) == found_of(expected.signals, expected.matrix)
    assert expected.signals


def in_order(paths: list[list[CandleSealed]]) -> list[Candle]:
    """The paths and their longer candles as ingest publishes them: by close, the longest first."""
    lanes = [lane for one in paths for lane in (longer(one, "4H"), longer(one, "1H"), one)]
    return sorted(chain.from_iterable(lanes), key=lambda candle: candle.close_ms)


async def create_eager(installation: Installation) -> None:
    """The state topics, as the catalogue has them but compacted at once."""
    client = admin(installation)
    await client.start()
    try:
        await client.create_topics(
            [
                NewTopic(
                    topic_name(installation, name),
                    1,
                    1,
                    topic_configs=topic_settings(topic(name)) | EAGER,
                )
                for name in STATES
            ]
        )
    finally:
        await client.close()


async def states(installation: Installation, name: str) -> dict[str, bytes]:
    """The newest state of each key and the offsets, as a restart reads them."""
    restored = (await read_states(installation, topic_name(installation, name), [0]))[0]
    return {**restored.states, "@offsets": msgspec.json.encode(restored.offsets)}


async def compacted(installation: Installation) -> None:
    """Returns when both topics hold less than half of what was written.

    What the last part of the candles wrote may stay: the newest segment is never compacted.
    """
    async with asyncio.timeout(COMPACTED_S_MAX):
        for name in STATES:
            while True:
                records = [record async for record in read_topics(installation, [name])]
                if len(records) < records[-1].offset / 2:
                    break
                await asyncio.sleep(0.5)
