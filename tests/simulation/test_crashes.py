"""kill -9 and a hang of each service under `up`: it comes back, and people are told."""

import asyncio
import os
import signal
from functools import partial

import pytest

from chandler.core.events import InfraEvent
from chandler.streams.reader import read_topics
from services.watchdog.supervisor import RESTART_S
from tests.conftest import free_port_base
from tests.simulation.system import READY_S_MAX, System, until
from tests.simulation.telephone import chat, singly, unhurried

pytestmark = [pytest.mark.kafka, pytest.mark.system, pytest.mark.long]

TOLD_S_MAX = 120.0
HANGS = "market"
CHAT = "telegram_stand_in"  # what was said is in its memory
CLOCKS_MS = 100  # an end is told when it is seen


@pytest.fixture
def system(tmp_path):
    found = System(tmp_path / "data", free_port_base())
    yield found
    found.kill_all()


def events(system: System) -> list[InfraEvent]:
    async def read() -> list[InfraEvent]:
        found = [record.event async for record in read_topics(system.installation, ["infra"])]
        return [event for event in found if isinstance(event, InfraEvent)]

    return asyncio.run(read())


def pids(system: System) -> dict[str, int | None]:
    return {name: entry["pid"] for name, entry in system.services().items()}


def kill(system: System, names: set[str], number: int = signal.SIGKILL) -> None:
    """Ends them, and returns when others stand in their place, ready."""
    before = pids(system)
    for name in names:
        os.kill(before[name] or 0, number)

    def others() -> bool:
        now = pids(system)
        return all(now[name] not in (None, before[name]) for name in names)

    until(others, READY_S_MAX, f"{names} did not come back")
    until(system.all_ready, READY_S_MAX, "not every service is ready again")


def test_each_service_is_restarted_after_its_end_or_its_silence_and_people_are_told(
    system, tmp_path
):
    with system.up(*singly(tmp_path), "--speed", "60", "--symbols", "10"):
        names = set(pids(system))
        kill(system, {CHAT})
        unhurried(system)
        kill(system, names - {CHAT})
        kill(system, {HANGS}, signal.SIGSTOP)

        def told(words: str) -> bool:
            return any(words in text for text in chat(system))

        wanted = [f"{HANGS} crashed: did not answer"]
        for name in names - {CHAT}:
            wanted.append(f"{name} crashed: was ended by signal 9 (SIGKILL); again in 3 s")
            wanted.append(f"{name} recovered: ")
        for words in wanted:
            until(partial(told, words), TOLD_S_MAX, words)
        check = system.report("desk", "check")
        happened = events(system)

    assert float(check["difference"]) == 0
    for name in names:
        ends = [each.at for each in happened if (each.service, each.kind) == (name, "crashed")]
        starts = [each.at for each in happened if (each.service, each.kind) == (name, "restarted")]
        assert len(ends) == len(starts) == 1 + (name == HANGS)
        for ended, started in zip(ends, starts, strict=True):
            assert started - ended >= RESTART_S * 1_000 - CLOCKS_MS
