"""What is looked at before a start: what is in the way is named with its cure, nothing starts."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from chandler.exchanges.bitget.config import VenueConfig
from chandler.streams.embedded import processes
from chandler.streams.embedded.broker import Process
from chandler.streams.settings import (
    PORT_KAFKA,
    PORT_KAFKA_CONTROLLER,
    PORT_SIMULATOR,
    Installation,
    installation,
)
from services.exits import FAILED, MISCONFIGURED, NO_KAFKA, WELL
from services.loading import configuration
from services.profile import Profile
from services.topology import Worker, http_port, workers_of
from services.watchdog.preflight import Finding, look, machine, outside, status_of
from services.watchdog.preflight.findings import failure, warning
from services.watchdog.preflight.looking import Look, looked
from tests.conftest import free_port_base

LIVE = """
mode = "live"
[venue]
rest_url = "http://127.0.0.1:9"
ws_url = "ws://127.0.0.1:9"
[agents.trader]
mode = "live"
account = "main"
[accounts.main]
"""
TOKEN = "123456789:a-token-that-nobody-else-may-see-here"
KEYS = 'key = "bg_1"\nsecret = "not-to-be-seen"\npassphrase = "p4ss"\n'
EXECUTOR, NOTIFIER = [Worker("executor", 0)], [Worker("notifier", 0)]


def made(data: Path, profile: str = "demo", **more: str) -> Installation:
    variables = {"CHANDLER_DATA": str(data), "CHANDLER_PROFILE": profile}
    return installation({**variables, "CHANDLER_PORT_BASE": str(free_port_base()), **more})


def own(data: Path, text: str) -> tuple[Installation, Profile]:
    (data / "profiles").mkdir()
    (data / "profiles" / "own.toml").write_text(text)
    here = made(data, "own")
    return here, configuration(here, {}).profile


def of(findings: list[Finding], what: str) -> list[Finding]:
    return [each for each in findings if each.what == what]


def looks(here: Installation, **environ: str) -> list[Finding]:
    """All findings for the demo."""
    profile = configuration(here, {}).profile
    return look(here, profile, workers_of(profile), {**os.environ, **environ}, wait_s=60)


@asynccontextmanager
async def venue(off_s: float) -> AsyncIterator[VenueConfig]:
    """A venue that answers what the time is, when our clock is so far before its own."""

    async def told(_: web.Request) -> web.Response:
        at = str(time.time_ns() // 1_000_000 - int(off_s * 1000))
        return web.json_response({"code": "00000", "msg": "success", "data": {"serverTime": at}})

    app = web.Application()
    app.router.add_get("/api/v2/public/time", told)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield VenueConfig(rest_url=f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


def listening(port: int) -> socket.socket:
    held = socket.create_server(("127.0.0.1", port))
    held.listen()
    return held


def test_a_machine_that_is_well_has_a_finding_for_everything_and_nothing_to_cure(
    tmp_path: Path,
) -> None:
    found = looks(made(tmp_path / "new"))

    assert [each for each in found if each.outcome != "well" and each.what != "disk"] == []
    assert {"python", "java", "disk", "kafka", "ports", "profile"} <= {each.what for each in found}
    assert not of(found, "venue"), "the demo's venue is the simulator"
    assert status_of(found) == WELL
    assert not (tmp_path / "new").exists(), "it only looks"


@pytest.mark.parametrize("use", ["simulator", "health"])
def test_a_port_that_something_else_has_is_named_with_its_holder(tmp_path: Path, use: str) -> None:
    here = made(tmp_path)
    health = http_port(here, Worker("ingest", 0))
    port = here.port(PORT_SIMULATOR) if use == "simulator" else health

    with closing(listening(port)):
        found = of(looks(here), "ports")

    assert [each.outcome for each in found] == ["failure"]
    assert f"port {port} is taken by process {os.getpid()} " in found[0].found
    assert "CHANDLER_PORT_BASE" in found[0].cure
    assert status_of(found) == FAILED


@pytest.mark.parametrize(
    ("words", "is_ours"),
    [(["services", "run", "ingest"], True), (["-m", "http.server"], False)],
)
def test_a_port_that_a_service_of_this_data_directory_has_is_no_failure(
    tmp_path: Path, words: list[str], is_ours: bool
) -> None:
    here = made(tmp_path)
    port = http_port(here, Worker("ingest", 0))
    code = (
        f"import socket, sys; s = socket.create_server(('127.0.0.1', {port})); "
        "print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "CHANDLER_DATA": str(here.data)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as service:
        assert service.stdout is not None
        service.stdout.readline()

        found = of(looks(here), "ports")
        service.kill()

    assert [each.outcome for each in found] == ["well" if is_ours else "failure"]
    assert ("1 are our own" in found[0].found) == is_ours


@pytest.mark.parametrize("offset", [PORT_KAFKA, PORT_KAFKA_CONTROLLER])
def test_a_port_of_kafka_that_something_else_has_is_a_failure_of_kafka(
    tmp_path: Path, offset: int
) -> None:
    here = made(tmp_path)

    with closing(listening(here.port(offset))):
        found = looks(here)

    assert f"port {here.port(offset)} is taken" in of(found, "kafka")[0].found
    assert status_of(found) == NO_KAFKA


@pytest.mark.parametrize("elsewhere", [0, 7])
def test_our_own_kafka_is_well_where_it_should_be_and_a_failure_on_other_ports(
    tmp_path: Path, elsewhere: int
) -> None:
    here = made(tmp_path)
    started = processes.started(os.getpid())
    assert started is not None
    port = here.port(PORT_KAFKA) + elsewhere
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "process.json").write_bytes(
        msgspec.json.encode(Process(pid=os.getpid(), started=started, port=port))
    )

    with closing(listening(port)):
        (found,) = of(looks(here), "kafka")

    assert found.outcome == ("failure" if elsewhere else "well")
    assert (f"CHANDLER_PORT_BASE={port - PORT_KAFKA}" in found.cure) == bool(elsewhere)


def test_a_python_that_is_too_old_and_a_java_that_is_missing_are_failures(tmp_path: Path) -> None:
    java = machine.java({"PATH": ""}, bundled=tmp_path / "none")

    assert machine.python((3, 10)).outcome == "failure"
    assert "3.11" in machine.python((3, 10)).found
    assert machine.python((3, 12)).outcome == "well"
    assert java.outcome == "failure"
    assert "PATH has none" in java.found
    assert status_of([java]) == NO_KAFKA


@pytest.mark.parametrize(
    ("left", "outcome"),
    [(0, "failure"), (499 << 20, "failure"), (500 << 20, "warning"), (2 << 30, "well")],
)
def test_little_room_is_a_warning_and_too_little_a_failure(left: int, outcome: str) -> None:
    found = machine.room(Path("there"), left)

    assert found.outcome == outcome
    assert bool(found.cure) == (outcome != "well")


def test_a_data_directory_that_can_not_be_one_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    found = machine.disk(made(tmp_path / "file" / "data"))

    assert found.outcome == "failure"
    assert "no directory" in found.found


@pytest.mark.parametrize(
    ("off_s", "outcome"), [(0, "well"), (3, "warning"), (-3, "warning"), (20, "failure")]
)
async def test_the_clock_is_measured_against_the_venues(off_s: float, outcome: str) -> None:
    async with venue(off_s) as config:
        found = await asyncio.to_thread(outside.venue, config)

    assert [each.outcome for each in found] == ["well", outcome]
    assert outcome == "well" or f"is {'-' if off_s < 0 else '+'}" in found[1].found


@pytest.mark.parametrize(
    ("off_ms", "outcome"),
    [
        (1_000, "well"),
        (-1_000, "well"),
        (1_001, "warning"),
        (5_000, "warning"),
        (-5_001, "failure"),
    ],
)
def test_the_limits_of_the_clock_are_one_and_five_seconds(off_ms: int, outcome: str) -> None:
    assert outside.clock(off_ms).outcome == outcome


def test_a_venue_that_is_not_there_is_a_failure_and_nothing_is_said_of_the_clock() -> None:
    found = outside.venue(VenueConfig(rest_url="http://127.0.0.1:9"))

    assert [(each.what, each.outcome) for each in found] == [("venue", "failure")]
    assert "http://127.0.0.1:9" in found[0].found


def test_brokers_that_do_not_answer_are_a_failure(tmp_path: Path) -> None:
    here = made(tmp_path, CHANDLER_BROKERS="127.0.0.1:9")
    found = looks(here)

    assert [each.outcome for each in of(found, "brokers")] == ["failure"]
    assert not of(found, "kafka") + of(found, "java"), "nothing of it is ours to start"
    assert status_of(found) == NO_KAFKA


@pytest.mark.kafka
def test_brokers_that_answer_are_well(kafka: Installation) -> None:
    found = outside.brokers(msgspec.structs.replace(kafka, brokers=kafka.bootstrap))

    assert found.outcome == "well"


def test_a_login_without_its_password_file_is_told_as_it_is(tmp_path: Path) -> None:
    here = made(tmp_path, CHANDLER_BROKERS="127.0.0.1:9", CHANDLER_KAFKA_PROTOCOL="SASL_PLAINTEXT")

    assert "CHANDLER_KAFKA_PASSWORD_FILE" in outside.brokers(here).found


def test_keys_are_asked_for_where_a_live_agent_needs_them(tmp_path: Path) -> None:
    here, profile = own(tmp_path, LIVE)
    file = tmp_path / "keys" / "main.toml"
    missing = look(here, profile, EXECUTOR, {}, wait_s=60)
    file.parent.mkdir()
    file.write_text(KEYS)
    file.chmod(0o644)
    open_to_all = look(here, profile, EXECUTOR, {}, wait_s=60)
    file.chmod(0o600)
    private = look(here, profile, EXECUTOR, {}, wait_s=60)

    assert "CHANDLER_KEYS_MAIN" in of(missing, "keys")[0].found
    assert status_of(of(missing, "keys")) == MISCONFIGURED
    assert "chmod 600" in of(open_to_all, "keys")[0].found
    assert [each.outcome for each in of(private, "keys")] == ["well"]
    assert "not-to-be-seen" not in repr(missing + open_to_all + private)


def test_telegrams_half_starts_without_venue_and_keys_and_the_other_without_a_token(
    tmp_path: Path,
) -> None:
    users = '[users.ann]\nrole = "owner"\ntelegram_id = 1\n'
    here, profile = own(tmp_path, LIVE + users)
    trading = look(here, profile, workers_of(profile, "trading"), {}, wait_s=60)
    telegram = look(here, profile, NOTIFIER, {}, wait_s=60)

    assert of(trading, "venue")
    assert of(trading, "keys")
    assert not of(trading, "telegram")
    assert not of(telegram, "venue") + of(telegram, "keys")
    assert of(telegram, "telegram")


def test_an_account_on_the_simulator_and_one_of_nobody_need_no_keys(tmp_path: Path) -> None:
    here, profile = own(tmp_path, 'extends = "demo"\n[accounts.idle]\n')

    assert not of(look(here, profile, EXECUTOR, {}, wait_s=60), "keys")


@pytest.mark.parametrize(
    ("table", "token", "outcome"),
    [
        ("", "", "warning"),
        ("", TOKEN, "well"),
        ("", "123456789:short", "failure"),
        ("stand_in = true", "", "well"),
    ],
)
def test_a_missing_token_is_a_warning_and_a_wrong_one_a_failure(
    tmp_path: Path, table: str, token: str, outcome: str
) -> None:
    users = '[users.ann]\nrole = "owner"\ntelegram_id = 1\n'
    here, profile = own(tmp_path, f"{LIVE}[telegram]\n{table}\n{users}")
    environ = {"CHANDLER_TELEGRAM_TOKEN": token} if token else {}

    (found,) = of(look(here, profile, NOTIFIER, environ, wait_s=60), "telegram")

    assert found.outcome == outcome
    assert not token or token not in repr(found)
    assert not of(look(here, profile, [], environ, wait_s=60), "telegram"), "no notifier starts"


def test_a_look_that_hangs_is_left_behind_and_the_others_are_told() -> None:
    hangs = threading.Event()

    def never() -> list[Finding]:
        hangs.wait()
        return []

    def unknown(late: Callable[[str, str, str], Finding]) -> list[Finding]:
        return looked([Look("slow", never, late)], wait_s=0)

    found = unknown(warning) + unknown(failure)
    hangs.set()

    assert [(each.what, each.outcome) for each in found] == [
        ("slow", "warning"),
        ("slow", "failure"),
    ]


def test_a_fault_in_a_look_is_not_taken_for_a_finding() -> None:
    def broken() -> list[Finding]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        looked([Look("broken", broken)], wait_s=60)
