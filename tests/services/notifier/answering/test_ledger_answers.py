"""Statistics, the day so far and pictures, from a real ledger; and what is said without one."""

import asyncio
import sqlite3
import struct
import threading
from pathlib import Path

import msgspec
import pytest

from chandler.core.events import CandleSealed, Symbol
from chandler.core.granularity import DAY_MS, Granularity
from services.notifier.answering import drawn
from services.notifier.answering.drawing import chart
from services.notifier.answering.pictures import BYTES_MAX, Level
from tests.services.notifier.answering.scene import (
    BTC,
    DAY,
    ETH,
    HOUR,
    NOW,
    D,
    Scene,
    opened,
    refusal,
    state,
    trip,
)

SIZE = (880, 550)
GRANULARITY = Granularity("5m")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Two trades today, one three days ago, one long ago."""
    made = Scene(tmp_path, "anna", "bert")
    made.record(
        [
            *trip("4", "anna", "90", at=DAY - 60 * DAY_MS),
            *trip("3", "anna", "120", at=DAY - 3 * DAY_MS),
            *trip("1", "anna", "110", at=DAY + HOUR),
            *trip("2", "bert", "95", at=DAY + 2 * HOUR, symbol=ETH),
            refusal("anna", "price_impact", "0.4 %, at most 0.2 %", at=DAY + HOUR),
        ]
    )
    made.stand(state("anna", "12.5"), state("bert", "1", None))
    return made


def size_of(png: bytes | None) -> tuple[int, int]:
    assert png is not None
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png.endswith(b"IEND\xaeB`\x82")
    assert len(png) <= BYTES_MAX
    width, height = struct.unpack(">II", png[16:24])
    return width, height


async def test_statistics_of_the_venues_day_by_agent(scene: Scene) -> None:
    said = (await scene.text("statistics")).splitlines()

    assert said == [
        "Statistics, 2024-01-05 (UTC)",
        "+9, trades 2, won 1 (50%)",
        "fees 1, funding 0, profit factor 1.86, best +19.5, worst -10.5",
        "anna",
        "+19.5, trades 1, won 1 (100%)",
        "fees 0.5, funding 0, profit factor -, best +19.5, worst +19.5",
        "bert",
        "-10.5, trades 1, won 0 (0%)",
        "fees 0.5, funding 0, profit factor 0, best -10.5, worst -10.5",
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"period": "week"}, ["2023-12-30 to 2024-01-05 (UTC)", "+48.5, trades 3, won 2"]),
        ({"period": "month"}, ["2023-12-07 to 2024-01-05 (UTC)", "+48.5, trades 3, won 2"]),
        ({"period": "all"}, ["up to 2024-01-05 (UTC)", "+28, trades 4, won 2"]),
        ({"by": "engine"}, ["scalper", "+9, trades 2, won 1"]),
        ({"by": "symbol"}, ["ETHUSDT", "-10.5, trades 1, won 0"]),
        ({"symbol": "ethusdt"}, ["Statistics, ETHUSDT, 2024", "-10.5, trades 1, won 0"]),
        ({"agent": "anna"}, ["Statistics, anna, 2024", "+19.5, trades 1, won 1"]),
        ({"engine": "trend"}, ["Statistics, trend, 2024", "no trades"]),
    ],
)
async def test_statistics_are_narrowed_and_grouped(
    scene: Scene, asked: dict[str, str], expected: list[str]
) -> None:
    said = await scene.text("statistics", **asked)

    for words in expected:
        assert words in said


async def test_the_venues_day_begins_anew_with_the_desks_clock(scene: Scene) -> None:
    """Nothing was traded yet on the new day: yesterday's figures are not today's."""
    scene.stand(clock=DAY + DAY_MS + 1)

    assert await scene.text("statistics") == "Statistics, 2024-01-06 (UTC)\nno trades"


async def test_the_day_so_far_is_told_as_the_digest_is(scene: Scene) -> None:
    anna = state("anna", "12.5")
    scene.see("positions", opened(anna, "101"))

    reply = await scene.ask("digest")
    mine = await scene.ask("digest", agents=["bert"])

    assert [line.text for line in reply.lines] == [
        "Day 2024-01-05 (UTC): +9, trades 2, won 1",
        "anna, scalper: +19.5, trades 1, won 1, fees 0.5, funding 0",
        "bert, scalper: -10.5, trades 1, won 0, fees 0.5, funding 0",
        "biggest win: +19.5 (anna, BTCUSDT)",
        "biggest loss: -10.5 (bert, ETHUSDT)",
        "refusals: 1: 1 × price impact",
        "open now: 1, +2 unrealised",
        "as of 2024-01-05 10:00 UTC",
    ]
    assert reply.picture == "equity 2024-01-05"
    assert mine.lines[0].text == "Day 2024-01-05 (UTC): -10.5, trades 1, won 0"
    assert mine.picture == "equity 2024-01-05 bert"
    assert "anna" not in "".join(line.text for line in mine.lines)


async def test_a_ledger_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "anna")

    for topic in ("statistics", "digest"):
        assert "there is no ledger at" in await scene.text(topic)
    assert await drawn("equity day", scene.sources) is None
    assert not list(tmp_path.iterdir())


async def test_a_ledger_that_is_locked_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ledger.opening.BUSY_MS", 50)
    holder = sqlite3.connect(scene.sources.installation.data / "ledger.sqlite")
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("UPDATE ledger_origin SET rebuilt = rebuilt")

    said = await scene.text("statistics")
    holder.close()

    assert "can't be used now (database is locked): another program holds it" in said


async def test_too_many_questions_at_once_are_refused_in_words(scene: Scene) -> None:
    goes_on = threading.Event()
    asked = [asyncio.create_task(scene.sources.apart(goes_on.wait)) for _ in range(3)]
    await asyncio.sleep(0)

    said = await scene.text("statistics")
    goes_on.set()
    await asyncio.gather(*asked)

    assert said.startswith("3 questions before this one are still being looked up")
    assert "Statistics" in await scene.text("statistics")


@pytest.mark.parametrize("spec", ["equity 2024-01-05", "equity week anna", "equity all anna bert"])
async def test_an_equity_picture_is_a_png_that_a_telephone_can_show(
    scene: Scene, spec: str
) -> None:
    assert size_of(await drawn(spec, scene.sources)) == SIZE


async def test_a_picture_shows_the_agents_that_it_names_alone(scene: Scene) -> None:
    """Bert's trades change what is drawn of all, and nothing of what is drawn of anna."""
    before = await drawn("equity 2024-01-05 anna", scene.sources)
    whole = await drawn("equity 2024-01-05", scene.sources)

    assert before != whole
    assert await drawn("equity 2024-01-05 carl", scene.sources) is None


