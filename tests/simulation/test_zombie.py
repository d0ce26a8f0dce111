"""An executor that is frozen between commit and request, replaced, and let go on."""

import json

import pytest

from tests.conftest import free_port_base
from tests.simulation.system import System

pytestmark = [pytest.mark.kafka, pytest.mark.system, pytest.mark.long]

ZOMBIE_S_MAX = 600
TWICE = ("orders_twice", "exits_twice", "candles_twice", "tickers_older", "positions_older")


def test_an_executor_that_was_frozen_and_replaced_does_nothing_twice(tmp_path):
    words = ["chaos", "--zombie", "--target", "executor", "--frozen-s", "5", "--json"]
    words += ["--data", str(tmp_path / "zombie")]
    done = System(tmp_path / "own", free_port_base()).command(*words, within_s=ZOMBIE_S_MAX)

    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert [found[name] for name in TWICE] == [0] * len(TWICE)
    assert [found[name] for name in ("lost", "duplicated", "unresolved")] == [0, 0, 0]
    assert float(found["difference"]) == 0
    assert found["frozen"] == found["wanted"] == 1
    assert found["rounds"][0]["ended"], "a woken executor finds that it was replaced, and ends"
    assert found["intents"] == found["orders"] + found["expired"] > 0
    assert done.returncode == 0
