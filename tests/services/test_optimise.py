"""`optimise` as a command: the search, its one look at what is held out, going on after an end."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from chandler.core.events import Symbol, TrialTold
from chandler.replay.backtest import backtest as backtested
from chandler.replay.optimise.scoring import BEFORE_BARS, WORST
from services.cli.app import main
from services.cli.optimise import command as command_module
from services.cli.optimise import crews, search
from services.cli.optimise.crews import Processes
from services.cli.optimise.plan import purge_of, share_of
from services.cli.optimise.preparing import Wish, prepared, storage_of
from services.cli.optimise.store import Storage, Study
from services.cli.optimise.trying import until
from services.loading import configuration
from services.past.setting import chosen
from services.past.sources import Period, of_files
from services.runner import installed
from tests.candles import path

ROWS = 2_600  # nine days of 5m candles


def written(file: Path, rows: int = ROWS, other_from: int = ROWS) -> Path:
    """Two coins; rows from `other_from` on have other prices."""
    with file.open("w") as output:
        writer = csv.writer(output)
        writer.writerow(["symbol", "open_time", "open", "high", "low", "close", "volume"])
        for number, symbol in enumerate(("AAAUSDT", "BBBUSDT")):
            for row, each in enumerate(path(rows, seed=30 + number, symbol=Symbol(symbol))):
                shift = 1.5 if row >= other_from else 1.0
                prices = [shift * price for price in (each.open, each.high, each.low, each.close)]
                writer.writerow([symbol, each.open_ms, *(f"{p:.3f}" for p in prices), each.volume])
    return file


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    return written(tmp_path / "candles.csv")


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CHANDLER_PROFILE", raising=False)
    monkeypatch.delenv("CHANDLER_LEDGER", raising=False)


def wish(candles: Path) -> Wish:
    """A small search."""
    return Wish(
        word="scalper",
        profile="",
        changes=[],
        candles=[candles],
        period=Period(),
        symbols=[],
        objective="return",
        folds=2,
        hold_out=0.2,
        purge_ms=0,
        rolling=False,
        trades_min=1,
        stop_early=False,
        seed=1,
        study="",
    )


LOW = [
    *("--set", "engines.scalper.evaluators.macd_momentum.required=false"),
    *("--set", "engines.scalper.evaluators.bollinger_breakout.required=false"),
]
QUICK = ["--processes", "1", "--folds", "2", "--purge", "2H", "--trades-min", "3", *LOW]


def command(candles: Path, trials: int, *more: str) -> list[str]:
    given = ["--candles", str(candles), "--trials", str(trials)]
    return ["optimise", "run", "scalper", *given, *QUICK, *more]


def ran(capsys: pytest.CaptureFixture[str], words: list[str], status: int = 0) -> dict[str, Any]:
    found = main([*words, "--json"])
    output = capsys.readouterr()
    assert found == status, output.err
    return dict(json.loads(output.out)) if output.out else {}


def values(name: str) -> list[tuple[dict[str, float], list[float], int]]:
    """Parameters, windows' values and trades of a study's trials."""
    study = stored(name)
    return [(each.params, each.values, each.trades) for _, each in sorted(study.done.items())]


def stored(name: str) -> Study:
    storage = storage_of(installed(), configuration(installed()).profile)
    try:
        study = storage.study(name)
    finally:
        storage.close()
    assert study is not None
    return study


def test_the_profile_that_comes_out_loads_and_gives_the_backtest_of_its_trial(
    candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.toml"
    outcome = ran(capsys, command(candles, 5, "--study", "one", "--out", str(out)))["outcome"]

    plan = stored("one").plan
    assert plan.target.agents == ["scalper"]
    tested = chosen(installed(), str(out), agents=["scalper"])
    to_ms = plan.split.in_sample.to_ms
    read = of_files([candles], tested.setting, Period(None, to_ms), [])
    result = backtested(tested.setting, until(read.past, to_ms), bars=False)
    assert outcome["winner"]["trades"] == len(result.trades) >= 3
    assert outcome["winner"]["digest"] == result.origin.digest
    assert {each.suffix for each in tmp_path.glob("found.*")} == {".toml", ".json", ".html"}
    assert "<svg" in out.with_suffix(".html").read_text()


def test_the_same_seed_gives_the_same_trials_and_another_one_others(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = ran(capsys, command(candles, 5, "--study", "one"))["outcome"]
    two = ran(capsys, command(candles, 5, "--study", "two"))["outcome"]
    ran(capsys, command(candles, 5, "--study", "three", "--seed", "2"))

    assert values("one") == values("two")
    assert one["winner"] == two["winner"]
    assert one["held_out"]["value"] == two["held_out"]["value"]
    assert values("one")[1:] != values("three")[1:]
    assert values("one")[:1] == values("three")[:1], "the first is the profile as it is"


def test_what_is_held_out_is_in_no_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "first.csv")
    other = written(tmp_path / "other.csv", other_from=2_200)  # of 2,080 on: held out

    one = ran(capsys, command(first, 5, "--study", "one"))["outcome"]
    two = ran(capsys, command(other, 5, "--study", "two"))["outcome"]

    assert values("one") == values("two")
    assert one["winner"] == two["winner"]
    assert one["held_out"]["total_return"] != two["held_out"]["total_return"]


def test_what_is_held_out_is_looked_at_once(
    candles: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    look = search.look

    def counted(study: Study, *others: Any) -> Any:
        looks.append(study.name)
        return look(study, *others)

    monkeypatch.setattr(command_module, "look", counted)
    first = ran(capsys, command(candles, 4, "--study", "one"))["outcome"]

    again = ran(capsys, command(candles, 4, "--study", "one"))["outcome"]
    assert main(command(candles, 9, "--study", "one")) == 1
    said = capsys.readouterr()
    third = ran(capsys, command(candles, 4, "--study", "two"))

    assert again == first
    assert looks == ["one", "two"]
    assert "it is not looked at again, and no trials are added" in said.err
    assert len(stored("one").done) == 4
    assert any("looked at before, by one" in note for note in third["notes"])


def test_a_study_goes_on_where_it_was_ended_as_if_it_had_not_been(
    candles: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ran(capsys, command(candles, 6, "--study", "whole"))["outcome"]
    tell = Study.tell
    told: list[Any] = []

    def ended(self: Study, done: Any) -> bool:
        if len(told) == 3:
            raise KeyboardInterrupt  # while a trial is under way
        told.append(done)
        return tell(self, done)

    with monkeypatch.context() as patched:
        patched.setattr(Study, "tell", ended)
        assert main(command(candles, 6, "--study", "cut")) == 130
    assert "study cut has 3 of 6 trials: the same command goes on" in capsys.readouterr().err
    cut = ran(capsys, command(candles, 6, "--study", "cut"))["outcome"]

    assert values("cut") == values("whole")
    assert cut["winner"] == whole["winner"]


KILLED = """
import os, signal, sys
from services.cli.app import main
from services.cli.optimise.store import Study
tell = Study.tell
def killed(self, done):
    if len(self.done) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return tell(self, done)
