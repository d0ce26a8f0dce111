"""The exact loop on a real Kafka: each input counts once, whatever dies when."""

import asyncio
import re
import signal
import time

import msgspec
import pytest

from chandler.core.events import CandleSealed, DeadLetter, Event
from chandler.core.granularity import HOUR_MS
from chandler.core.stage import HoleError, Output, Stage
from chandler.streams import clients
from chandler.streams.clients import transactional_producer
from chandler.streams.codec import NewerSchemaError, encode
from chandler.streams.exact import loop
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from tests.streams.exact_cluster import (
    DEADLINE_S,
    candle,
    died,
    end,
    exactly_once,
    publish,
    publish_raw,
    read,
    rows,
    rows_when,
    run_to_its_end,
    running,
    spawn,
    sub_cluster,
)
from tests.streams.exact_worker import STAGE, Counted, count

pytestmark = pytest.mark.kafka

SYMBOLS = ["AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT", "EEEUSDT"]


def candles(first: int, last: int) -> list[CandleSealed]:
    return [candle(symbol, number) for number in range(first, last) for symbol in SYMBOLS]


@pytest.fixture
async def cluster(installation: Installation) -> Installation:
    return await sub_cluster(installation, "x", partitions=4)


async def test_each_candle_gives_one_row_and_a_restart_goes_on_where_it_stopped(cluster):
    await publish(cluster, candles(0, 10))
    async with running(cluster):
        await rows_when(cluster, 50)
    await publish(cluster, candles(10, 20))
    async with running(cluster):
        found = await rows_when(cluster, 100)

    assert exactly_once(found, SYMBOLS, 20)


async def test_a_row_says_when_its_candle_was_written(cluster):
    await publish(cluster, candles(0, 2))
    async with running(cluster):
        await rows_when(cluster, 10)
    written = {}
    async for record in read_topics(cluster, ["candles.5m"]):
        written[f"{record.topic}/{record.partition}/{record.offset}"] = record.timestamp_ms

    made = [record async for record in read_topics(cluster, ["indicators.5m"])]

    assert len(made) == 10
    for record in made:
        assert int(record.headers["began"]) == written[record.headers["in"].decode()]


async def test_an_aborted_transaction_is_never_seen(cluster):
    await publish(cluster, candles(0, 5))
    await publish(cluster, [candle("GHOSTUSDT", 0)], commit=False)
    await publish(cluster, candles(5, 10))
    async with running(cluster):
        found = await rows_when(cluster, 50)

    assert exactly_once(found, SYMBOLS, 10)
    assert {row.symbol for row in found} == set(SYMBOLS)


POINTS = (
    "before-begin:2",
    "after-begin:2",
    "before-send:3",
    "after-send:8",
    "after-send:20",
    "before-commit:2",
    "after-commit:1",
    "after-commit:3",
)


async def test_a_worker_killed_at_any_point_of_a_transaction_loses_and_repeats_none(
    installation,
):
    async def survives(point: str) -> bool:
        cluster = await sub_cluster(installation, point.replace(":", "."), partitions=4)
        await publish(cluster, candles(0, 10))
        doomed = spawn(cluster, point)
        try:
            assert await died(doomed) == -signal.SIGKILL
        finally:
            end(doomed)
        await publish(cluster, candles(10, 15))
        async with running(cluster):
            return exactly_once(await rows_when(cluster, 75), SYMBOLS, 15)

    survived = await asyncio.gather(*map(survives, POINTS))

    assert dict(zip(POINTS, survived, strict=True)) == dict.fromkeys(POINTS, True)


async def test_a_frozen_worker_that_wakes_up_publishes_nothing_twice(cluster):
    await publish(cluster, candles(0, 10))
    frozen = spawn(cluster)
    successor = None
    try:
        await rows_when(cluster, 50)
        frozen.send_signal(signal.SIGSTOP)
        await publish(cluster, candles(10, 20))
        successor = spawn(cluster)
        await rows_when(cluster, 100)
        frozen.send_signal(signal.SIGCONT)
        for first in range(20, 60, 5):
            await publish(cluster, candles(first, first + 5))
        found = await rows_when(cluster, 300)
    finally:
        end(frozen)
        if successor is not None:
            end(successor)

    assert exactly_once(found, SYMBOLS, 60)


async def test_two_workers_share_the_partitions_and_survive_the_loss_of_one(cluster):
    first = spawn(cluster)
    second = spawn(cluster)
    third = None
    try:
        for start in range(0, 20, 5):
            await publish(cluster, candles(start, start + 5))
        await rows_when(cluster, 100)
        first.kill()
        await publish(cluster, candles(20, 30))
        third = spawn(cluster)
        await publish(cluster, candles(30, 40))
        found = await rows_when(cluster, 200)
    finally:
        for process in (first, second, third):
            if process is not None:
                end(process)

    assert exactly_once(found, SYMBOLS, 40)


async def test_an_older_owner_of_a_partition_is_fenced(cluster):
    await publish(cluster, candles(0, 5))
    async with running(cluster) as observer:
        await rows_when(cluster, 25)
        for partition in range(4):
            thief = transactional_producer(cluster, f"indicators-{partition}")
            await thief.start()
            await thief.stop()
        await publish(cluster, candles(5, 10))
        found = await rows_when(cluster, 50)

    assert exactly_once(found, SYMBOLS, 10)
    assert any("Fenced" in cause for cause in observer.restarts)


