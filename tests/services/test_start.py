"""What `up` says while it starts: step by step on a slow machine, little on a quick one."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chandler.core.notices.routing import User
from chandler.streams.settings import PORT_TELEGRAM, Installation, installation
from services.cli.app import main
from services.cli.running import session as session_module
from services.cli.running.session import Session
from services.cli.running.start import Start
from services.cli.running.view import Lines, Screen, for_people, what_starts
from services.exits import WELL
from services.profile import Profile, TelegramConfig
from services.topology import Worker, workers_of
from services.watchdog.child import Child

DEMO = Profile(
    telegram=TelegramConfig(stand_in=True), users={"you": User(role="owner", telegram_id=1)}
)


class Acting(Child):
    """A child that runs without a process."""

    def __init__(self, name: str, state: str) -> None:
        super().__init__(Worker(name, 0), 1, 0.0)
        self.state = state
        self.process: Any = "there is one"

    @property
    def ready(self) -> bool:
        return self.state == "ready"


class Said:
    """A view that keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str, **fields: Any) -> None:
        self.lines.append(text)


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    return installation({"CHANDLER_DATA": str(tmp_path), "CHANDLER_PORT_BASE": "33000"})


def start(load: float = 0.0) -> Start:
    return Start(100.0, lambda: 112.34, lambda: load, 2)


def test_before_there_are_services_the_step_is_what_is_waited_for() -> None:
    found = start()
    first = found.waits([])
    found.step = "Kafka's topics"

    assert (first, found.waits([])) == ("waiting for: Kafka", "waiting for: Kafka's topics")


def test_what_is_not_ready_is_named_with_what_it_says_of_itself() -> None:
    """Twelve minutes passed without a word between "starting Kafka" and "ready after 771 s"."""
    children = [
        Acting("simulator", "ready"),
        Acting("ingest", "backfilling 40 %"),
        Acting("signals", "recovering"),
    ]

    assert start().waits(children) == (
        "waiting for: ingest (backfilling 40 %), signals (recovering)"
    )


def test_a_busy_machine_is_named_as_the_reason() -> None:
    children = [Acting("ingest", "opening")]

    assert start(4.0).waits(children) == "waiting for: ingest (opening)"
    assert start(9.6).waits(children) == (
        "waiting for: ingest (opening); this machine is busy: load 10, 2 processors"
    )


def test_what_was_given_up_or_is_not_started_yet_is_not_waited_for() -> None:
    later = Acting("notifier", "starting")
    later.process = None

    assert start(99.0).waits([Acting("ingest", "given_up"), later]) == ""


def test_each_service_that_becomes_ready_is_said_once() -> None:
    found = start()
    ingest, signals = Acting("ingest", "opening"), Acting("signals", "ready")
    first = found.became_ready([Acting("simulator", "ready"), ingest, signals])
    again = found.became_ready([ingest, signals])
    ingest.state = "ready"

    assert first == "simulator, signals ready after 12.3 s"
    assert again == ""
    assert found.became_ready([ingest, signals]) == "ingest ready after 12.3 s"


async def test_the_lines_come_while_kafka_starts_and_end_with_the_start(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "WAIT_S", 0.01)
    view: Any = Said()
    found = Session(here, DEMO, "both", [], view, 0.0)
    telling = asyncio.create_task(found._say_waits())
    async with asyncio.timeout(10):
        while len(view.lines) < 2:
            await asyncio.sleep(0.01)
        found._ready_said = True
        await telling

    assert {line.partition(";")[0] for line in view.lines} == {"waiting for: Kafka"}


@pytest.mark.parametrize("screen", [False, True])
def test_the_page_for_people_stands_beneath_the_table(
    here: Installation, capsys: pytest.CaptureFixture[str], screen: bool
) -> None:
    """The documents sent people to the table, and that had the address for machines only."""
    workers = workers_of(DEMO)
    view = Screen(services=False) if screen else Lines("text", services=False)
    view.table(what_starts(here, DEMO, workers), workers, for_people(here, workers))
    said = capsys.readouterr().out

    page = f"http://127.0.0.1:{here.port(PORT_TELEGRAM)}/"
    assert said.splitlines()[-1] == f"the page in Telegram's place: {page}"


def test_without_a_stand_in_there_is_no_page(here: Installation) -> None:
    assert for_people(here, workers_of(Profile())) == {}
    assert for_people(here, workers_of(DEMO, "trading")) == {}
    assert list(for_people(here, workers_of(DEMO, "telegram"))) == ["the page in Telegram's place"]


def test_the_help_of_up_names_what_a_second_system_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["up", "--help"]) == WELL
    said = capsys.readouterr().out

    assert "CHANDLER_DATA" in said
    assert "CHANDLER_PORT_BASE" in said
