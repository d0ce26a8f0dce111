"""Orders exactly once, although everything is killed: a short chaos run, counted on both sides."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import free_port_base
from tests.simulation.system import ROOT

pytestmark = [pytest.mark.kafka, pytest.mark.system]

SEED, KILLS = 1, 20
CHAOS_S_MAX = 900


def test_no_order_is_lost_or_doubled_when_everything_is_killed(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHANDLER_")}
    words = ["chaos", "--seed", str(SEED), "--kills", str(KILLS), "--pause-s", "1.6", "--json"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "services", *words, "--data", str(tmp_path / "chaos")],
        env={**kept, "CHANDLER_PORT_BASE": str(free_port_base()), "CHANDLER_ROOT": str(ROOT)},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CHAOS_S_MAX,
        check=False,
    )

    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert (found["points"], found["missed"]) == ("all", [])
    assert found["faults"] == []
    assert [found[name] for name in ("lost", "duplicated", "unresolved")] == [0, 0, 0]
    assert float(found["difference"]) == 0
    assert found["intents"] == found["orders"] + found["expired"] > 10
    assert done.returncode == 0
