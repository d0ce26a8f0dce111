"""Ingest against the simulated venue and a real Kafka: each candle once, in order, the venue's."""

import pytest

from chandler.core.events import CandlesOut, Instrument, Ticker
from chandler.streams.settings import Installation
from tests.conftest import Topics
from tests.services.ingesting import (
    CANDLES,
    TOPICS,
    candles,
    differing,
    enough,
    faults_of,
    ingesting,
    profile_of,
    records,
    until,
    venue,
)

pytestmark = pytest.mark.kafka


async def test_the_backfill_and_what_follows_are_the_venues_candles_in_order(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    async with venue(300.0) as simulator:
        async with ingesting(installation, profile_of(simulator)) as context:
            await until(lambda: context.health.ready, "it is not ready")
            found = await enough(installation, 4 * (30 * 3 + 8))
        last = await records(installation, "candles.last")
        instruments = await records(installation, "instruments")
        tickers = await records(installation, "tickers")

        assert faults_of(found) == []
        assert differing(found, simulator) == []
        assert len(found) == 12
        assert {type(each.event) for each in last} == {CandlesOut}
        assert {type(each.event) for each in instruments} == {Instrument}
        assert {type(each.event) for each in tickers} == {Ticker}
