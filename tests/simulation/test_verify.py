"""A session with killed services is recomputed to the last byte; a changed candle is named."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from msgspec.structs import replace

from chandler.core.events import CandleSealed
from chandler.core.granularity import HOUR_MS
from chandler.replay.audit.verdict import EVER, Bounds
from chandler.streams.admin import create_topics
from chandler.streams.catalogue import TOPICS
from chandler.streams.clients import producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.reader import Record, read_topics
from chandler.streams.settings import Installation
from services.cli.verify.command import Verdict, verified
from services.loading import configuration
from tests.simulation.session import Session

pytestmark = [pytest.mark.kafka, pytest.mark.system]

PROCESSES = 2
COPIED = 0  # the partition that is copied
SERIES = ("5m", "1H", "4H")
COPY = (
    *(f"candles.{granularity}" for granularity in SERIES),
    *(f"indicators.{granularity}" for granularity in SERIES),
    "matrix",
    "signals",
)


def verdict_on(session: Session, installation: Installation, bounds: Bounds = EVER) -> Verdict:
    profile = configuration(session.system.installation, session.system.environ).profile
    return verified(installation, profile, bounds, PROCESSES)


def test_every_decision_of_a_session_with_kills_is_recomputed(session: Session) -> None:
    verdict = verdict_on(session, session.system.installation)
    again = verdict_on(session, session.system.installation)

    assert session.killed
    assert verdict.mismatches == 0, verdict.first
    assert verdict.decisions >= 1_000
    compared = {each.topic for each in verdict.topics if each.compared}
    assert compared >= {"indicators.5m", "matrix", "signals", "pumps", "desk", "orders"}
    assert {day.state for day in again.days} == {"same"}
    assert again.decisions == verdict.decisions


def test_a_part_of_the_session_is_compared_where_only_that_is_asked_for(session: Session) -> None:
    whole = verdict_on(session, session.system.installation)
    newest = max(each.to_ms for each in whole.topics if each.topic == "matrix")

    part = verdict_on(session, session.system.installation, Bounds(newest - HOUR_MS, newest))

    assert part.mismatches == 0, part.first
    assert 0 < part.decisions < whole.decisions
    assert all(each.from_ms >= newest - HOUR_MS for each in part.topics if each.compared)


async def test_one_changed_candle_of_a_copied_topic_is_named(session: Session) -> None:
    installation = session.system.installation
    records = [
        record
        async for record in read_topics(installation, COPY)
        if record.partition == COPIED and record.event is not None
    ]
    sealed = [each for each in records if each.topic == "candles.5m"]
    victim = sealed[len(sealed) // 2]
    assert isinstance(victim.event, CandleSealed)
    changed = replace(victim.event, volume=victim.event.volume + 0.001)
    other = replace_record(records, victim, changed)
    same = await copied(installation, "same.", records)
    differing = await copied(installation, "other.", other)

    well = await asyncio.to_thread(verdict_on, session, same)
    found = await asyncio.to_thread(verdict_on, session, differing)

    assert (well.mismatches, well.decisions) == (0, sum(not_a_candle(each) for each in records))
    assert found.mismatches > 0
    assert not found.well
    assert found.first is not None
    assert found.first.topic == "indicators.5m"
    assert (found.first.at, found.first.symbol) == (changed.close_ms, changed.symbol)
    assert f"candles.5m/{COPIED}/" in found.first.cause
    assert victim.event.hash in found.first.cause
    assert changed.hash in found.first.cause


def not_a_candle(record: Record) -> bool:
    return not record.topic.startswith("candles.")


def replace_record(records: Sequence[Record], victim: Record, event: CandleSealed) -> list[Record]:
    """With one record that says something else."""
    changed = victim._replace(event=event, raw=encode(event))
    return [changed if each is victim else each for each in records]


async def copied(
    installation: Installation, prefix: str, records: Sequence[Record]
) -> Installation:
    """The records in the same partitions of topics under another prefix."""
    copy = msgspec.structs.replace(installation, topic_prefix=prefix)
    partitions = 1 + max(each.partition for each in records)
    await create_topics(copy, partitions, 1, [topic.name for topic in TOPICS])
    async with producer(copy) as client:
        for record in records:
            await client.send(
                topic_name(copy, record.topic),
                record.raw,
                key=record.key.encode(),
                partition=record.partition,
                headers=[*record.headers.items()],
            )
        await client.flush()
    return copy
