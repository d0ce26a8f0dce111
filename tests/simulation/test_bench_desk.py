"""The desk's benchmark still measures: an executor works its backlog off, and the rate is said."""

import re

import pytest

from tests.conftest import free_port_base
from tests.simulation.system import System

pytestmark = [pytest.mark.kafka, pytest.mark.system]

BENCH_S_MAX = 300


def test_the_executors_backlog_is_worked_off_and_its_rate_is_said(tmp_path):
    words = ["bench", "desk", "--short", "--part", "decisions"]
    done = System(tmp_path, free_port_base()).command(*words, within_s=BENCH_S_MAX)

    said = re.search(r"\(([\d,]+) orders, ([\d,]+) refusals, ([\d,]+) fills\)", done.stdout)
    assert said is not None, done.stdout + done.stderr
    orders, _, fills = (int(each.replace(",", "")) for each in said.groups())
    assert orders == fills > 0
    assert done.returncode == 0