async def test_a_slow_fold_makes_no_other_partitions_transaction_too_old(cluster, monkeypatch):
    """An evaluator of a second: seven partitions folded while the eighth's transaction was open.

    The broker ended it after 5 s, and the stage started anew, again and again.
    """
    monkeypatch.setattr(clients, "TRANSACTION_TIMEOUT_MS", 1_000)

    def slow(state: Counted, event: Event) -> tuple[Counted, list[Output]]:
        time.sleep(0.2)
        return count(state, event)

    symbols = [f"{letter}USDT" for letter in "ABCDEFGHIJKLMNOP"]
    await publish(cluster, [candle(symbol, number) for number in range(2) for symbol in symbols])
    async with running(cluster, stage=msgspec.structs.replace(STAGE, step=slow)) as observer:
        found = await rows_when(cluster, 32)

    assert exactly_once(found, symbols, 2)
    assert observer.restarts == []


async def test_a_hole_stops_the_stage_with_a_clear_line_and_nothing_after_it_is_taken(cluster):
    await publish(cluster, [candle("AAAUSDT", 0), candle("AAAUSDT", 1), candle("AAAUSDT", 3)])
    with pytest.raises(HoleError, match="AAAUSDT 5m: nothing for"):
        await run_to_its_end(cluster)

    assert [row.values["count"] for row in await rows(cluster)] == [1.0, 2.0]


async def test_an_undecodable_record_becomes_a_dead_letter_and_the_rest_goes_on(cluster):
    await publish(cluster, [candle("AAAUSDT", 0)])
    offset = await publish_raw(cluster, "candles.5m", b"\xffrubbish", "AAAUSDT")
    await publish(cluster, [candle("AAAUSDT", 1)])
    async with running(cluster):
        found = await rows_when(cluster, 2)
    letters = await read(cluster, "dead-letters")

    assert [row.values["count"] for row in found] == [1.0, 2.0]
    assert len(letters) == 1
    letter = letters[0]
    assert isinstance(letter, DeadLetter)
    assert (letter.topic, letter.cause, letter.offset) == ("candles.5m", "undecodable", offset)
    assert letter.raw == "\\xffrubbish"


async def test_a_record_of_a_newer_schema_stops_the_stage(cluster):
    newer = encode(candle("AAAUSDT", 0)).replace(b'"v":1', b'"v":2')
    await publish_raw(cluster, "candles.5m", newer, "AAAUSDT")

    with pytest.raises(NewerSchemaError, match="CandleSealed of schema 2"):
        await run_to_its_end(cluster)


async def test_an_input_that_runs_ahead_waits_for_the_others(cluster):
    await publish(cluster, [candle("AAAUSDT", number) for number in range(60)])
    async with running(cluster, ahead_max_ms=HOUR_MS):
        ahead = await rows_when(cluster, 25)
        await publish(cluster, [candle("AAAUSDT", number, "1H") for number in range(5)])
        found = await rows_when(cluster, 65)

    assert len(ahead) == 25, "an hour ahead, and the hour that a 1H candle reaches"
    assert exactly_once(found, ["AAAUSDT"], 60)


async def test_a_symbol_that_is_late_holds_no_other_symbol_back(installation):
    """Its old 1H row once took its whole partition's 1H back, and the others waited for hours."""
    cluster = await sub_cluster(installation, "late", partitions=1)
    hours = [candle("AAAUSDT", number, "1H") for number in range(10)]
    await publish(cluster, [*hours, candle("BBBUSDT", 0, "1H")])
    await publish(cluster, [candle("AAAUSDT", number) for number in range(120)])
    async with running(cluster, ahead_max_ms=HOUR_MS):
        await rows_when(cluster, 131)
        await publish(cluster, [candle("AAAUSDT", number) for number in range(120, 130)])
        found = await rows_when(cluster, 141)

    assert exactly_once(found, ["AAAUSDT"], 130)


async def test_an_input_that_waits_for_long_is_told_in_one_line(cluster, monkeypatch, caplog):
    """A candle of years ahead held its partition back for good, and nothing said so."""
    monkeypatch.setattr(loop, "WAITS_S_MAX", 0.0)
    monkeypatch.setattr(loop, "LAG_EVERY_S", 0.0)
    await publish(cluster, [candle("AAAUSDT", 0), candle("AAAUSDT", 10**6)])

    async with running(cluster), asyncio.timeout(DEADLINE_S):
        while not (told := [line for line in caplog.messages if "waits for" in line]):
            await asyncio.sleep(0.1)

    assert re.search(r"indicators: candles\.5m/\d offset 1 is of 2033-", told[0])
    assert "waits for candles.1H at 2024-01-01 00:05: see what keeps them" in told[0]


async def test_another_fingerprint_folds_all_anew_and_publishes_only_what_is_not_out(cluster):
    def stage(fingerprint: str, total: float) -> Stage[Counted]:
        return msgspec.structs.replace(
            STAGE, start=lambda _key: Counted(total=total), fingerprint=fingerprint
        )

    await publish(cluster, candles(0, 10))
    async with running(cluster, stage=stage("one", 0.0)):
        await rows_when(cluster, 50)
    await publish(cluster, candles(10, 15))
    async with running(cluster, stage=stage("two", 1_000.0)):
        found = await rows_when(cluster, 75)
    await publish(cluster, candles(15, 16))
    async with running(cluster, stage=stage("two", 5_000.0)):
        found = await rows_when(cluster, 80)

    totals = [row.values["total"] for row in found if row.symbol == "AAAUSDT"]
    sums = [sum(100.0 + number for number in range(last + 1)) for last in range(16)]
    assert exactly_once(found, SYMBOLS, 16)
    assert totals == [*sums[:10], *(1_000.0 + each for each in sums[10:])]
