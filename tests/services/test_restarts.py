"""Restarts by command: who answers what, once, and never late."""

import asyncio
from pathlib import Path

import pytest

from chandler.core.events import Event
from chandler.core.trading.events import Answer, Command
from chandler.streams.reader import follow, read_topics
from chandler.streams.settings import Installation
from services.cli.app import main
from services.cli.running.restart import restart
from services.exits import FAILED, USAGE, WELL
from services.topology import Half
from services.watchdog.restarts import Restarts
from tests.services.watching import Watched, place, running, within
from tests.story import Topics

NOW_MS = 1_800_000_000_000


def asked(service: str, number: int = 1, expires_ms: int = 0) -> Command:
    return Command(
        id=f"c{number}",
        who="telegram:anna",
        what="restart",
        service=service,
        expires_ms=expires_ms,
        at=7,
    )


def restarts(tmp_path: Path, half: Half = "both") -> Restarts:
    """Over a supervisor that has nobody."""
    here = place(tmp_path)
    return Restarts(here, Watched(here, {}).supervisor, half, ["ingest", "notifier"])


async def test_an_unknown_service_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    answer = await restarts(tmp_path).take(asked("ingset"), NOW_MS)

    assert answer == Answer(
        command="c1",
        outcome="refused",
        detail="unknown service 'ingset': there are ingest notifier",
        by="up",
        at=7,
    )


@pytest.mark.parametrize(
    ("service", "answers"),
    [
        ("ingest", {"both", "trading"}),
        ("notifier", {"both", "telegram"}),
        ("notifier-1", {"both", "telegram"}),
        ("nothing at all", {"both", "trading"}),
        ("", {"both", "trading"}),
    ],
)
async def test_one_of_the_halves_answers(tmp_path: Path, service: str, answers: set[Half]) -> None:
    """With both running there is one answer, whatever was asked for."""
    halves: list[Half] = ["both", "trading", "telegram"]

    found = {
        half
        for half in halves
        if await restarts(tmp_path, half).take(asked(service), NOW_MS) is not None
    }

    assert found == answers


async def test_a_command_that_is_too_old_is_refused_and_not_carried_out(tmp_path: Path) -> None:
    watched = Watched(place(tmp_path), {"ingest": "well"})
    here = Restarts(place(tmp_path), watched.supervisor, "both", ["ingest"])

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        answer = await here.take(asked("ingest", expires_ms=NOW_MS - 9_000), NOW_MS)
        count = supervisor.child("ingest").restarts

    assert answer is not None
    assert answer.outcome == "refused"
    assert answer.detail == "restart expired 9 s before it was read: ask again"
    assert count == 0


async def test_a_command_is_carried_out_once(tmp_path: Path) -> None:
    watched = Watched(place(tmp_path), {"ingest": "well"})
    here = Restarts(place(tmp_path), watched.supervisor, "both", ["ingest"])

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        first = await here.take(asked("ingest", expires_ms=NOW_MS + 1), NOW_MS)
        again = await here.take(asked("ingest", expires_ms=NOW_MS + 1), NOW_MS)
        count = supervisor.child("ingest").restarts

    assert first is not None
    assert (first.outcome, again, count) == ("done", None, 1)


async def test_other_commands_are_the_desks(tmp_path: Path) -> None:
    command = Command(id="c1", who="cli", what="close_all", at=7)

    assert await restarts(tmp_path).take(command, NOW_MS) is None


async def until_answered(desk: Installation, command: str) -> Answer:
    async for record in follow(desk, ["answers"], "beginning"):
        if isinstance(record.event, Answer) and record.event.command == command:
            return record.event
    raise AssertionError("the topic ended")


@pytest.mark.parametrize("name", ["ingset", "foo", "ingest-x", ""])
def test_a_name_that_is_no_services_is_answered_where_it_was_typed_only(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went to topic `commands`, and its refusal to the owner's telephone."""
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    monkeypatch.setenv("CHANDLER_BROKERS", "127.0.0.1:9")  # nobody: asking there would say so
    status = main(["restart", name])
    said = capsys.readouterr()

    assert status == USAGE
    assert f"unknown service {name!r}" in said.err
    assert "expected one of simulator, ingest, " in said.err
    assert "Kafka" not in said.err


@pytest.mark.kafka
async def test_a_restart_is_asked_for_in_a_topic_and_answered_there(
    desk: Installation,
    written: Topics,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    watched = Watched(place(tmp_path), {"ingest": "well"})
    await written.put("commands", asked("ingest", 1), "c1")  # before `up` was there
    following = Restarts(desk, watched.supervisor, "both", ["ingest"])

    async with running(watched) as supervisor:
        await within(watched.ready.wait)
        task = asyncio.create_task(following.run())
        try:
            async with asyncio.timeout(60):
                done = asyncio.create_task(until_answered(desk, "c2"))
                await written.put("commands", asked("ingest", 2), "c2")
                answer = await done
            status = await asyncio.to_thread(restart, "ingest", 60.0, as_json=False)
        finally:
            task.cancel()
            await asyncio.wait([task])
        count = supervisor.child("ingest").restarts

    said = capsys.readouterr()
    answers: list[Event | None] = [each.event async for each in read_topics(desk, ["answers"])]
    assert answer.outcome == "done"
    assert status == WELL
    assert "done: ingest drained within" in said.out
    assert count == 2, watched.changes
    assert [each.command for each in answers if isinstance(each, Answer)][:1] == ["c2"]
    assert len(answers) == 2


@pytest.mark.kafka
async def test_where_nobody_runs_the_service_nobody_answers(
    desk: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    status = await asyncio.to_thread(restart, "ingest", 0.0, as_json=False)

    [command] = [each.event async for each in read_topics(desk, ["commands"])]
    assert status == FAILED
    assert "no answer within 0 s: no `up` runs ingest here" in capsys.readouterr().err
    assert isinstance(command, Command)
    assert command.expires_ms > 0
