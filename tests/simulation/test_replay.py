"""The services themselves, run on a replay: they decide what they decided before, byte for byte."""

from collections import defaultdict
from functools import partial
from pathlib import Path

import msgspec
import pytest

from chandler.core.events import Candle, Symbol
from chandler.core.granularity import INTERVAL_MS, Granularity, interval_ms
from chandler.streams.admin import describe
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.cli.replaying.deciding import iso
from services.loading import configuration
from services.profile import Profile
from tests.candles import longer, path
from tests.services.desking import ran
from tests.simulation.branches import (
    Branch,
    branch,
    evaluated,
    publish,
    recomputed,
    running,
)

pytestmark = [pytest.mark.kafka, pytest.mark.system]

PARTITIONS = 2
COUNT = 2_400  # of 5m candles of each symbol
SYMBOLS = 4
MADE = (*(f"indicators.{each}" for each in INTERVAL_MS), "matrix", "signals")

Rows = dict[tuple[str, int], list[tuple[str, bytes]]]


def history() -> list[Candle]:
    """Candles as ingest publishes them: by close, the longer ones first."""
    candles: list[Candle] = []
    for number in range(SYMBOLS):
        base = path(COUNT, seed=50 + number, symbol=Symbol(f"{'ABCD'[number]}USDT"))
        candles += [*base, *longer(base, "1H"), *longer(base, "4H")]
    return sorted(candles, key=lambda each: (each.close_ms, -interval_ms(each.granularity)))


async def made_there(installation: Installation) -> Rows:
    """What the stages wrote: key and bytes of each partition.

    Sorted: which of two symbols, or of two bases that close at once, comes first is the arrival's.
    """
    found: defaultdict[tuple[str, int], list[tuple[str, bytes]]] = defaultdict(list)
    async for record in read_topics(installation, MADE):
        found[record.topic, record.partition].append((record.key, record.raw or b""))
    return {place: sorted(rows) for place, rows in found.items()}


@pytest.fixture
def profile(tmp_path: Path, installation: Installation) -> Profile:
    return configuration(msgspec.structs.replace(installation, data=tmp_path), {}).profile


@pytest.fixture
async def session(
    installation: Installation, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Branch:
    """Candles, and what indicators and signals made of them; commands find it."""
    candles = history()
    target = await branch(installation, profile, PARTITIONS, recomputed(profile, candles))
    async with running(target, 1):
        await publish(target, candles)
        await evaluated(target)
    monkeypatch.setenv("CHANDLER_BROKERS", installation.bootstrap)
    monkeypatch.setenv("CHANDLER_TOPIC_PREFIX", installation.topic_prefix)
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    monkeypatch.setenv("CHANDLER_SET_kafka__symbol_partitions", str(PARTITIONS))
    return target


async def test_indicators_and_signals_of_a_replay_have_the_bytes_of_the_session(
    session: Branch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = session.installation
    other = msgspec.structs.replace(own, topic_prefix=f"try-{own.topic_prefix}")
    run = partial(ran, capsys)
    middle = history()[len(history()) // 2].close_ms
    words = ("replay", "--prefix", other.topic_prefix, "--from", iso(middle), "--warm-up", "all")
    before = {each.name: each.end for each in await describe(own)}

    prepared = await run(*words, "--prepare", "--speed", "max", "--json")
    target = Branch(other, session.profile, session.expected)
    async with running(target, 1):
        said = await run(*words, "--speed", "max", "--json")
        await evaluated(target)

    assert (prepared.status, said.status) == (0, 0), prepared.err + said.err
    assert prepared.json["before"]
    assert said.json["records"]
    assert {each.name: each.end for each in await describe(own)} == before
    original, again = await made_there(own), await made_there(other)
    assert again == original
    assert len(session.expected.signals) > 20
    assert sum(len(rows) for (topic, _), rows in original.items() if topic == "signals") > 20
    assert sum(map(len, original.values())) > SYMBOLS * COUNT


async def test_signals_alone_are_tried_on_recorded_indicators(
    session: Branch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = session.installation
    other = msgspec.structs.replace(own, topic_prefix=f"rows-{own.topic_prefix}")
    words = ("--prefix", other.topic_prefix, "--topics", "indicators.*", "--speed", "max")

    said = await ran(capsys, "replay", *words, "--warm-up", "all", "--json")
    target = Branch(other, session.profile, session.expected)
    async with running(target, 1):
        await evaluated(target)

    assert said.json["commands"] == ["./chandler run signals"]
    original, again = await made_there(own), await made_there(other)
    assert again == original
    assert {Granularity(each.partition(".")[2]) for each in said.json["records"]} >= {"5m", "1H"}