Study.tell = killed
main(sys.argv[1:])
"""


def test_kill_9_loses_no_finished_trial(candles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = command(candles, 5, "--study", "killed")
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], check=False)
    before = values("killed")

    ran(capsys, words)

    assert killed.returncode == -signal.SIGKILL
    assert len(before) == 3
    assert len(values("killed")) == 5
    assert values("killed")[:3] == before


def test_a_trial_below_the_middle_of_the_others_goes_no_further(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = ran(capsys, command(candles, 14, "--study", "one"))["outcome"]
    again = ran(capsys, command(candles, 14, "--study", "two"))["outcome"]

    study = stored("one")
    ended = [each for each in study.done.values() if each.stopped]
    assert len(ended) == outcome["stopped"] > 0
    assert min(each.number for each in ended) >= BEFORE_BARS
    assert all(each.score is None and not each.values for each in ended)
    assert outcome["winner"]["number"] not in {each.number for each in ended}
    assert [outcome[name] for name in ("winner", "stopped", "best_so_far", "walk")] == [
        again[name] for name in ("winner", "stopped", "best_so_far", "walk")
    ]


def test_a_refused_trial_is_counted_with_its_reason(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """dca: a stop within the ladder's last step is none."""
    words = ["optimise", "run", "agent:reverter", "--candles", str(candles), "--trials", "12"]
    outcome = ran(capsys, [*words, *QUICK[:8], "--seed", "3"], status=0)["outcome"]

    assert outcome["trials"] == 12
    assert sum(outcome["refused"].values()) >= 1
    assert any("stop_percent is" in reason for reason in outcome["refused"])
    refused = [each for each in stored(outcome["study"]).done.values() if each.refused]
    assert {each.score for each in refused} == {None}


