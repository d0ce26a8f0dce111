"""The notifier is killed while Telegram fails: nothing is lost, nothing is asked twice."""

import json

import pytest

from tests.conftest import free_port_base
from tests.simulation.system import System

pytestmark = [pytest.mark.kafka, pytest.mark.system]

TELEGRAM_S_MAX = 600
WORDS = ["--kills", "3", "--notices", "40", "--outage-s", "4", "--pause-s", "1.5", "--json"]


def test_everybody_gets_every_notice_though_the_notifier_is_killed_and_telegram_fails(tmp_path):
    words = ["chaos", "--telegram", *WORDS, "--data", str(tmp_path / "telegram")]
    done = System(tmp_path / "own", free_port_base()).command(*words, within_s=TELEGRAM_S_MAX)

    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert [found[name] for name in ("lost", "replayed_commands", "unmarked", "order")] == [0] * 4
    assert (found["notices"], found["kills"]) == (40, 3)
    assert found["asks"] > 8  # one of five notices, and what people write besides
    assert found["commands"] > 0
    assert found["messages"] > 40
    assert found["telegram"]["lost_reply"] + found["telegram"]["silence"] > 0, found["telegram"]
    assert done.returncode == 0
