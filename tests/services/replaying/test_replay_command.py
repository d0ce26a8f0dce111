"""`replay` as a command: what it puts where, and what it says of what isn't there."""

import os
import time
from functools import partial

import msgspec
import pytest
import typer
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from chandler.core.events import Symbol
from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS
from chandler.streams.admin import describe
from chandler.streams.clients import topic_name
from chandler.streams.replaying import WHOLE, Plan
from chandler.streams.replaying.source import opened
from chandler.streams.settings import Installation
from services.cli.replaying.asked import OUTSIDE, prefix_of, speed_of, topics_of, warm_up_of
from services.cli.replaying.deciding import iso
from services.cli.replaying.places import ways
from services.exits import FAILED, USAGE
from services.profile import Profile
from tests.candles import START_MS, path
from tests.services.desking import Run
from tests.services.replaying.past import (
    CANDLES_A_DAY,
    DAYS,
    FROM_MS,
    PARTITIONS,
    PERIOD,
    SYMBOLS,
    TO_MS,
    bytes_of,
    client_of,
    event_at_of,
    plain,
    put,
    standing,
    terms,
    words,
)

kafka = pytest.mark.kafka


def test_what_a_person_types_is_understood_or_explained() -> None:
    assert (speed_of("60"), speed_of("0"), speed_of("max"), speed_of("0.5")) == (
        60,
        None,
        None,
        0.5,
    )
    assert [warm_up_of(text) for text in ("2D", "36H", "90m", "0", "all")] == [
        2 * DAY_MS,
        36 * HOUR_MS,
        90 * MINUTE_MS,
        0,
        WHOLE,
    ]
    assert (prefix_of("try"), prefix_of("try.")) == ("try.", "try.")
    assert topics_of("") is None
    assert topics_of("tickers,indicators.*") == [
        "tickers",
        *(f"indicators.{each}" for each in ("1m", "5m", "15m", "30m", "1H", "4H", "1D")),
    ]
    for refuses, text, said in (
        (speed_of, "fast", "--speed fast: expected recorded seconds per second up to 3600, or max"),
        (speed_of, "nan", "--speed nan"),
        (warm_up_of, "2 weeks", "--warm-up 2 weeks: expected 90m, 36H, 2D, 0 or all"),
        (prefix_of, "a b", "--prefix 'a b': expected letters"),
        (topics_of, "tickets", "--topics tickets: no such topic .nearest: tickers"),
        (topics_of, "state.signals", "--topics state.signals: services write it about themselves"),
        (topics_of, "infra", "--topics infra: services write it about themselves"),
    ):
        with pytest.raises(typer.BadParameter, match=said):
            refuses(text)


def test_the_environment_is_that_of_the_pace_and_no_live_account_is_run(
    installation: Installation,
) -> None:
    profile = msgspec.convert(
        {"agents": {"anna": {}}, "accounts": {"venue": {"on_simulator": True}}}, Profile
    )
    tell = partial(ways, installation, profile, "try.", symbol_partitions=8)

    whole, alone = tell(OUTSIDE, pace=300), tell(["indicators.5m"], pace=1)

    assert whole.environment["CHANDLER_TOPIC_PREFIX"] == "try."
    assert whole.environment["CHANDLER_SET_simulator__speed"] == "300"
    assert whole.environment["CHANDLER_PORT_BASE"] != str(installation.port_base)
    assert whole.commands == [
        f"./chandler run {each}"
        for each in ("indicators", "signals", "pump_guard", "executor --shard 0", "positions")
    ]
    assert "CHANDLER_SET_simulator__speed" not in alone.environment
    assert alone.commands == ["./chandler run signals"]


@kafka
async def test_a_period_stands_under_the_other_prefix_byte_for_byte_and_the_own_is_untouched(
    past: Installation, other: Installation, run: Run
) -> None:
    before = standing(await describe(past))

    said = await run(*words(other, *PERIOD, "--warm-up", "1D"))

    assert said.status == 0, said.err
    assert standing(await describe(past)) == before
    original = await bytes_of(past, "candles.5m", "candles.1H", "tickers")
    for place, records in original.items():
        low = FROM_MS - (DAY_MS if place[0].startswith("candles") else 0)
        original[place] = [each for each in records if low <= event_at_of(each) < TO_MS]
    assert plain(await bytes_of(other, "candles.5m", "candles.1H", "tickers")) == plain(original)
    terms_there = await bytes_of(other, "instruments", "funding")
    times = sorted(event_at_of(each) for of in terms_there.values() for each in of)
    assert times == sorted([FROM_MS - 7, FROM_MS + HOUR_MS] * len(SYMBOLS) * 2)
    report = said.json
    assert report["state"] == "complete"
    assert report["reached_ms"] == TO_MS
    assert report["records"]["candles.5m"] == len(SYMBOLS) * 6 * 12
    assert report["before"] == {
        "candles.5m": len(SYMBOLS) * CANDLES_A_DAY,
        "candles.1H": len(SYMBOLS) * 24,
        "instruments": len(SYMBOLS),
        "funding": len(SYMBOLS),
    }
    there = {each.name: each.partitions for each in await describe(other)}
    assert there["matrix"] == there["candles.5m"] == PARTITIONS


