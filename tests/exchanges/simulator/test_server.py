"""The simulator as a whole: its clock over restarts, its admin endpoints, its refusals."""

from pathlib import Path
from typing import Any

import pytest

from chandler.exchanges.simulator.config import SimulatorConfig, SimulatorError
from chandler.exchanges.simulator.server import Simulator
from tests.exchanges.simulator.venue import ORIGIN_MS, admin, get, market, simulator

SLOT_MS = 300_000


async def test_a_second_start_goes_on_where_the_first_stopped(tmp_path: Path) -> None:
    async with simulator(tmp_path, tmp_path) as venue:
        first = (await admin(venue, "GET", "clock"))[1]["now_ms"]
        await admin(venue, "POST", "clock", {"now_ms": first + 7 * SLOT_MS})
    stopped = venue.clock.now()

    async with simulator(tmp_path, tmp_path) as venue:
        now = (await admin(venue, "GET", "clock"))[1]["now_ms"]

    assert stopped >= first + 7 * SLOT_MS
    assert 0 <= now - stopped < 10 * 3_600_000


async def test_a_jump_shows_the_candles_in_between(tmp_path: Path) -> None:
    async with simulator(tmp_path, speed=1.0) as venue:
        await admin(venue, "POST", "clock", {"now_ms": ORIGIN_MS + 200 * SLOT_MS})

        rows = await market(venue, "history-candles", symbol="AAAUSDT", granularity="5m", limit=200)

    assert [int(row[0]) for row in rows] == [ORIGIN_MS + slot * SLOT_MS for slot in range(200)]


async def test_the_speed_changes_while_it_runs(tmp_path: Path) -> None:
    async with simulator(tmp_path, speed=1.0) as venue:
        status, body = await admin(venue, "POST", "clock", {"speed": 300})

        assert (status, body["speed"]) == (200, 300)
        assert (await admin(venue, "GET", "state"))[1]["speed"] == 300


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "clock", {"speed": 4000}),
        ("POST", "clock", {"speed": "fast"}),
        ("POST", "clock", {"now_ms": 5}),
        ("POST", "clock", {"rate": 5}),
        ("POST", "clock", [1]),
        ("POST", "faults", {"spec": "drop=5"}),
        ("POST", "faults", {}),
        ("POST", "limits", {"pings": 5}),
        ("POST", "limits", {"channels": "all"}),
        ("POST", "limits", [1]),
        ("POST", "delist", {"symbol": "XXXUSDT"}),
        ("GET", "candles", None),
        ("GET", "candles?symbol=AAAUSDT&granularity=5M", None),
        ("GET", "missing?from_ms=x", None),
    ],
)
async def test_what_admin_cannot_do_is_said_in_one_line(
    tmp_path: Path, method: str, path: str, body: Any
) -> None:
    async with simulator(tmp_path, speed=1.0) as venue:
        status, answer = await admin(venue, method, path, body)

    assert status == 400
    assert answer["error"]
    assert "\n" not in answer["error"]


async def test_faults_are_set_shown_and_cleared(tmp_path: Path) -> None:
    async with simulator(tmp_path, speed=1.0) as venue:
        _, given = await admin(venue, "POST", "faults", {"spec": "drop=5%,missing=1%", "seed": 7})
        _, shown = await admin(venue, "GET", "faults")
        _, cleared = await admin(venue, "DELETE", "faults")

    assert given == shown == {"spec": "drop=5%,missing=1%", "seed": 7}
    assert cleared == {"spec": "", "seed": 7}


async def test_missing_slots_are_listed_by_symbol(tmp_path: Path) -> None:
    async with simulator(tmp_path, speed=1.0, faults="missing=20%") as venue:
        _, missing = await admin(venue, "GET", "missing")
        rows = await market(venue, "history-candles", symbol="AAAUSDT", granularity="5m", limit=200)

    assert missing["AAAUSDT"]
    assert {int(row[0]) for row in rows}.isdisjoint(missing["AAAUSDT"])


async def test_final_candles_can_be_asked_for(tmp_path: Path) -> None:
    async with simulator(tmp_path, speed=1.0) as venue:
        status, rows = await get(venue, "/admin/candles", symbol="AAAUSDT", granularity="1H")

    assert status == 200
    assert int(rows[0][0]) == ORIGIN_MS


async def test_a_relisted_symbol_is_back(tmp_path: Path) -> None:
    async with simulator(tmp_path, speed=1.0) as venue:
        await admin(venue, "POST", "delist", {"symbol": "AAAUSDT"})
        await admin(venue, "DELETE", "delist", {"symbol": "AAAUSDT"})

        assert len(await market(venue, "tickers")) == 2


async def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    async with simulator(tmp_path) as venue:
        second = Simulator(venue.config, None, venue.port)

        with pytest.raises(SimulatorError, match=f"port {venue.port} can't be used"):
            await second.__aenter__()


@pytest.mark.parametrize(
    "settings",
    [
        {"symbols": 0},
        {"speed": 0.1},
        {"speed": 5000.0},
        {"ticks_per_second_max": 0},
        {"ticks_per_second_max": 1001},
        {"faults": "everything"},
        {"start": "soon"},
        {"candles": "nowhere.csv"},
    ],
)
def test_a_wrong_configuration_is_refused_in_one_line(settings: dict[str, Any]) -> None:
    with pytest.raises(SimulatorError) as raised:
        Simulator(SimulatorConfig(**settings), None, 0)
    assert "\n" not in str(raised.value)
