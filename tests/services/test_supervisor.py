"""The supervisor, over real processes that stand in for services."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chandler.streams.settings import Installation
from services.layers import root
from services.topology import Worker
from services.watchdog import starved
from services.watchdog.child import GIVE_UP, Child
from services.watchdog.crashes import crashes, reason
from services.watchdog.supervisor import HANG_ASKED_MIN, log_folder, stop_order
from tests.services.watching import DEADLINE_S, HERE, Watched, place, running, within


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return place(tmp_path)


async def test_services_become_ready_and_drain_when_they_are_asked_to(here: Installation) -> None:
    watched = Watched(here, {"ingest": "well", "indicators": "well"})

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        pids = [child.pid for child in supervisor.children]

    assert all(pids)
    assert watched.lines[-2:] == ["indicators drained", "ingest drained"]
    assert watched.changes == []
    assert (log_folder(here) / "ingest.log").read_text() == "ingest listens\ningest drained\n"


async def test_a_killed_service_is_started_again(here: Installation) -> None:
    watched = Watched(here, {"ingest": "well"})

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        first = supervisor.child("ingest").pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await within(watched.changed.wait)
        watched.ready.clear()
        await within(watched.ready.wait)
        second = supervisor.child("ingest").pid

    assert second not in (None, first)
    assert supervisor.child("ingest").restarts == 1
    assert watched.changes[0] == "ingest was ended by signal 9 (SIGKILL); again in 0.05 s"
    assert watched.changes[1].startswith("ingest is back after")


async def test_a_misconfigured_service_is_not_started_again(here: Installation) -> None:
    watched = Watched(here, {"ingest": "misconfigured"})

    async with running(watched) as supervisor:
        await within(watched.changed.wait)

    assert supervisor.child("ingest").restarts == 0
    assert watched.changes == [
        "ingest ended with status 3 (simulator.sped is unknown); it is not restarted"
    ]


async def test_a_service_that_hangs_is_killed_and_started_again(here: Installation) -> None:
    """Its process is there and says nothing: SIGSTOP stands for a loop that never ends."""
    watched = Watched(here, {"ingest": "well", "indicators": "well"}, hang_s=1.0)

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        frozen = supervisor.child("ingest").pid
        assert frozen is not None
        os.kill(frozen, signal.SIGSTOP)
        await within(watched.changed.wait)
        watched.ready.clear()
        await within(watched.ready.wait)
        other = supervisor.child("indicators")

    assert watched.changes[0].startswith("ingest has not answered for ")
    assert (
        "ingest did not answer and was ended by signal 9 (SIGKILL); again in 0.05 s"
        in watched.changes
    )
    assert other.restarts == 0
    (kept,) = crashes(here)
    assert (kept.worker, kept.what, kept.status) == ("ingest", "hung", -9)


async def test_a_service_that_gets_no_core_is_not_killed_for_its_silence(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 1,000 symbols on two cores the simulator was killed for it, and began anew each time."""
    watched = Watched(here, {"ingest": "well"}, hang_s=0.5)

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        child = supervisor.child("ingest")
        assert child.pid is not None
        monkeypatch.setattr("services.watchdog.starved.waited_s", lambda pid: time.monotonic())
        await within(lambda: until(lambda: child.waited_s > 0))
        os.kill(child.pid, signal.SIGSTOP)
        asked = 3 * HANG_ASKED_MIN
        await within(lambda: until(lambda: child.asked_since > asked or child.hung))
        assert not child.hung
        monkeypatch.setattr("services.watchdog.starved.waited_s", lambda pid: child.waited_s)
        await within(lambda: until(lambda: child.hung))

    assert watched.changes[0].startswith("ingest has not answered for ")


def test_what_two_of_one_core_wait_for_each_other_is_counted() -> None:
    words = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"
    spinning = [subprocess.Popen([sys.executable, "-c", words]) for _ in range(2)]
    try:
        deadline = time.monotonic() + DEADLINE_S
        while any(starved.waited_s(each.pid) < 0.2 for each in spinning):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        for each in spinning:
            each.kill()
            each.wait()

    assert starved.waited_s(spinning[0].pid) == 0.0, "it is gone"


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


