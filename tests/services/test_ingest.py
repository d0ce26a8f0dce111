"""Ingest against the simulated venue and a real Kafka: each candle once, in order, the venue's."""

import asyncio
import itertools
from collections.abc import Sequence

import msgspec
import pytest

from chandler.core.events import CandleMissing, CandlesOut, DeadLetter, Instrument, Ticker
from chandler.core.trading.events import TickersOut
from chandler.streams.settings import Installation, SettingsError
from chandler.streams.writing import LostError, Outbox, Record, ReplacedError
from services.ingest.edge import run
from tests.conftest import Topics
from tests.services.ingesting import (
    TOPICS,
    candles,
    context_of,
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
    async with venue(1_200.0) as simulator:
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
        assert {type(each.event) for each in tickers} == {Ticker, TickersOut}


async def test_a_restart_goes_on_without_a_repeat_or_a_hole(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    async with venue(1_200.0) as simulator:
        profile = profile_of(simulator)
        async with ingesting(installation, profile):
            before = await enough(installation, 100)
        simulator.clock.advance(simulator.clock.now() + 7_200_000)
        async with ingesting(installation, profile) as context:
            await until(lambda: context.health.ready, "it is not ready")
            found = await enough(installation, sum(map(len, before.values())) + 4 * 24)

        assert faults_of(found) == []
        assert differing(found, simulator) == []


async def test_faults_of_the_venue_leave_no_trace(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    faults = (
        "cut=3s,drop=5%,duplicate=5%,reorder=5%,late=5%,missing=2%,storm429=4s/500ms,silence=7s/1s"
    )
    async with venue(600.0, faults=faults) as simulator:
        async with ingesting(installation, profile_of(simulator)):
            found = await enough(installation, 4 * 30 * 3 + 4 * 25)

        assert faults_of(found) == []
        assert differing(found, simulator) == []
        assert any(isinstance(each, CandleMissing) for run_of in found.values() for each in run_of)


async def test_without_a_socket_candles_and_tickers_come_by_rest(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    async with venue(1_200.0) as simulator:
        profile = profile_of(simulator)
        nowhere = msgspec.structs.replace(profile.venue, ws_url="ws://127.0.0.1:9/none")
        profile = msgspec.structs.replace(profile, venue=nowhere)
        async with ingesting(installation, profile):
            found = await enough(installation, 4 * 30 * 3 + 4 * 6)
            async with asyncio.timeout(20):
                while not await records(installation, "tickers"):
                    await asyncio.sleep(0.5)

        assert faults_of(found) == []
        assert differing(found, simulator) == []


async def test_a_second_instance_replaces_the_first(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    async with venue(1_200.0) as simulator:
        profile = profile_of(simulator)
        with pytest.raises(ReplacedError, match="another instance took over"):  # noqa: PT012
            async with ingesting(installation, profile) as first:
                await until(lambda: first.health.ready, "the first is not ready")
                async with ingesting(installation, profile) as second:
                    await until(lambda: second.health.ready, "the second is not ready")
                    count = sum(map(len, (await candles(installation)).values()))
                    found = await enough(installation, count + 40)

        assert faults_of(found) == []
        assert differing(found, simulator) == []


async def test_a_delisted_symbol_ends_and_the_others_go_on(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    async with venue(1_200.0) as simulator:
        symbols = simulator.market.symbols
        profile = profile_of(simulator, symbols=[*symbols, "NOPEUSDT"])
        async with ingesting(installation, profile) as context:
            await until(lambda: context.health.ready, "it is not ready")
            simulator.market.delisted[symbols[0]] = simulator.clock.now()
            before = await candles(installation)
            others = sum(map(len, before.values())) + 60
            found = await enough(installation, others)
        letters = await records(installation, "dead-letters")

        assert faults_of(found) == []
        assert len(found[symbols[1], "5m"]) > len(found[symbols[0], "5m"]) + 5
        causes = {each.event.cause for each in letters if isinstance(each.event, DeadLetter)}
        assert {"delisted", "unknown symbol"} <= causes


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_transaction_that_is_lost_is_neither_repeated_nor_left_out(
    installation: Installation, topics: Topics, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka may have committed what it could not acknowledge: what is out is read back."""
    await topics(TOPICS)
    writes = itertools.count(1)
    whole = Outbox.write

    async def write(self: Outbox, batch: Sequence[Record]) -> None:
        if next(writes) % 5:
            await whole(self, batch)
            return
        if after:
            await whole(self, batch)
        await self.close()
        raise LostError("the test lost this one")

    monkeypatch.setattr(Outbox, "write", write)
    async with venue(1_200.0) as simulator:
        async with ingesting(installation, profile_of(simulator)):
            found = await enough(installation, 4 * 30 * 3 + 4 * 20)

        assert faults_of(found) == []
        assert differing(found, simulator) == []


async def test_the_sockets_word_alone_gives_the_venues_candles_too(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    async with venue(300.0) as simulator:
        profile = profile_of(simulator, seal="rollover")
        async with ingesting(installation, profile):
            found = await enough(installation, 4 * 30 * 3 + 4 * 4)
        sources = [each.headers["source"] for each in await records(installation, "candles.5m")]

        assert faults_of(found) == []
        assert differing(found, simulator) == []
        assert sources.count(b"ws") >= 8


async def test_a_shard_alone_takes_only_its_own_symbols(
    installation: Installation, topics: Topics
) -> None:
    await topics(TOPICS)
    async with venue(1_200.0) as simulator:
        profile = profile_of(simulator, symbols_per_shard=3)
        async with ingesting(installation, profile, shard=1) as context:
            await until(lambda: context.health.ready, "it is not ready")
            found = await candles(installation)
        with pytest.raises(SettingsError, match="make 2 shards"):
            await run(context_of(installation, profile, shard=2))

    assert len({symbol for symbol, _ in found}) == 1
