"""`candles import` and a real Kafka: each candle once, behind what is there, or a clear line."""

import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from chandler.core.events import CandleMissing, CandleSealed, CandlesOut, InfraEvent, Symbol
from chandler.core.granularity import DAY_MS
from chandler.exchanges.simulator.market import SPACINGS
from chandler.exchanges.simulator.server import Simulator
from chandler.streams.settings import Installation
from chandler.streams.writing import Outbox, Record, ReplacedError
from services.cli.running.state import only_one
from services.ingest.output import read_out
from services.layers import root
from tests.candles import BTC, START_MS, longer, path
from tests.conftest import Topics
from tests.services.desking import Run
from tests.services.history.files import binance_csv, own_csv, parquet
from tests.services.ingesting import (
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

ETH = Symbol("ETHUSDT")
WAIT_S_MAX = 120


def two(count: int, start: int = 0) -> list[CandleSealed]:
    return [*path(count, 1)[start:], *path(count, 2, ETH)[start:]]


async def test_candles_go_in_once_and_only_grow_at_the_end(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    first = await say("candles", "import", str(parquet(tmp_path, two(100))), "--json")
    again = await say("candles", "import", str(own_csv(tmp_path, two(100))), "--json")
    more = await say("candles", "import", str(parquet(tmp_path, two(150, 50))), "--json")
    found = await candles(place)
    last = {each.key: each.event for each in await records(place, "candles.last")}
    audit = await say("audit", "candles")

    assert (first.status, first.json["candles"], first.json["skipped"]) == (0, 200, 0)
    assert (again.status, again.json["candles"], again.json["skipped"]) == (0, 0, 200)
    assert (more.status, more.json["candles"], more.json["skipped"]) == (0, 100, 100)
    assert found == {(BTC, "5m"): path(150, 1), (ETH, "5m"): path(150, 2, ETH)}
    newest = path(150, 1)[-1]
    assert last[f"{BTC}|5m"] == CandlesOut(
        symbol=BTC, granularity=newest.granularity, open_ms=newest.open_ms, hash=newest.hash
    )
    assert audit.out.startswith("candles=300 resealed=0 gaps=0 out_of_order=0")
    assert audit.status == 0


async def test_one_changed_value_is_refused_and_named_and_the_other_symbol_goes_on(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    await say("candles", "import", str(parquet(tmp_path, two(60))))
    changed = two(80)
    changed[10] = msgspec.structs.replace(changed[10], volume=changed[10].volume + 1)

    said = await say("candles", "import", str(parquet(tmp_path, changed)))
    found = await candles(place)

    assert said.status == 1
    assert "BTCUSDT: 1 candles are in candles.5m with other values" in said.err
    assert f"volume {changed[10].volume!r}" in said.err
    assert f"volume {path(60)[10].volume!r}" in said.err
    assert "candles=20 missing=0 skipped=60 symbols=1 refused=1 files=1" in said.out
    assert (len(found[BTC, "5m"]), len(found[ETH, "5m"])) == (60, 80)


async def test_a_refused_symbol_is_a_row_of_the_table_and_of_json(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    """The table listed what went out only: a symbol that did not could be overlooked."""
    file = own_csv(tmp_path, two(40))
    lines = file.read_text().splitlines()
    cells = lines[60].split(",")
    cells[4] = "abc"
    file.write_text("\n".join([*lines[:60], ",".join(cells), *lines[61:]]))

    said = await say("candles", "import", str(file), "--dry-run")
    told = await say("candles", "import", str(file), "--dry-run", "--json")

    assert (said.status, told.status) == (1, 1)
    row = next(line for line in said.out.splitlines() if "refused  ETHUSDT" in line)
    assert row.rstrip().endswith("column close has 'abc' in row 60 (2024-01-01 01:35)")
    whole, refused = told.json["lanes"]
    assert (whole["symbol"], whole["candles"], whole["refused"]) == (BTC, 40, None)
    assert (refused["symbol"], refused["candles"], refused["granularity"]) == (ETH, 0, None)
    assert refused["refused"] == "column close has 'abc' in row 60 (2024-01-01 01:35)"
    assert whole.keys() == refused.keys()


async def test_older_candles_and_holes_are_refused_and_missing_ones_recorded_if_asked(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    middle = path(80)[30:50]
    await say("candles", "import", str(parquet(tmp_path, middle)))

    older = await say("candles", "import", str(parquet(tmp_path, path(60))))
    hole = await say("candles", "import", str(parquet(tmp_path, path(80)[55:])))
    recorded = await say("candles", "import", str(parquet(tmp_path, path(80)[55:])), "--missing")
    found = (await candles(place))[BTC, "5m"]

    assert (older.status, hole.status, recorded.status) == (1, 1, 0)
    assert "older ones can't be put before them" in older.err
    assert "5 5m candles are missing (holes: 1)" in hole.err
    assert "candles=25 missing=5" in recorded.out
    assert faults_of({(BTC, "5m"): found}) == []
    assert [isinstance(each, CandleMissing) for each in found].count(True) == 5


async def test_longer_candles_are_made_of_whole_slots_and_stand_before_their_last_base_candle(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    """The second file begins in the middle of an hour and of four."""
    whole = path(200)
    for part in (whole[:100], whole[100:]):
        said = await say(
            "candles", "import", str(parquet(tmp_path, part)), "--also", "1h,4H", "--json"
        )
        assert (said.status, said.json["faults"]) == (0, [])
    found = await candles(place)

    assert found[BTC, "5m"] == whole
    assert found[BTC, "1H"] == longer(whole, "1H")
    assert found[BTC, "4H"] == longer(whole, "4H")


async def test_a_dry_run_writes_nothing(place: Installation, say: Run, tmp_path: Path) -> None:
    said = await say("candles", "import", str(parquet(tmp_path, two(50))), "--dry-run")

    assert (said.status, await records(place, "candles.5m", "candles.last")) == (0, [])
    assert "would import: candles=100" in said.out


async def test_granularities_that_engines_would_miss_are_told(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    said = await say("candles", "import", str(binance_csv(tmp_path, path(50))))

    assert said.status == 0
    assert "this profile reads 1H,4H, too" in said.err
    assert "with --also 1H,4H" in said.err


async def test_nothing_to_import_is_status_1(place: Installation, say: Run, tmp_path: Path) -> None:
    file = tmp_path / "words.csv"
    file.write_text("nothing of value\n")

    said = await say("candles", "import", str(file))

    assert said.status == 1
    assert "expected at least 6 columns" in said.err
    assert "refused=1" in said.out


async def test_an_import_is_refused_while_up_runs(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    with only_one(place):
        said = await say("candles", "import", str(parquet(tmp_path, path(10))))

    assert said.status == 3
    assert "`up` or another import runs in" in said.err


@pytest.mark.parametrize(
    ("instance", "kind", "refused"),
    [
        (f"{socket.gethostname()}:{os.getpid()}:0", "ready", True),
        (f"{socket.gethostname()}:{os.getpid()}:0", "stopping", False),
        (f"{socket.gethostname()}:999999999:0", "ready", False),
        ("another-machine:7:0", "ready", True),
    ],
    ids=["it runs", "it ends", "its process is gone", "it is elsewhere"],
)
async def test_an_import_is_refused_while_an_ingest_may_still_write(
    place: Installation,
    topics: Topics,
    say: Run,
    tmp_path: Path,
    instance: str,
    kind: Literal["ready", "stopping"],
    refused: bool,
) -> None:
    await topics(["infra"], partitions=8)
    outbox = Outbox(place, "the-test")
    await outbox.open()
    started = InfraEvent(service="ingest", instance=instance, kind="started", at=START_MS)
    words = [started, msgspec.structs.replace(started, kind=kind)]
    await outbox.write([Record("infra", "ingest", word) for word in words])
    await outbox.close()

    said = await say("candles", "import", str(parquet(tmp_path, path(10))))
    forced = await say("candles", "import", str(parquet(tmp_path, path(10))), "--take-over")

    assert said.status == (3 if refused else 0)
    assert ("ingest runs on" in said.err) == refused
    assert forced.status == 0


async def test_an_ingest_that_was_not_heard_of_is_fenced(
    place: Installation, topics: Topics, say: Run, tmp_path: Path
) -> None:
    await topics(TOPICS, partitions=8)
    async with venue(60.0) as simulator:
        with pytest.raises(ReplacedError, match="another instance took over"):  # noqa: PT012
            async with ingesting(place, profile_of(simulator)) as context:
                await until(lambda: context.health.ready, "it is not ready")
                said = await say("candles", "import", str(parquet(tmp_path, path(10, 3, ETH))))
                simulator.clock.advance(simulator.clock.now() + 1_200_000)
                await until(lambda: not context.health.ready, "it was not fenced")
        found = await candles(place)

    assert said.status in (0, 1)
    assert faults_of(found) == []


async def test_an_import_that_is_killed_goes_on_where_it_was(
    place: Installation, say: Run, tmp_path: Path
) -> None:
    file = parquet(tmp_path, path(60_000))
    words = [sys.executable, "-m", "services", "candles", "import", str(file)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, cwd=root(), stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            while not await _is_out(place):
                assert process.returncode is None, await process.communicate()
    finally:
        process.kill()
        await process.communicate()
    before = len(await records(place, "candles.5m"))

    said = await say("candles", "import", str(file), "--json")
    found = await candles(place)

    assert 0 < before < 60_000
    assert (said.status, said.json["candles"] + said.json["skipped"]) == (0, 60_000)
    assert said.json["skipped"] >= before
    assert found == {(BTC, "5m"): path(60_000)}


async def _is_out(place: Installation) -> bool:
    return bool(await records(place, "candles.last"))


async def test_ingest_goes_on_after_an_import_without_a_repeat_or_a_hole(
    place: Installation, topics: Topics, say: Run, tmp_path: Path
) -> None:
    await topics(TOPICS, partitions=8)
    async with venue(1_200.0) as simulator:
        simulator.clock.advance(simulator.clock.now() + DAY_MS)
        before = played(simulator)
        said = await say(
            "candles", "import", str(parquet(tmp_path, before)), "--also", "1H,4H", "--json"
        )
        assert (said.status, said.json["faults"]) == (0, [])
        out = await read_out(place)
        async with ingesting(place, profile_of(simulator)) as context:
            await until(lambda: context.health.ready, "it is not ready")
            found = await enough(place, said.json["candles"] + 4 * 40)

        assert len(out) == 4
        assert faults_of(found) == []
        assert differing(found, simulator) == []
        assert {run_of[0].open_ms for run_of in found.values()} == {before[0].open_ms}


def played(simulator: Simulator) -> Sequence[CandleSealed]:
    """The first 240 candles of yesterday, of each symbol."""
    market, spacing = simulator.market, SPACINGS["5m"]
    now = simulator.clock.now()
    start = now // DAY_MS * DAY_MS - DAY_MS
    return [
        CandleSealed(symbol=Symbol(symbol), granularity=path(1)[0].granularity, **bar._asdict())
        for symbol, index in market.index.items()
        for bar in market.bars(index, spacing, start + 240 * 300_000, 240, now, from_ms=start)
    ]
