"""A backtest over what a session recorded gives the session's fills and balances (P4)."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from services.cli.backtest.command import Told
from services.cli.backtest.session import differing
from services.loading import configuration
from tests.simulation.session import Session

pytestmark = [pytest.mark.kafka, pytest.mark.system]


def test_a_backtest_of_a_paper_session_is_that_session(session: Session) -> None:
    """Services were killed meanwhile: what came late then is counted, by its cause."""
    installation = session.system.installation
    profile = configuration(installation, session.system.environ).profile

    found = asyncio.run(differing(installation, profile, Told(None))).difference

    assert session.killed
    assert found.fills > 0
    assert found.differing == 0, found.lines
    assert bool(found.pnl_difference) <= bool(found.explained)


def test_the_command_says_what_it_compared_and_writes_what_a_backtest_writes(
    session: Session, tmp_path: Path
) -> None:
    """It made the folder of --out and left it empty."""
    out = tmp_path / "again"

    ran = session.system.command("backtest", "--from-topics", "--diff", "paper", "--out", str(out))

    *before, last = ran.stdout.splitlines()
    assert ran.returncode == 0, ran.stderr
    assert re.match(r"fills=\d+ differing=0 explained=\d+ pnl_difference=", last)
    assert any(line.startswith("compared: ") and "trend" in line for line in before)
    assert any(line.startswith("not compared: venue: ") for line in before)
    assert {each.name for each in out.iterdir()} == {
        *("trades.parquet", "trades.json", "fills.parquet", "equity.parquet"),
        *("result.json", "curves.json", "report.html"),
    }
    assert json.loads((out / "result.json").read_text())["origin"]["from_tickers"]
