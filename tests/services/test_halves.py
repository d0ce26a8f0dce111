"""`up trading` and `up telegram`: who is in which, and that they leave each other alone."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from chandler.core.notices.routing import User
from chandler.streams.settings import Installation, installation
from services.cli.running import status
from services.cli.running.session import TALK_S_MAX, may_talk, trading_of
from services.cli.running.state import (
    UpState,
    WorkerState,
    only_one,
    running,
    states,
    write_state,
)
from services.layers import ConfigurationError
from services.profile import Profile, TelegramConfig
from services.topology import (
    ORDER,
    TELEGRAM,
    Half,
    exists,
    half_of,
    services_of,
    workers_of,
)
from services.watchdog.child import Child

ANNA = {"anna": User(role="owner", telegram_id=1)}


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return installation({"CHANDLER_DATA": str(tmp_path / "data")})


class Acting(Child):
    """A child without a process."""

    @property
    def ready(self) -> bool:
        return self.state == "ready"


def state(half: Half, service: str, pid: int | None = None) -> UpState:
    worker = WorkerState(name=service, service=service, instance=0, port=1, pid=2)
    return UpState(
        pid=pid or os.getpid(),
        half=half,
        profile="demo",
        started_ms=0,
        port_base=1,
        workers=[worker],
    )


def dead() -> int:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    return int(done.stdout)


def test_the_halves_share_no_service_and_leave_none_out() -> None:
    profile = Profile(telegram=TelegramConfig(stand_in=True), users=ANNA)

    trading, telegram = services_of(profile, "trading"), services_of(profile, "telegram")

    assert trading + telegram == services_of(profile)
    assert set(telegram) == {name for name in TELEGRAM if exists(name)}
    assert {half_of(name) for name in trading} == {"trading"}
    assert set(TELEGRAM) <= set(ORDER)


@pytest.mark.parametrize(
    ("stand_in", "users", "expected"),
    [
        (False, {}, set()),
        (False, ANNA, {"notifier", "gateway"}),
        (True, {}, {"notifier", "telegram_stand_in"}),
    ],
)
def test_what_talks_to_people_runs_where_there_are_some(
    stand_in: bool,
    users: dict[str, User],
    expected: set[str],
) -> None:
    profile = Profile(telegram=TelegramConfig(stand_in=stand_in), users=users)

    assert set(services_of(profile, "telegram")) == {each for each in expected if exists(each)}


def test_a_half_without_services_runs_nothing() -> None:
    """An empty list once meant all of them."""
    assert workers_of(Profile(), "telegram") == []


def test_both_halves_run_at_once(here: Installation) -> None:
    with only_one(here, "trading"):
        write_state(here, state("trading", "ingest"))
        with only_one(here, "telegram"):
            write_state(here, state("telegram", "notifier"))

            assert [each.half for each in states(here)] == ["trading", "telegram"]
            found = status.workers_here(here)
        left = [each.half for each in states(here)]

    assert [worker.service for worker in found] == ["ingest", "notifier"]
    assert left == ["trading"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("trading", "trading"),
        ("telegram", "telegram"),
        ("trading", "both"),
        ("telegram", "both"),
        ("both", "trading"),
        ("both", "telegram"),
    ],
)
def test_no_half_runs_twice(here: Installation, first: Half, second: Half) -> None:
    command = "up" if first == "both" else f"up {first}"
    with only_one(here, first):
        write_state(here, state(first, "ingest"))
        with pytest.raises(ConfigurationError) as error:
            only_one(here, second).__enter__()

        assert running(here, first) is not None
    assert str(error.value).startswith(f"`{command}` (process {os.getpid()}) runs the ")
    assert "\n" not in str(error.value)


def test_what_a_killed_half_ran_is_shown_until_it_is_back(here: Installation) -> None:
    with only_one(here, "trading"):
        write_state(here, state("trading", "ingest"))
        write_state(here, state("telegram", "notifier", dead()))

        shown = [worker.service for worker in status.workers_here(here)]
        gone = running(here, "telegram")
        with only_one(here, "telegram"):
            after = [worker.service for worker in status.workers_here(here)]

    assert shown == ["ingest", "notifier"]
    assert gone is None
    assert after == ["ingest"]


def test_a_state_that_nobody_can_read_counts_for_nothing(here: Installation) -> None:
    here.data.mkdir()
    (here.data / "up.json").write_bytes(b"{")
    (here.data / "up-trading.json").write_bytes(msgspec.json.encode({"pid": "x"}))

    assert states(here) == []


def test_what_talks_to_people_starts_when_trading_is_ready_or_after_a_while() -> None:
    workers = workers_of(Profile(telegram=TelegramConfig(stand_in=True), users=ANNA))
    children = [Acting(worker, 1, 3.0) for worker in workers]
    talking = [each for each in children if each.worker.service in TELEGRAM]
    trading = [each for each in children if each not in talking]

    assert trading_of(workers) == {each.worker.service for each in trading}
    assert not may_talk(children, 1.0)
    assert may_talk(children, TALK_S_MAX + 1)
    assert may_talk(talking, 0.0), "where nothing is traded, at once"
    for child in trading:
        child.state = "ready"
    assert may_talk(children, 1.0)
