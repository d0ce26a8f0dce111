"""The launcher and the command line, as people call them."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from chandler.streams.catalogue import TOPICS
from chandler.streams.settings import Installation
from services.cli.app import COMMANDS, main
from services.cli.running.state import UpState, only_one, running, write_state
from services.cli.test import picks
from services.exits import FAILED, MISCONFIGURED, NO_KAFKA, USAGE
from services.layers import ConfigurationError, root
from services.runner import installed
from tests.conftest import free_port_base

COMMAND_S_MAX = 120


@pytest.fixture(autouse=True)
def _own_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CHANDLER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CHANDLER_PORT_BASE", str(free_port_base()))


def launched(script: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """As cron does it: hardly any environment."""
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "CHANDLER_DATA": os.environ["CHANDLER_DATA"],
    }
    return subprocess.run(
        [script, *words],
        cwd=cwd,
        env=environ,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )


def test_the_launcher_works_through_a_link_from_another_directory(tmp_path: Path) -> None:
    link = tmp_path / "linked"
    link.symlink_to(root() / "chandler")
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "__init__.py").write_text("raise RuntimeError('not this one')")

    done = launched(link, "config", "get", "simulator.speed", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("simulator.speed = 60")


def test_every_command_has_a_line_of_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    printed = capsys.readouterr().out
    assert [name for name in COMMANDS if f" {name} " not in printed] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


def test_an_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ups"]) == USAGE

    assert capsys.readouterr().err == "chandler: No such command 'ups'. Did you mean 'up'?\n"


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (["tail", "signal"], USAGE, "topic 'signal' is not in the catalogue (nearest: signals)"),
        (["candles", "export", "--out", "x.xls"], USAGE, "ends in .parquet or .csv"),
        (["candles", "export", "--out", "x.csv", "--granularity", "7m"], USAGE, "7m"),
        (["config", "set", "simulator.speed"], USAGE, "expected a.b=value"),
        (["config", "set", "simulator.sped=3"], MISCONFIGURED, "nearest: simulator.speed"),
        (["config", "set", "simulator.speed=0"], MISCONFIGURED, "expected 1 to 3600"),
        (["config", "get", "simulator.sped"], MISCONFIGURED, "nearest: simulator.speed"),
        (["config", "unset", "simulator.speed"], MISCONFIGURED, "is not set in"),
        (["up", "--profile", "dmo"], MISCONFIGURED, "nearest: demo"),
        (["up", "--scale", "indicators"], MISCONFIGURED, "expected SERVICE=N"),
        (["up", "--candles", "nowhere.csv"], MISCONFIGURED, "there is no such file"),
        (["up", "--speed", "0"], MISCONFIGURED, "the flags of up: simulator.speed is 0"),
        (["up", "--faults", "cut=20"], MISCONFIGURED, "fault cut=20: expected a duration"),
        (["market", "--once"], NO_KAFKA, "start it with ./chandler kafka start"),
        (["up", "--log", "xml"], USAGE, "expected text or json"),
        (["bench", "nothing"], USAGE, "'nothing' is unknown"),
        (["audit", "candles"], NO_KAFKA, "Kafka can't be reached at 127.0.0.1:"),
        (["topics"], NO_KAFKA, "topics can't be looked at on 127.0.0.1:"),
        (["topics", "make"], USAGE, "No such command 'make'"),
    ],
)
def test_an_error_is_one_line_with_a_status_of_its_own(
    words: list[str], status: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == status

    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


def test_an_indicator_over_a_hole_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two candles were cut out of a file, and another RSI came out without a word."""
    rows = [
        f"{1_700_000_100_000 + minute * 300_000},1,2,1,{1 + minute % 7 / 10},5"
        for minute in range(60)
    ]
    file = tmp_path / "holes.csv"
    file.write_text("\n".join(["time,open,high,low,close,volume", *rows[:30], *rows[32:]]))

    assert main(["indicator", "rsi(14)", str(file)]) == 0

    said = capsys.readouterr().err
    assert "2 candles are missing, the first after 2023-11-15T00:40:00Z" in said


def test_what_is_set_is_kept_for_this_installation_only_readable_by_its_owner(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = installed().data / "config.toml"

    assert main(["config", "set", "simulator.speed=120"]) == 0
    assert main(["config", "get", "simulator.speed"]) == 0

    assert file.stat().st_mode & 0o777 == 0o600
    assert f"simulator.speed = 120.0  # installation: {file}" in capsys.readouterr().out
    assert main(["config", "unset", "simulator.speed"]) == 0
    assert main(["config", "get", "simulator.speed", "--json"]) == 0
    shown = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    assert shown["simulator.speed"]["layer"] == "profile"


def test_a_value_that_does_not_fit_leaves_the_file_as_it_was() -> None:
    assert main(["config", "set", "simulator.speed=120"]) == 0
    before = (installed().data / "config.toml").read_text()

    assert main(["config", "set", 'simulator.seed="x"']) == MISCONFIGURED

    assert (installed().data / "config.toml").read_text() == before


def test_status_says_that_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == FAILED

    services = msgspec.json.decode(capsys.readouterr().out)["services"]
    assert services
    assert {entry["state"] for entry in services.values()} == {"not running"}
    assert set(next(iter(services.values()))) == {
        *("ready", "state", "pid", "lag", "age_s", "behind_s")
    }


def test_a_second_up_in_the_same_data_directory_is_refused() -> None:
    state = UpState(pid=os.getpid(), profile="demo", started_ms=0, port_base=1, workers=[])

    with only_one(installed()):
        write_state(installed(), state)
        with pytest.raises(ConfigurationError, match=rf"\(process {os.getpid()}\)"):
            only_one(installed()).__enter__()

    assert running(installed()) is None


def test_the_state_of_an_up_that_was_killed_counts_for_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    state = UpState(pid=int(done.stdout), profile="demo", started_ms=0, port_base=1, workers=[])
    write_state(installed(), state)

    assert running(installed()) is None


def test_run_says_its_usage_without_loading_the_command_line() -> None:
    environ = {**os.environ, "PYTHONPATH": str(root())}
    words = [sys.executable, "-P", "-m", "services", "run", "ingest", "--shart", "1"]

    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr == "usage: chandler run SERVICE [--shard N] [--log text|json]\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], False),
        (["--durations=60", "--maxfail=1", "-x", "-vv"], False),
        (["tests/core"], True),
        (["-k", "pump"], True),
        (["-mkafka"], True),
        (["-n0"], True),
        (["--version"], True),
    ],
)
def test_only_the_tests_as_a_whole_are_run_in_two_parts(words: list[str], expected: bool) -> None:
    assert picks(words) is expected


@pytest.mark.kafka
def test_topics_are_created_once_and_shown_as_before(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHANDLER_BROKERS", installation.bootstrap)
    monkeypatch.setenv("CHANDLER_TOPIC_PREFIX", installation.topic_prefix)

    statuses = [main(["topics", "create"]), main(["topics", "create"]), main(["topics", "--json"])]
    first, second, shown = capsys.readouterr().out.splitlines()

    assert statuses == [0, 0, 0]
    assert first == f"topics={len(TOPICS)} created={len(TOPICS)}"
    assert second == f"topics={len(TOPICS)} created=0"
    assert msgspec.json.decode(shown)["topics"].keys() == {topic.name for topic in TOPICS}
