"""The desk's benchmark still measures: an executor works its backlog off, and the rate is said."""

import os
import re
import subprocess
import sys

import pytest

from tests.conftest import free_port_base
from tests.simulation.system import ROOT

pytestmark = [pytest.mark.kafka, pytest.mark.system]

BENCH_S_MAX = 300


def test_the_executors_backlog_is_worked_off_and_its_rate_is_said():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHANDLER_")}
    words = ["bench", "desk", "--short", "--part", "decisions"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "services", *words],
        env={
            **kept,
            "CHANDLER_PORT_BASE": str(free_port_base()),
            "CHANDLER_ROOT": str(ROOT),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH")))),
        },
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BENCH_S_MAX,
        check=False,
    )

    said = re.search(r"\(([\d,]+) orders, ([\d,]+) refusals, ([\d,]+) fills\)", done.stdout)
    assert said is not None, done.stdout + done.stderr
    orders, _, fills = (int(each.replace(",", "")) for each in said.groups())
    assert orders == fills > 0
    assert done.returncode == 0
