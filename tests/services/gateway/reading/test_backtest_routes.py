"""Backtests as they are kept in the data directory, and folders that hold none."""

from pathlib import Path
from urllib.parse import quote

import pytest

from chandler.replay.metrics import measure
from chandler.replay.result import Result
from services.cli.backtest import files
from tests.replay.results import made
from tests.services.gateway.stand_in import Door


@pytest.fixture(scope="module")
def result() -> Result:
    found: Result = made(days=20, trades=40)
    return found


@pytest.fixture
def door(result: Result, tmp_path: Path) -> Door:
    folder = tmp_path / "backtests"
    files.write(result, measure(result), folder / "first")
    files.write(result, measure(result), folder / "second")
    (folder / "half").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "result.json").write_text("{")
    (tmp_path / "result.json").write_text("{}")
    return Door(tmp_path, "anna")


async def test_runs_are_listed_the_newest_first(door: Door, result: Result) -> None:
    found = (await door.ask("/backtests")).items

    assert [each["id"] for each in found] == ["second", "first"]
    assert found[0]["agents"] == sorted(result.curves)
    assert found[0]["digest"] == result.origin.digest
    one = await door.ask("/backtests?limit=1")
    [other] = (await door.ask(f"/backtests?limit=1&after={one.body['next']}")).items
    assert (one.items[0]["id"], other["id"]) == ("second", "first")
    assert (await door.ask("/backtests?profile=other")).items == []


async def test_a_run_is_shown_with_its_figures_and_curves(door: Door, result: Result) -> None:
    run = (await door.ask("/backtests/first")).body
    trades = (await door.ask("/backtests/first/trades?limit=500")).items

    metrics = measure(result)
    portfolio = run["metrics"]["portfolio"]
    assert portfolio["performance"]["total_return"] == metrics.portfolio.performance.total_return
    assert run["curves"][0]["kind"] == "portfolio"
    assert len(run["curves"][0]["t"]) == len(run["curves"][0]["v"]) <= 2_000
    assert [each["id"] for each in trades] == [each.id for each in result.trades]
    assert sum(map(float, (each["pnl"] for each in trades))) == pytest.approx(
        float(sum(each.pnl for each in result.trades))
    )


async def test_a_runs_trades_come_page_by_page(door: Door, result: Result) -> None:
    found, after = [], ""
    while True:
        answer = await door.ask(f"/backtests/first/trades?limit=7&after={after}")
        found += [each["id"] for each in answer.items]
        after = answer.body["next"]
        if not after:
            break

    assert found == [each.id for each in result.trades]


async def test_a_run_from_before_there_were_curves_has_none(door: Door, tmp_path: Path) -> None:
    (tmp_path / "backtests" / "first" / "curves.json").unlink()

    assert (await door.ask("/backtests/first")).body["curves"] == []


async def test_trades_that_can_not_be_read_are_told(door: Door, tmp_path: Path) -> None:
    (tmp_path / "backtests" / "first" / "trades.json").write_text("[")

    answer = await door.ask("/backtests/first/trades")

    assert (answer.status, answer.kind) == (503, "backtest_unreadable")
    assert str(tmp_path).encode() not in answer.raw


@pytest.mark.parametrize(
    "name", ["none", "half", "broken", "..", ".", "%2e%2e", "..%2f", "first%2f..%2f..", "first%00",
             quote("/etc"), "result.json", "a" * 101],
)  # fmt: skip
async def test_a_path_leads_nowhere_else(door: Door, name: str) -> None:
    answer = await door.ask(f"/backtests/{name}")

    assert answer.status in (404, 422), answer


async def test_a_run_of_agents_that_are_not_seen_is_left_out(door: Door) -> None:
    assert (await door.ask("/backtests", by="vera")).items == []
    assert (await door.ask("/backtests/first", by="vera")).kind == "unknown_backtest"