@kafka
async def test_of_a_real_venue_nothing_is_read_that_was_written_before_the_period(
    past: Installation, other: Installation, run: Run
) -> None:
    before = Plan(from_ms=FROM_MS, to_ms=TO_MS, warm_up_ms=0, topics=["tickers"])
    today = msgspec.structs.replace(before, from_ms=round(time.time() * 1_000) + DAY_MS)
    async with opened(past, ["tickers"]) as source:
        early, late = await source.written_from(before), await source.written_from(today)
    os.environ["CHANDLER_PROFILE"] = "paper"
    said = await run(*words(other, *PERIOD))

    [tickers] = [each for each in await describe(past) if each.name == "tickers"]
    assert early == {"tickers": dict(enumerate(tickers.begin))}
    assert late == {"tickers": dict(enumerate(tickers.end))}
    assert said.json["records"]["candles.5m"] == len(SYMBOLS) * 6 * 12


@kafka
async def test_a_period_without_records_says_what_there_is(
    past: Installation, other: Installation, run: Run
) -> None:
    late = START_MS + 9 * DAY_MS
    said = await run(*words(other, from_ms=late))
    strange = await run(*words(other, "--symbols", "NONEUSDT"))
    crossed = await run(*words(other, "--to", iso(FROM_MS)))

    assert (said.status, strange.status, crossed.status) == (FAILED, FAILED, USAGE)
    assert f"to {iso(START_MS + DAYS * DAY_MS)}, choose --from and --to between them" in said.err
    assert "there is nothing of NONEUSDT" in strange.err
    assert await describe(other) == []


@kafka
async def test_one_symbol_and_one_topic_are_replayed_alone(
    past: Installation, other: Installation, run: Run
) -> None:
    chosen = ("--symbols", "bbbusdt,noneusdt", "--topics", "candles.5m", "--warm-up", "0")
    said = await run(*words(other, *PERIOD, *chosen))

    found = await bytes_of(other, "candles.5m")
    assert {each.key for of in found.values() for each in of} == {"BBBUSDT"}
    assert said.json["records"] == {"candles.5m": 6 * 12}
    assert said.json["notes"] == ["nothing was there of 1 symbols: NONEUSDT"]
    assert said.json["commands"] == ["./chandler run indicators", "./chandler run signals"]


@kafka
async def test_what_retention_has_removed_is_said_with_the_time_from_which_it_can(
    past: Installation, other: Installation, run: Run
) -> None:
    cut = {}
    for (name, number), records in (await bytes_of(past, "tickers")).items():
        assert records
        at = TopicPartition(topic_name(past, name), number)
        first = next(each for each in records if event_at_of(each) >= FROM_MS + HOUR_MS)
        cut[at] = RecordsToDelete(before_offset=first.offset)
    async with client_of(past) as client:
        await client.delete_records(cut)

    said = await run(*words(other, *PERIOD))
    without = await run(*words(other, *PERIOD, "--topics", "candles.5m"))
    later = await run(*words(other, *PERIOD, "--again", from_ms=FROM_MS + HOUR_MS))

    assert said.status == FAILED
    assert f"tickers is there from {iso(FROM_MS + HOUR_MS)} on, retention (7 days)" in said.err
    assert f"say --from {iso(FROM_MS + HOUR_MS)}, or leave it out with --topics" in said.err
    assert (without.status, later.status) == (0, 0), without.err + later.err


@kafka
async def test_compaction_that_has_removed_terms_is_said(
    past: Installation, other: Installation, run: Run
) -> None:
    await put(past, [terms("DDDUSDT", FROM_MS + HOUR_MS)[0]])

    said = await run(*words(other, *PERIOD))

    assert said.json["notes"] == [
        f"instruments of 1 symbols are known only from {iso(FROM_MS + HOUR_MS)} to "
        f"{iso(FROM_MS + HOUR_MS)} on, compaction keeps the newest: before that nothing is "
        "traded in them"
    ]


@kafka
async def test_candles_that_stand_behind_later_ones_are_replayed_there_and_counted(
    past: Installation, other: Installation, run: Run
) -> None:
    end = path(DAYS * CANDLES_A_DAY)[-1].close_ms
    later = [path(36, seed, Symbol("AAAUSDT"), start_ms=end) for seed in (1, 2)]
    await put(past, [("candles.5m", each) for series in later for each in series])
    place = ("--topics", "candles.5m", "--warm-up", "0")

    said = await run(*words(other, *place, from_ms=end + 5 * MINUTE_MS))

    assert said.json["records"] == {"candles.5m": 72}
    assert said.json["notes"] == [
        "23 records of candles.5m went out more than an hour behind their time: they stand behind "
        "later ones of their partition, as an import or a backfill left them"
    ]
