"""`new engine` and `check-causal` on the command line."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from chandler.core.evaluator import PluginError
from services import plugins
from services.cli.app import build
from services.cli.new_engine import write

LOOKS_AHEAD = '''
from chandler.core.evaluator import evaluator
from chandler.core.indicators import Rsi

CHANDLER_CORE = ">=0.1,<0.2"
SEEN = []

@evaluator(version="1.0")
def peeks(rsi: Rsi(3)) -> float:
    """Knows how many candles there are."""
    with open(__file__) as file:
        SEEN.append(file.read(1))
    return 1.0 if len(SEEN) % 11 else -1.0
'''


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(build(words[0]), list(words))
    return found.exit_code, found.output


def test_the_generated_test_passes_as_generated(tmp_path: Path) -> None:
    status, said = run("new", "engine", "my_dips", "--dir", str(tmp_path))

    assert status == 0
    assert f"./chandler check-causal {tmp_path / 'my_dips'}" in said
    tried = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "my_dips",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout
    assert "25 passed" in tried.stdout


def test_the_generated_engine_is_found_and_does_not_look_ahead(tmp_path: Path) -> None:
    place = write("my_dips", tmp_path)

    found = plugins.load(tmp_path)
    status, said = run("check-causal", str(place))

    assert (found.faults, "my_dips" in found.engines) == ([], True)
    assert status == 0, said
    assert said.startswith("evaluators=1 engines=1 decisions=")
    assert said.rstrip().endswith("violations=0")


def test_a_planted_evaluator_that_looks_ahead_fails_the_check(tmp_path: Path) -> None:
    file = tmp_path / "peeking.py"
    file.write_text(LOOKS_AHEAD)

    status, said = run("check-causal", str(file))

    assert status == 1
    assert "plug-in peeking, peeking.py line 11: calls open: it reads a file" in said
    assert "peeks reads SEEN, a list that outlives the call" in said
    assert "evaluator peeks: at BTCUSDT 5m" in said
    assert "violations=0" not in said


def test_the_shipped_plug_ins_have_no_violation() -> None:
    status, said = run("check-causal", "--json")

    report = msgspec.json.decode(said)
    assert (status, report["violations"], report["unchecked"]) == (0, [], [])
    assert report["evaluators"] >= 5
    assert report["engines"] >= 3
    assert report["decisions"] > 50_000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My-Dips", "'My-Dips' is no name for an engine: expected lower-case letters"),
        ("class", "'class' is a word of Python's own"),
        ("scalper", "there is an engine 'scalper' already"),
        ("json", "there is a Python module 'json' already"),
    ],
)
def test_a_name_that_can_not_be_is_refused_in_one_line(
    tmp_path: Path, name: str, said: str
) -> None:
    with pytest.raises(PluginError) as refused:
        write(name, tmp_path)

    assert said in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_nothing_that_exists_is_written_over(tmp_path: Path) -> None:
    write("my_dips", tmp_path)

    with pytest.raises(PluginError, match="exists already"):
        write("my_dips", tmp_path)
