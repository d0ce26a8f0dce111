"""Trading and talking apart: either may die, and a stop in the middle of trading loses nothing."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from chandler.core.events import Event, InfraEvent
from chandler.core.trading.events import NoticeAsked, OrderFilled, OrderRequested
from chandler.streams.embedded import lease
from chandler.streams.reader import read_topics
from tests.conftest import free_port_base
from tests.simulation.system import END_S_MAX, READY_S_MAX, System, until
from tests.simulation.telephone import chat, say, singly, unhurried

pytestmark = [pytest.mark.kafka, pytest.mark.system, pytest.mark.long]

SPEED = "120"
ORDERS_MIN = 5
TOLD_S_MAX = 120.0
SERVICES = {"telegram_stand_in", "notifier"}


@pytest.fixture
def system(tmp_path):
    found = System(tmp_path / "data", free_port_base())
    yield found
    found.kill_all()


def started(system: System, *words: str) -> subprocess.Popen[bytes]:
    return system.spawn("up", *words, "--quiet")


def ready(system: System, wanted: Callable[[str], bool]) -> bool:
    found = {name: entry for name, entry in system.services().items() if wanted(name)}
    return bool(found) and all(entry["ready"] for entry in found.values())


def events(system: System, topic: str) -> list[Event]:
    async def read() -> list[Event]:
        found = [record async for record in read_topics(system.installation, [topic])]
        return [record.event for record in found if record.event is not None]

    return asyncio.run(read())


def test_either_half_dies_alone_and_a_stop_while_trading_loses_nothing(system, tmp_path):
    flags = singly(tmp_path)
    trading = started(system, "trading", "--speed", SPEED, *flags)
    until(lambda: ready(system, lambda name: name not in SERVICES), READY_S_MAX, "trading is up")
    telegram = started(system, "telegram", *flags)
    until(lambda: ready(system, SERVICES.__contains__), READY_S_MAX, "telegram is up")
    say(system, "/status")
    until(lambda: any("executor" in text for text in chat(system)), TOLD_S_MAX, "a status")

    # The half that talks is killed with all it runs: trading goes on.
    before = len(events(system, "orders"))
    os.killpg(telegram.pid, signal.SIGKILL)
    telegram.wait()
    until(lambda: len(events(system, "orders")) > before, TOLD_S_MAX, "orders go on")
    until(
        lambda: (
            sum(isinstance(each, OrderFilled) for each in events(system, "orders")) >= ORDERS_MIN
        ),
        TOLD_S_MAX,
        "fills",
    )
    assert trading.poll() is None

    # And trading is asked to end in the middle of it.
    trading.terminate()
    assert trading.wait(2 * END_S_MAX) == 0
    with lease(system.installation):
        made = {each.id for each in events(system, "orders") if isinstance(each, OrderRequested)}
        told = [each for each in events(system, "notices") if _recovered(each)]
        assert told == [], "nothing was recovered at the first start"

        both = started(system, "--speed", SPEED, *flags)
        until(system.all_ready, READY_S_MAX, "both are up again")
        unhurried(system)
        until(
            lambda: any(_recovered(each) for each in events(system, "notices")),
            TOLD_S_MAX,
            "the recovery is told",
        )
        until(lambda: any("recovered:" in text for text in chat(system)), TOLD_S_MAX, "in the chat")
        check = system.report("desk", "check")
        assert float(check["difference"]) == 0
        requested = [each for each in events(system, "orders") if isinstance(each, OrderRequested)]
        assert len({each.id for each in requested}) == len(requested)
        assert made <= {each.id for each in requested}
        both.send_signal(signal.SIGINT)
        assert both.wait(2 * END_S_MAX) in (0, 130)
        stops = [each for each in events(system, "infra") if _ended_well(each, "executor")]
        assert stops


def _recovered(event: Event) -> bool:
    return isinstance(event, NoticeAsked) and event.text.startswith("recovered:")


def _ended_well(event: Event, service: str) -> bool:
    return (
        isinstance(event, InfraEvent)
        and event.service == service
        and event.kind == "stopping"
        and event.detail == "asked to"
    )