async def test_a_service_that_ends_at_once_again_and_again_is_given_up(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.watchdog.supervisor.RESTART_S_MAX", 0.05)
    watched = Watched(here, {"ingest": "broken", "indicators": "well"}, give_up=True)

    async with running(watched) as supervisor:
        async with asyncio.timeout(DEADLINE_S):
            while supervisor.child("ingest").state != "given_up":
                await watched.changed.wait()
                watched.changed.clear()
        alive = supervisor.child("indicators").pid

    found = crashes(here)
    assert alive is not None
    assert [each.what for each in found] == ["crashed"] * (GIVE_UP - 1) + ["given_up"]
    assert found[0].reason == "ended with status 1 (the state is no JSON)"
    assert found[0].lines == ["reads its state", "the state is no JSON"]
    assert found[-1].again_s is None
    assert "see ./chandler crashes" in watched.changes[-1]


async def test_a_service_that_does_not_drain_is_killed(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.watchdog.supervisor.STOP_S_MAX", 0.2)
    monkeypatch.setattr("services.watchdog.supervisor.STOP_STEP_S", 0.1)
    watched = Watched(here, {"ingest": "stubborn"})

    async with running(watched) as supervisor:
        await within(watched.ready.wait)

    assert supervisor.child("ingest").pid is None
    assert watched.changes == ["ingest did not drain in time: killed, which loses nothing"]


def test_services_end_when_what_started_them_is_killed(here: Installation, tmp_path: Path) -> None:
    """Without this a kill -9 of `up` left services behind that nobody stopped."""
    environ = {
        **os.environ,
        "PYTHONPATH": str(root()),
        "CHANDLER_DATA": str(here.data),
        "CHANDLER_PORT_BASE": str(here.port_base),
    }
    words = [sys.executable, "-P", str(HERE / "orphaner.py")]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watch = os.pidfd_open(pid)

        parent.kill()
        parent.wait()

    ended, _, _ = select.select([watch], [], [], DEADLINE_S)
    os.close(watch)
    assert ended, f"process {pid} still runs"


@pytest.mark.parametrize(
    "line",
    [
        "no room",
        "2026-01-02T03:04:05.678Z ERROR   pump_guard: no room",
        '{"level": "error", "message": "no room"}',
    ],
)
def test_what_a_service_said_last_explains_its_end(line: str) -> None:
    assert reason(1, line) == "ended with status 1 (no room)"


async def test_a_restart_that_was_asked_for_is_no_crash(here: Installation) -> None:
    watched = Watched(here, {"ingest": "well", "indicators": "well"})

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        first, other = (child.pid for child in supervisor.children)
        [told] = await supervisor.restart("ingest", "telegram:anna")
        second = supervisor.child("ingest").pid
        untouched = supervisor.child("indicators").pid

    assert second not in (None, first)
    assert untouched == other
    assert told.startswith("ingest drained within ")
    assert told.endswith(f"and was started anew, process {second}")
    assert watched.changes == ["ingest is restarted, asked by telegram:anna"]
    assert "ingest drained" in watched.lines
    assert crashes(here) == []


async def test_a_service_that_was_given_up_is_started_when_it_is_asked_for(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.watchdog.supervisor.RESTART_S_MAX", 0.05)
    modes = {"ingest": "broken"}
    watched = Watched(here, modes, give_up=True)

    async with running(watched) as supervisor:
        async with asyncio.timeout(DEADLINE_S):
            while supervisor.child("ingest").state != "given_up":
                await watched.changed.wait()
                watched.changed.clear()
        modes["ingest"] = "well"  # it was repaired
        [told] = await supervisor.restart("ingest", "cli")
        await within(watched.ready.wait)

    assert told.startswith("ingest did not run and was started anew")


async def test_a_service_that_does_not_drain_for_a_restart_is_killed(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(here, {"ingest": "stubborn"})

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        monkeypatch.setattr("services.watchdog.supervisor.STOP_S_MAX", 0.2)
        [told] = await supervisor.restart("ingest", "cli")

    assert told.startswith("ingest did not drain within 0.2 s and was killed")
    assert crashes(here) == []


async def test_what_fell_just_before_the_stop_is_not_started_again(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An executor that had crashed was started anew during the stop, and traded in it."""
    monkeypatch.setattr("services.watchdog.supervisor.STOP_S_MAX", 1.0)
    watched = Watched(here, {"ingest": "well", "indicators": "stubborn"})

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        fallen = supervisor.child("ingest").pid
        assert fallen is not None
        os.kill(fallen, signal.SIGKILL)
        await within(watched.changed.wait)

    assert supervisor.child("ingest").restarts == 0
    assert supervisor.child("ingest").pid is None


def test_the_executor_is_asked_to_end_first_and_the_venue_last() -> None:
    """It was asked after all that comes behind it, and traded for up to 2.5 s more."""
    names = ["simulator", "ingest", "signals", "executor", "positions", "recorder", "notifier"]
    children = [Child(Worker(name, 0), 0, 0.0) for name in names]

    order = [child.worker.service for child in stop_order(children)]

    assert order == [
        "executor",
        "notifier",
        "recorder",
        "positions",
        "signals",
        "ingest",
        "simulator",
    ]
