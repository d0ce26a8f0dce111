"""Every command that a document shows is run, in the document's own words."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from chandler.exchanges.simulator.recording import SHIPPED
from services.cli.app import COMMANDS
from tests.conftest import free_port_base
from tests.project.tree import ROOT, files, shown

START_S_MAX = 120.0
END_S_MAX = 20.0  # ten, and what a busy machine adds
COMMAND_S_MAX = 120.0
UP = "./chandler up"
SPEED = "120"
# Long ones and those that need the network, each with the test that runs it.
ELSEWHERE = {
    "./chandler setup": (
        "tests/services/setup/test_setup_dialogue.py::"
        "test_a_person_is_led_through_profile_bot_user_and_keys"
    ),
    (
        "./chandler setup --json --profile paper --symbols 40 --token-file bot.token --user ann "
        "--telegram-id 123456789"
    ): "tests/services/setup/test_setup_options.py::test_everything_can_be_given_by_options",
    "./chandler setup --yes --profile demo --alerts-only": (
        "tests/services/setup/test_alerts_only.py::"
        "test_a_profile_that_only_tells_comes_from_the_demo_and_starts"
    ),
    "./chandler up --profile own": (
        "tests/services/setup/test_alerts_only.py::"
        "test_a_profile_that_only_tells_comes_from_the_demo_and_starts"
    ),
    "CHANDLER_DATA=$HOME/second CHANDLER_PORT_BASE=30000 ./chandler up": (
        "tests/project/test_docs_commands.py::test_a_command_of_the_documents_works_while_up_runs"
    ),
    "./chandler backtest --candles candles.parquet --agents trend --set agents.trend.leverage=2": (
        "tests/services/test_backtest_command.py::"
        "test_a_backtest_of_a_file_prints_figures_and_writes_a_folder"
    ),
    "./chandler backtest --from-topics --diff paper --out again": (
        "tests/simulation/test_backtest.py::"
        "test_the_command_says_what_it_compared_and_writes_what_a_backtest_writes"
    ),
    "./chandler candles import candles.parquet --dry-run": (
        "tests/services/history/test_import.py::test_a_dry_run_writes_nothing"
    ),
    "./chandler replay --from 2024-01-05T02:00 --to 2024-01-05T06:00 --speed 300 --prepare": (
        "tests/services/replaying/test_replay_ends.py::"
        "test_what_lies_before_is_prepared_and_the_period_follows_in_a_second_call"
    ),
    "./chandler replay --from 2024-01-05T02:00 --to 2024-01-05T06:00 --speed 300": (
        "tests/services/replaying/test_replay_command.py::"
        "test_a_period_stands_under_the_other_prefix_byte_for_byte_and_the_own_is_untouched"
    ),
    "./chandler replay --from 2024-01-05T02:00 --to 2024-01-05T06:00 --speed max --again --json": (
        "tests/services/replaying/test_replay_ends.py::"
        "test_what_holds_a_replay_is_refused_extended_and_deleted_only_with_again"
    ),
    (
        "./chandler optimise run scalper --candles candles.parquet --trials 5 --folds 2 "
        "--purge 2H --study first"
    ): (
        "tests/services/test_optimise.py::"
        "test_the_profile_that_comes_out_loads_and_gives_the_backtest_of_its_trial"
    ),
    (
        "./chandler backtest .chandler/optimise/first.toml --candles candles.parquet "
        "--agents scalper"
    ): (
        "tests/services/test_optimise.py::"
        "test_the_profile_that_comes_out_loads_and_gives_the_backtest_of_its_trial"
    ),
    "./chandler optimise worker --candles candles.parquet": (
        "tests/services/test_optimise_topics.py::"
        "test_a_trial_of_a_worker_that_is_killed_or_unfit_is_made_by_another"
    ),
    "./chandler verify": (
        "tests/simulation/test_verify.py::test_every_decision_of_a_session_with_kills_is_recomputed"
    ),
    "./chandler test": "tests/project/test_docs_commands.py::test_a_command_of_the_documents_works",
    "CHANDLER_DATA=.chandler-paper ./chandler up --profile paper": (
        "tests/services/test_profile.py::test_every_shipped_profile_can_be_used"
    ),
    "./chandler up --speed 300 --seed 7 --scale indicators=3 --scale signals=3 "
    "--faults cut=20s,drop=5%,duplicate=5%,storm429=30s/5s,missing=0.1%": (
        "tests/simulation/test_session.py::test_every_service_is_ready_although_workers_were_killed"
    ),
    "./chandler up --profile fifty.toml": (
        "tests/simulation/test_request_weight.py::"
        "test_fifty_engines_cost_the_venue_no_more_than_one"
    ),
    "./chandler test --long tests/simulation/test_parity.py": (
        "tests/simulation/test_parity.py::"
        "test_killed_frozen_replaced_and_woken_workers_change_nothing"
    ),
    "./chandler chaos --seed 1 --kills 20": (
        "tests/simulation/test_chaos.py::test_no_order_is_lost_or_doubled_when_everything_is_killed"
    ),
    "./chandler chaos --zombie": (
        "tests/simulation/test_zombie.py::"
        "test_an_executor_that_was_frozen_and_replaced_does_nothing_twice"
    ),
    "./chandler chaos --telegram": (
        "tests/simulation/test_telegram.py::"
        "test_everybody_gets_every_notice_though_the_notifier_is_killed_and_telegram_fails"
    ),
    "./chandler up trading": (
        "tests/simulation/test_halves.py::"
        "test_either_half_dies_alone_and_a_stop_while_trading_loses_nothing"
    ),
    "./chandler up telegram": (
        "tests/simulation/test_halves.py::"
        "test_either_half_dies_alone_and_a_stop_while_trading_loses_nothing"
    ),
    "./chandler new engine my_dips": (
        "tests/services/test_new_engine.py::test_the_generated_test_passes_as_generated"
    ),
    "./chandler test plugins/my_dips": (
        "tests/services/test_new_engine.py::test_the_generated_test_passes_as_generated"
    ),
    "./chandler check-causal plugins/my_dips": (
        "tests/services/test_new_engine.py::"
        "test_the_generated_engine_is_found_and_does_not_look_ahead"
    ),
}
ALONE = (
    "check-causal",
    "indicator",
    "config",
    "bench",
    "gateway",
)  # the others need a running `up`


class Shown(NamedTuple):
    """A command as a document shows it, with the output below it."""

    document: str
    command: str
    output: tuple[str, ...]  # … stands for anything


def documents() -> list[Path]:
    return [path for path in files("*.md") if "libs" not in path.parts]


def commands() -> list[Shown]:
    found = []
    for path in documents():
        for block in re.findall(r"^```console\n(.*?)^```", path.read_text(), re.DOTALL | re.M):
            for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
                command, *output = part.splitlines()
                found.append(Shown(shown(path), command, tuple(output)))
    return found


def run_here() -> list[Shown]:
    """Each once, however many documents show it, with all that they show below it."""
    found: dict[str, Shown] = {}
    for one in commands():
        if one.command not in (UP, *ELSEWHERE):
            before = found.setdefault(one.command, one)
            found[one.command] = before._replace(
                document=", ".join(dict.fromkeys((*before.document.split(", "), one.document))),
                output=tuple(dict.fromkeys((*before.output, *one.output))),
            )
    return list(found.values())


def is_quick(one: Shown) -> bool:
    return shlex.split(one.command)[1] in ALONE


def tried(one: Shown, environ: dict[str, str]) -> None:
    done = subprocess.run(
        shlex.split(one.command),
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )
    said = done.stdout + done.stderr

    assert done.returncode == 0, f"{one.document}: $ {one.command}\n{said}"
    for line in one.output:
        wanted = ".*".join(map(re.escape, line.split("…")))
        assert re.search(f"^{wanted}$", done.stdout, re.M), (
            f"{one.document} shows {line!r}:\n{said}"
        )


def environment(data: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHANDLER_")}
    return {
        **kept,
        "CHANDLER_DATA": str(data),
        "CHANDLER_PORT_BASE": str(free_port_base()),
    }


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the README says first: `./chandler up`, only faster, until it has given a signal."""
    data = tmp_path_factory.mktemp("documents")
    environ = environment(data)
    log = data / "up.log"
    _compile(environ)
    with log.open("w") as output:
        up = subprocess.Popen(
            [*shlex.split(UP), "--speed", SPEED],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=output,
        )
    try:
        begun = time.monotonic()
        while not _well(environ, data):
            assert up.poll() is None, log.read_text()
            assert time.monotonic() - begun < START_S_MAX, log.read_text()
            time.sleep(1)
        yield environ
        up.send_signal(signal.SIGINT)
        assert up.wait(END_S_MAX) in (0, 130), log.read_text()
    finally:
        if up.poll() is None:
            up.kill()
            up.wait()


