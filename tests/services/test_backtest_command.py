"""`backtest` as a command: files in, figures and a folder out; bad input is one line."""

import csv
import json
import re
from collections.abc import Callable
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
        *("result.json", "curves.json", "report.html", "comparison.html"),
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
        (
            ["--set", "agents.trend.leverag=2"],
            3,
            "unknown key agents.trend.leverag (nearest: agents.trend.leverage)",
        ),
        (["--set", "agents.trend.set.x"], 3, "expected a.b=value"),
        (["--symbols", "CCCUSDT"], 3, "there are no candles of CCCUSDT: there are 2 symbols"),
        (["--from", "2030-01-01"], 3, "there is no candle in that period: there are some from"),
        (["--from", "2024-01-03", "--to", "2024-01-02"], 3, "is not before --to 2024-01-02"),
        (["--out", "/dev/null/x"], 3, "--out /dev/null/x: nothing can be written there"),
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


def rewritten(candles: Path, change: Callable[[list[str]], list[str]]) -> None:
    head, *rows = candles.read_text().splitlines()
    candles.write_text("\n".join([head, *change(rows)]) + "\n")


def test_holes_are_said_and_are_no_candles(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewritten(candles, lambda rows: rows[:100] + rows[120:])

    assert main(["backtest", "--candles", str(candles), "--json", *LOW]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["candles"] == 2 * 1_200 - 20
    note = "AAAUSDT 5m: 20 candles are missing, the first of 2024-01-01 08:20"
    assert any(each.startswith(note) for each in told["notes"])


def one_bad_cell(candles: Path) -> str:
    """Spoils a close of BBBUSDT; how the fault begins."""

    def bad(rows: list[str]) -> list[str]:
        cells = rows[1_300].split(",")
        cells[5] = "abc"
        return [*rows[:1_300], ",".join(cells), *rows[1_301:]]

    rewritten(candles, bad)
    return f"{candles}: column close has 'abc' in row 1301 (2024-01-01 08:20): expected a number"


def test_a_faulty_symbol_is_left_out_unmistakably_and_the_others_go_on(
    candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One note of six, under four screens of tables, said it as if a candle were skipped."""
    line = f"BBBUSDT is LEFT OUT, with all of its candles: {one_bad_cell(candles)}"

    out = ["--out", str(tmp_path / "one"), "--json", "--agents", "venue"]
    status = main(["backtest", "--candles", str(candles), *out, *LOW])

    found = capsys.readouterr()
    told = json.loads(found.out)
    assert (status, told["candles"]) == (0, 1_200)
    assert any(each.startswith(f"chandler: warning: {line}") for each in found.err.splitlines())
    assert told["notes"][0].startswith(line)
    assert told["notes"][-1].endswith("no quote volume: made of volume and prices")


def test_a_faulty_symbol_that_nobody_asked_for_is_not_told_and_one_alone_is_an_error(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = one_bad_cell(candles)

    others = main(["backtest", "--candles", str(candles), "--symbols", "AAAUSDT", *LOW])
    other = said(capsys)
    alone = main(["backtest", "--candles", str(candles), "--symbols", "BBBUSDT", *LOW])

    assert (others, alone) == (0, 3)
    assert "LEFT OUT" not in other
    assert fault.replace(": ", " BBBUSDT: ", 1) in said(capsys)


def test_a_price_with_too_many_digits_is_named_with_its_candle(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def odd(rows: list[str]) -> list[str]:
        cells = rows[7].split(",")
        cells[3] = f"{float(cells[3]) + 1 / 3:.17g}"
        return [*rows[:7], ",".join(cells), *rows[8:]]

    rewritten(candles, odd)

    assert main(["backtest", "--candles", str(candles)]) != 0
    assert "AAAUSDT 5m: the candle of 2024-01-01 00:35 has a price" in said(capsys)


def test_engines_that_the_chosen_agents_do_not_follow_are_not_asked(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = backtest("demo", candles, agents=["scalper"], changes=CHANGES)

    assert set(result.signals) == {"scalper"}
    assert "engine_not_followed" not in result.refusals["scalper"]


def test_what_is_decided_at_a_price_is_filled_at_it(candles: Path) -> None:
    """Fills came minutes later once, at the next of a candle's four prices."""
    result = backtest("demo", candles, agents=["scalper"], changes=CHANGES)

    step = 300_000
    after = {fill.at % step for fill in result.fills if fill.action == "open"}
    assert after == {1_000}


def test_prices_are_four_for_each_candle(candles: Path) -> None:
    """result.json said eight: each of the four stands for a second, which has two ends."""
    result = backtest("demo", candles, agents=["scalper"], changes=CHANGES)

    assert result.origin.ticks == 4 * result.origin.candles


def test_what_is_short_and_who_never_traded_is_said_in_all_places(
    candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = [
        "--set",
        "engines.trend.long_threshold=1.0",
        "--set",
        "engines.trend.short_threshold=-1.0",
    ]
    places = ["--out", str(tmp_path / "run"), "--agents", "trend,scalper"]
    assert main(["backtest", "--candles", str(candles), *places, *LOW, *off]) == 0

    shown = " ".join(said(capsys).split())
    kept = json.loads((tmp_path / "run" / "result.json").read_text())["notes"]
    page = (tmp_path / "run" / "report.html").read_text()
    short = "the period is 4.2 days long: below 30 days figures by the year"
    idle = "agent trend made no trade: none of its engines (trend) gave a signal on these candles"
    for words in (short, idle):
        assert f"note: {words}" in shown
        assert words in page
        assert any(each.startswith(words) for each in kept)


def test_the_same_from_python_with_frames(candles: Path) -> None:
    result = backtest("demo", candles, agents=["scalper"], changes=CHANGES)

    found = frames(result)
    assert len(found.trades) == len(result.trades) > 3
    assert found.equity.iloc[-1].notna().all()


def test_a_recorded_session_is_tried_without_what_it_decided() -> None:
    assert not DECIDED & set(INPUTS)
    assert "signals.external" in INPUTS
