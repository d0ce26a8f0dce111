"""What a session was compared in: its period, its agents, and those that can't be compared."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from chandler.core.granularity import HOUR_MS
from chandler.replay.difference import Difference, Shard
from services.cli.app import main
from services.cli.backtest import files
from services.cli.backtest.session import Compared, left_out, show
from services.desks import desks
from services.loading import configuration
from services.runner import installed
from tests.replay.results import FROM_MS, made

ALIKE = Difference(125, 0, {}, Decimal(0), {}, [])


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CHANDLER_PROFILE", raising=False)


def compared() -> Compared:
    """A session of the demo, of which the live shard recorded what it liked."""
    shards = desks(configuration(installed()).profile)
    paper = {
        each.shard: Shard(frozenset(each.agents), FROM_MS, FROM_MS + HOUR_MS)
        for each in shards
        if each.kind == "paper" and each.agents
    }
    until = {name: each.out_ms for each in paper.values() for name in sorted(each.agents)}
    return Compared(ALIKE, made(days=2), FROM_MS + 5_250, until, left_out(shards, paper))


def test_the_period_and_the_agents_stand_before_the_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One line said that nothing differed, and not of what: the live agent was never in it."""
    status = show(compared(), tmp_path, as_json=False)

    assert status == 0
    assert capsys.readouterr().out.splitlines() == [
        "compared: 2024-01-01 00:00:05 to 2024-01-01 01:00 UTC, the venue's time: "
        "reverter, scalper, trend",
        "not compared: venue: it trades on account simulator, a backtest has paper money",
        f"report: {tmp_path / files.REPORT}",
        "fills=125 differing=0 explained=0 pnl_difference=0",
    ]


def test_programs_are_told_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    show(compared(), None, as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert (told["fills"], told["well"], told["folder"]) == (125, True, None)
    assert told["from_ms"] == FROM_MS + 5_250
    assert set(told["compared"]) == {"reverter", "scalper", "trend"}
    assert set(told["not_compared"]) == {"venue"}


def test_an_agent_that_recorded_nothing_is_not_compared() -> None:
    shards = desks(configuration(installed()).profile)
    silent = {each.shard: Shard(frozenset(each.agents), -1, -1) for each in shards}

    found = left_out(shards, silent)

    assert found["trend"] == "it recorded nothing"
    assert found["venue"].startswith("it trades on account simulator")


def test_a_session_is_not_compared_with_a_folder_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status = main(["backtest", "--diff", "paper", "--against", str(tmp_path)])

    assert status == 2
    assert "leave --against out" in capsys.readouterr().err