def _compile(environ: dict[str, str]) -> None:
    """Backtests compile once: beside a demo that takes all of the machine it takes minutes."""
    words = ["./chandler", "backtest", "--candles", str(SHIPPED), "--json"]
    subprocess.run(words, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, check=True)


def _well(environ: dict[str, str], data: Path) -> bool:
    signals = data / "signals.jsonl"
    if not signals.exists() or not signals.stat().st_size:
        return False  # before it is asked for with whole commands, which would slow the start
    status, market = (
        subprocess.run(
            ["./chandler", what, "--json"], cwd=ROOT, env=environ, capture_output=True, check=False
        )
        for what in ("status", "market")
    )
    return (
        status.returncode == 0
        and bool(json.loads(status.stdout)["services"])
        and market.returncode == 0
    )


@pytest.mark.system
@pytest.mark.parametrize(
    "one",
    [one for one in run_here() if is_quick(one)],
    ids=lambda one: f"{one.document}: {one.command}",
)
def test_a_command_of_the_documents_works(one, tmp_path):
    tried(one, environment(tmp_path))


@pytest.mark.kafka
@pytest.mark.system
@pytest.mark.parametrize(
    "one",
    [one for one in run_here() if not is_quick(one)],
    ids=lambda one: f"{one.document}: {one.command}",
)
def test_a_command_of_the_documents_works_while_up_runs(one, session):
    tried(one, session)


@pytest.mark.parametrize("command", ELSEWHERE)
def test_a_command_that_is_not_run_here_names_the_test_that_runs_it(command):
    path, _, name = ELSEWHERE[command].partition("::")

    assert f"def {name}(" in (ROOT / path).read_text()
    assert command in {one.command for one in commands()}, "no document shows it: remove it"


def test_a_document_shows_commands_as_console_only():
    """In any other fence a command would escape this test."""
    for path in documents():
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```", path.read_text(), re.S | re.M):
            assert language == "console" or "./chandler " not in block, (
                f"{shown(path)}: show ./chandler in a ```console block, as `$ ./chandler …`"
            )


def test_every_command_that_a_document_mentions_exists():
    for path in documents():
        for word in re.findall(r"\./chandler ([a-z-]+)", path.read_text()):
            assert word in COMMANDS, f"{shown(path)} mentions ./chandler {word}: there is none"
