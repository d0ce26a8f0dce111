"""`backtest` as a command: files in, figures and a folder out; bad input is one line."""

import csv
import json
import re
from pathlib import Path

import pytest

from chandler.core.events import Symbol
from chandler.replay.report import frames
from services.cli.app import main
from services.past import backtest
from services.past.recorded import INPUTS
from tests.candles import path

DECIDED = {"desk", "orders", "exits", "positions", "signals", "desk.state", "pumps", "matrix"}


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """Two coins, four days of 5m candles."""
    file = tmp_path / "candles.csv"
    with file.open("w") as output:
        writer = csv.writer(output)
        writer.writerow(["symbol", "open_time", "open", "high", "low", "close", "volume"])
        for number, symbol in enumerate(("AAAUSDT", "BBBUSDT")):
            for each in path(1_200, seed=30 + number, symbol=Symbol(symbol)):
                prices = (each.open, each.high, each.low, each.close)
                writer.writerow([symbol, each.open_ms, *(f"{p:.3f}" for p in prices), each.volume])
    return file


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CHANDLER_PROFILE", raising=False)


CHANGES = ["engines.scalper.long_threshold=0.2", "engines.scalper.short_threshold=-0.2"]
LOW = ["--set", CHANGES[0], "--set", CHANGES[1]]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    return found.out + found.err


def test_a_backtest_of_a_file_prints_figures_and_writes_a_folder(
    candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = main(["backtest", "--candles", str(candles), "--out", str(tmp_path / "one"), *LOW])
    shown = said(capsys)
    places = ["--out", str(tmp_path / "two"), "--against", str(tmp_path / "one")]
    again = main(["backtest", "--candles", str(candles), "--json", *places, *LOW])
    told = json.loads(capsys.readouterr().out)

    assert (first, again) == (0, 0)
    digest = re.search(r"digest=(\w+)", shown)
    assert digest is not None
    assert digest[1] == told["digest"]
    assert told["trades"] > 3
    assert {each.name for each in (tmp_path / "two").iterdir()} == {
        *("trades.parquet", "trades.json", "fills.parquet", "equity.parquet"),
        *("result.json", "report.html", "comparison.html"),
    }


def test_an_agent_that_trades_for_real_is_tried_on_paper_and_that_is_said(
    candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backtest", "--candles", str(candles), "--agents", "venue", *LOW]) == 0

    assert "agent venue trades on account simulator: tried on paper money" in said(capsys)


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["no_such"], 3, "profile 'no_such' is unknown"),
        (["--agents", "nobody"], 3, "no agent is called 'nobody'"),
        (["--set", "agents.trend.leverag=2"], 3, "leverag"),
        (["--symbols", "CCCUSDT"], 3, "there are no candles of CCCUSDT: there are 2 symbols"),
        (["--from", "2030-01-01"], 3, "there is no candle in that period: there are some from"),
        (["--from", "tomorrow"], 2, "--from tomorrow: expected a time"),
        (["--set", "engines.scalper.granularity=1m"], 3, "reads 1m candles, the shortest there"),
        (["--diff", "live"], 2, "--diff live: expected paper"),
        (["--from-topics"], 2, "leave the other choices out"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(
    words: list[str], status: int, line: str, candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backtest", *words, "--candles", str(candles)]) == status

    found = said(capsys).strip().splitlines()
    assert len(found) == 1
    assert line in found[0]


def test_the_same_from_python_with_frames(candles: Path) -> None:
    result = backtest("demo", candles, agents=["scalper"], changes=CHANGES)

    found = frames(result)
    assert len(found.trades) == len(result.trades) > 3
    assert found.equity.iloc[-1].notna().all()


def test_a_recorded_session_is_tried_without_what_it_decided() -> None:
    assert not DECIDED & set(INPUTS)
    assert "signals.external" in INPUTS