def test_without_trades_there_is_no_winner_and_no_look(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = ran(capsys, command(candles, 2, "--trades-min", "5000"), status=1)["outcome"]

    assert outcome["idle"] == 2
    assert outcome["winner"] is None
    assert outcome["held_out"] is None
    assert {each.score for each in stored(outcome["study"]).done.values()} == {WORST}


def test_a_process_that_dies_is_replaced_and_its_trial_made_again(candles: Path) -> None:
    notes: list[str] = []
    with prepared(installed(), wish(candles)) as ready:
        crew = Processes(ready.task(installed(), 1), 1, notes.append)
        try:
            _, process = crew._idle[0]
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            crew.give(7, [])
            told: list[TrialTold] = []
            while not told:
                told = crew.take()
        finally:
            crew.close()

    assert [(each.number, each.refused) for each in told] == [(7, "")]
    assert notes == ["the process of trial 7 died (exit status -9): another one makes it again"]
    assert crews.DEATHS_MAX == 2


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["nobody"], 3, "no engine and no agent is called 'nobody'"),
        (["engine:venue"], 3, "no engine and no agent is called 'venue'"),
        (["scalper", "--agents", "x"], 2, "No such option"),
        (["scalper", "--objective", "luck"], 2, "--objective luck: expected one of sharpe"),
        (["scalper", "--hold-out", "120%"], 2, "--hold-out 120%: expected 0% to 80%"),
        (["scalper", "--purge", "soon"], 2, "--purge soon: expected a length such as 1D"),
        (["scalper", "--study", "a/b"], 2, "--study a/b: expected letters"),
        (["scalper", "--folds", "40"], 3, "is too short for 40 folds"),
        (["scalper", "--out", "/dev/null/x.toml"], 3, "nothing can be written there"),
        (["scalper", "--out", "x.json"], 2, "--out x.json: expected a file that ends in .toml"),
        (
            ["trend", "--set", 'agents.trend.engines=["scalper"]', "--set", "agents.venue.engines="
             '["scalper"]'],
            3,
            "no agent of profile demo follows engine trend: let one do so",
        ),
        (["scalper", "--set", "engines.scalper.enabled=false"], 3, "scalper"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_that_says_what_to_do(
    words: list[str], status: int, line: str, candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--candles", str(candles), "--processes", "1", "--trials", "1"]

    assert main(["optimise", "run", *words, *given]) == status

    found = capsys.readouterr().err.strip().splitlines()
    assert len(found) == 1
    assert line in found[0]


def test_another_command_does_not_go_on_with_the_study(
    candles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(capsys, command(candles, 1, "--study", "one", "--trades-min", "1"), status=0)

    assert main(command(candles, 2, "--study", "one", "--seed", "5")) == 3

    assert "study one was begun otherwise (trades_min, seed)" in capsys.readouterr().err


def test_studies_are_shown(candles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran(capsys, command(candles, 3, "--study", "one"))

    assert main(["optimise", "show"]) == 0
    listed = capsys.readouterr().out
    assert main(["optimise", "show", "one"]) == 0
    one = capsys.readouterr().out
    assert main(["optimise", "show", "two"]) == 2

    assert "studies=1" in listed
    assert "engine:scalper" in listed
    assert "trials=3 " in one
    assert "study=one" in one
    assert "there are one" in capsys.readouterr().err


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_studies_stand_beside_the_ledger_and_leave_its_schema_alone(database: URL) -> None:
    """Optuna and the ledger both keep a table alembic_version: in one place, each refused."""
    from services.ledger.opening import open_reader, open_writer

    storage = Storage(database)
    assert storage.names() == []
    storage.close()
    open_writer(database).dispose()
    again = Storage(database)
    assert again.names() == []
    again.close()
    open_reader(database).dispose()


def test_lengths_and_shares_as_people_write_them() -> None:
    assert [purge_of(each) for each in ("1D", "12H", "30m", "0")] == [
        86_400_000,
        43_200_000,
        1_800_000,
        0,
    ]
    assert [share_of(each) for each in ("20%", "0.2", "0")] == [0.2, 0.2, 0.0]


def test_a_database_that_is_away_is_one_line(
    candles: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANDLER_LEDGER", "postgresql://nobody@127.0.0.1:1/none")

    assert main(command(candles, 1)) == 1

    found = capsys.readouterr().err.strip().splitlines()
    assert len(found) == 1
    assert "the ledger postgresql+psycopg://nobody@127.0.0.1:1/none can't be used now" in found[0]
