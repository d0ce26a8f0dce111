"""Orders exactly once, although everything is killed: a short chaos run, counted on both sides."""

import json

import pytest

from tests.conftest import free_port_base
from tests.simulation.system import System

pytestmark = [pytest.mark.kafka, pytest.mark.system]

SEED, KILLS = 1, 20
CHAOS_S_MAX = 900


def test_no_order_is_lost_or_doubled_when_everything_is_killed(tmp_path):
    words = ["chaos", "--seed", str(SEED), "--kills", str(KILLS), "--pause-s", "1.6", "--json"]
    words += ["--data", str(tmp_path / "chaos")]
    done = System(tmp_path / "own", free_port_base()).command(*words, within_s=CHAOS_S_MAX)

    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert (found["points"], found["missed"]) == ("all", [])
    assert found["faults"] == []
    assert [found[name] for name in ("lost", "duplicated", "unresolved")] == [0, 0, 0]
    assert float(found["difference"]) == 0
    assert found["intents"] == found["orders"] + found["expired"] > 10
    assert done.returncode == 0