async def test_agents_of_any_name_are_drawn(tmp_path: Path) -> None:
    r"""`$\frac$` was taken for a formula, and the whole picture failed for it."""
    names = ["$\\frac$", "_b c", "魚🐟\x07"]
    scene = Scene(tmp_path, *names)
    scene.record([event for name in names for event in trip(f"of {name}", name, "110")])

    reply = await scene.ask("digest", agents=names)

    quoted = "%24%5Cfrac%24 _b%20c %E9%AD%9A%F0%9F%90%9F%07"
    assert reply.picture == f"equity 2024-01-05 {quoted}"
    assert size_of(await drawn(reply.picture, scene.sources)) == SIZE


def candle(number: int) -> CandleSealed:
    price = 100.0 + number % 17
    return CandleSealed(
        symbol=BTC,
        granularity=GRANULARITY,
        open_ms=NOW + (number - 100) * 300_000,
        open=price,
        high=price + 2,
        low=price - 2,
        close=price + (1 if number % 3 else -1),
        volume=1.0,
        quote_volume=price,
    )


def test_candles_are_drawn_with_entries_and_stops() -> None:
    found = [candle(number) for number in range(100)]
    levels = [Level("anna", "long", D("105.123456789"), D(101)), Level("b", "short", D(1), None)]

    png = chart(found, levels)

    assert size_of(png) == SIZE
    assert png != chart(found, levels[1:])
    assert size_of(chart(found[:1], [])) == SIZE
    odd = msgspec.structs.replace(found[0], symbol=Symbol("$\\frac$🐟"))
    assert size_of(chart([odd], [Level("$\\frac$", "long", D(105), None)])) == SIZE


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("", "expected equity PERIOD or candles"),
        ("equity", "expected equity PERIOD or candles"),
        ("equity yesterday", "yesterday is no period"),
        ("equity 2024-02-01", "nothing was earned or paid, 2024-02-01 (UTC)"),
        ("candles BTCUSDT 7m 1704448800000", "unknown granularity '7m'"),
        ("candles BTCUSDT 5m -1", "-1 is no close"),
        ("candles BTCUSDT 5m 1 anna|up|1|", "is no position: expected AGENT|SIDE|ENTRY|STOP"),
        ("candles BTCUSDT 5m 1 anna|long|NaN|", "expected a decimal number"),
        ("candles BTCUSDT 5m 1704448800000", "Kafka can't be reached at 127.0.0.1:9"),
        ("equity day " + "a" * 5_000, "expected equity PERIOD or candles"),
    ],
)
async def test_what_can_not_be_drawn_is_logged(
    scene: Scene, spec: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await drawn(spec, scene.sources) is None
    assert why in caplog.text
