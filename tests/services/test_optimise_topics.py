"""Trials over the topics: a worker may die, or be unfit; another one makes its trial."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chandler.core.events import TrialTold
from chandler.streams.settings import Installation
from services.cli.optimise.preparing import prepared
from services.cli.optimise.topics import OverTopics
from services.cli.optimise.trying import Trier
from services.runner import installed
from tests.services.test_optimise import wish, written

WORKER = [sys.executable, "-m", "services", "optimise", "worker", "--candles"]
# Dies in its first trial, as by the kernel's hand.
KILLED = """
import os, signal, sys
from services.cli.app import main
from services.cli.optimise.worker import Trier
Trier.__call__ = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main(["optimise", "worker", "--candles", sys.argv[1]])
"""
WAIT_S = 120.0


@pytest.fixture
def at_cluster(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    monkeypatch.setenv("CHANDLER_BROKERS", installation.bootstrap)
    monkeypatch.setenv("CHANDLER_TOPIC_PREFIX", installation.topic_prefix)
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CHANDLER_PROFILE", raising=False)
    return installed()


@pytest.mark.kafka
def test_a_trial_of_a_worker_that_is_killed_or_unfit_is_made_by_another(
    at_cluster: Installation, tmp_path: Path
) -> None:
    candles = written(tmp_path / "candles.csv")
    others = written(tmp_path / "others.csv", other_from=100)
    notes: list[str] = []
    told: list[TrialTold] = []
    changes = {n: [f"engines.scalper.long_threshold=0.{3 + n}"] for n in range(3)}
    with prepared(at_cluster, wish(candles)) as ready:
        task = ready.task(at_cluster, 1)
        crew = OverTopics(task, ready.study.plan.split.in_sample, 3, notes.append)
        try:
            for number, each in changes.items():
                crew.give(number, each)
            killed = subprocess.run(
                [sys.executable, "-c", KILLED, str(candles)], timeout=WAIT_S, check=False
            )
            unfit = subprocess.Popen([*WORKER, str(others)], stderr=subprocess.PIPE, text=True)
            while unfit.poll() is None:
                told += crew.take()
            assert unfit.stderr is not None
            said = unfit.stderr.read()
            unfit.stderr.close()
            assert told == [], "nobody could make any"
            fit = subprocess.Popen([*WORKER, str(candles)], stderr=subprocess.PIPE, text=True)
            while len(told) < 3:
                told += crew.take()
            fit.send_signal(signal.SIGINT)
            _, last = fit.communicate(timeout=WAIT_S)
        finally:
            crew.close()
        alone = Trier(task)
        expected = {number: alone(number, each) for number, each in changes.items()}

    assert killed.returncode == -signal.SIGKILL
    assert unfit.returncode == 3
    assert "its candles are others" in said
    assert any("its candles are others" in note for note in notes)
    assert fit.returncode == 0
    assert "trials=" in last
    assert sorted(one.number for one in told) == [0, 1, 2]
    for one in told:
        same = expected[one.number]
        assert (one.values, one.digest) == (same.values, same.digest)
    assert {one.worker.rpartition(":")[2] for one in told} == {str(fit.pid)}
