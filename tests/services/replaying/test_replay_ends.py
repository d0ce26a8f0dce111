"""How a replay goes on after a preparation, an end, Ctrl-C and kill -9, and what it deletes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from chandler.core.granularity import DAY_MS, HOUR_MS
from chandler.streams.admin import describe
from chandler.streams.reader import follow
from chandler.streams.settings import Installation
from services.cli.replaying.deciding import iso
from services.exits import FAILED, INTERRUPTED
from tests.services.desking import Run
from tests.services.replaying.past import (
    FROM_MS,
    PERIOD,
    SYMBOLS,
    TO_MS,
    bytes_of,
    event_at_of,
    plain,
    standing,
    words,
)

ROOT = Path(__file__).resolve().parents[3]
END_S_MAX = 60.0
kafka = pytest.mark.kafka


@kafka
async def test_what_holds_a_replay_is_refused_extended_and_deleted_only_with_again(
    past: Installation, other: Installation, run: Run
) -> None:
    first = await run(*words(other, *PERIOD))
    refused = await run(*words(other, *PERIOD))
    further = await run(*words(other, "--to", iso(TO_MS + HOUR_MS), from_ms=TO_MS))
    again = await run(*words(other, *PERIOD, "--again"))

    assert (first.status, further.status, again.status) == (0, 0, 0), further.err + again.err
    assert refused.status == FAILED
    assert f"to go on say --from {iso(TO_MS)}; or start it again with --again" in refused.err
    assert further.json["records"]["candles.5m"] == len(SYMBOLS) * 12
    assert further.json["before"] == {}
    assert again.json["records"] == first.json["records"]
    count = sum(map(len, (await bytes_of(other, "candles.5m")).values()))
    assert count == again.json["records"]["candles.5m"] + again.json["before"]["candles.5m"]


@kafka
async def test_topics_that_no_replay_made_are_never_deleted_nor_written_to(
    past: Installation, other: Installation, run: Run
) -> None:
    own = past.topic_prefix
    mine = await run("replay", "--prefix", own, "--again", "--json")
    await run(*words(other, *PERIOD, "--topics", "candles.5m"))
    foreign = msgspec.structs.replace(past, topic_prefix=own)
    os.environ["CHANDLER_TOPIC_PREFIX"] = other.topic_prefix
    before = standing(await describe(foreign))
    theirs = await run(*words(foreign, *PERIOD, "--again"))
    without = await run(*words(foreign, *PERIOD))

    assert mine.status == FAILED
    assert "is the installation's own" in mine.err
    assert theirs.status == without.status == FAILED
    assert "are no replay's: --again deletes only what a replay made" in theirs.err
    assert "hold something" in without.err
    assert standing(await describe(foreign)) == before


@kafka
async def test_a_prefix_that_makes_names_of_the_installations_own_topics_is_refused(
    past: Installation, run: Run
) -> None:
    said = await run("replay", "--prefix", f"{past.topic_prefix}state.", "--json")

    assert said.status == FAILED
    assert "which is the installation's own" in said.err


@kafka
async def test_what_lies_before_is_prepared_and_the_period_follows_in_a_second_call(
    past: Installation, other: Installation, run: Run
) -> None:
    first = await run(*words(other, *PERIOD, "--prepare"))
    between = sum(map(len, (await bytes_of(other, "tickers")).values()))
    differing = await run(*words(other, "--symbols", "AAAUSDT"))
    second = await run(*words(other, *PERIOD))

    assert first.json["state"] == "prepared"
    assert first.json["records"] == {}
    assert between == 0
    assert "had another --symbols" in differing.err
    assert second.json["state"] == "complete"
    assert second.json["before"] == {}
    assert second.json["records"]["candles.5m"] == len(SYMBOLS) * 6 * 12


def spawned(past: Installation, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "services", *more],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def first_candle(other: Installation) -> None:
    """Returns when a candle of the period is out."""
    async for record in follow(other, ["candles.5m"], "beginning"):
        if getattr(record.event, "at", 0) >= FROM_MS:
            return


async def begun(past: Installation, other: Installation, run: Run) -> subprocess.Popen[str]:
    """A paced replay as a process, somewhere in its period."""
    await run(*words(other, *PERIOD, "--prepare"))
    paced = ("--prefix", other.topic_prefix, "--speed", "600", "--json")
    process = spawned(past, "replay", "--from", iso(FROM_MS), *PERIOD, *paced)
    await first_candle(other)
    return process


@kafka
async def test_ctrl_c_ends_it_in_order_and_from_there_it_goes_on_to_the_same_bytes(
    past: Installation, other: Installation, run: Run
) -> None:
    process = await begun(past, other, run)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=END_S_MAX)
    first = msgspec.json.decode(out)
    same = await run(*words(other, *PERIOD))
    second = await run(*words(other, from_ms=first["reached_ms"]))

    assert process.returncode == INTERRUPTED, err
    assert first["state"] == "interrupted"
    assert FROM_MS < first["reached_ms"] < TO_MS
    assert same.status == FAILED
    assert f"--from {first['go_on']}" in same.err
    assert second.json["state"] == "complete"
    original = await bytes_of(past, "candles.5m", "tickers")
    for place, records in original.items():
        low = FROM_MS - (2 * DAY_MS if place[0] == "candles.5m" else 0)
        original[place] = [each for each in records if low <= event_at_of(each) < TO_MS]
    assert plain(await bytes_of(other, "candles.5m", "tickers")) == plain(original)


@kafka
async def test_after_kill_9_the_same_command_refuses_and_says_what_to_do(
    past: Installation, other: Installation, run: Run
) -> None:
    process = await begun(past, other, run)
    process.kill()
    process.communicate(timeout=END_S_MAX)

    same = await run(*words(other, *PERIOD))
    again = await run(*words(other, *PERIOD, "--again"))

    assert same.status == FAILED
    assert "was not ended, or still runs: how far it came is not known" in same.err
    assert "start it again with --again" in same.err
    assert again.status == 0, again.err
    assert again.json["state"] == "complete"
