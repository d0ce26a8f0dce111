"""The runner: health endpoint, metrics, drain, exit statuses, with services made for the test."""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from aiokafka.errors import ProducerFenced

from chandler.core.events import InfraEvent, LogLine
from chandler.streams.settings import Installation
from chandler.streams.settings import installation as installation_of
from chandler.streams.telemetry.health import Health, ask, ask_ready
from chandler.streams.telemetry.metrics import Metrics, standard
from services import exits, runner
from services.declaration import Context, Metric, Service
from services.profile import Profile
from services.topology import Worker, http_port
from tests.conftest import Topics, free_port_base
from tests.streams.exact_cluster import read

DEADLINE_S = 20.0
FED = "chandler_ingest_fed_total"


class StrayError(Exception):
    """A service's own error."""


def service(run: Callable[[Context], Awaitable[None]]) -> Service:
    metric = Metric(name=FED, kind="counter", doc="what was fed", labels=("symbol",))
    return Service(
        name="ingest", kind="edge", doc="a test's", reads=(), writes=(), metrics=(metric,), run=run
    )


@pytest.fixture
def context(tmp_path: Path) -> Context:
    environ = {"CHANDLER_DATA": str(tmp_path), "CHANDLER_PORT_BASE": str(free_port_base())}
    declared = (*standard("ingest"), *service(_forever).metrics)
    return Context(
        installation=installation_of(environ),
        profile=Profile(),
        shard=None,
        stop=asyncio.Event(),
        health=Health(),
        log=logging.getLogger("chandler.ingest"),
        code="abc",
        metrics=Metrics("ingest", declared),
    )


async def _forever(context: Context) -> None:
    context.health.ready, context.health.state = True, "running"
    context.health.lag = 7
    context.health.age_s = 0.5
    context.metrics.add(FED, symbol="BTCUSDT")
    await context.stop.wait()


def port_of(context: Context) -> int:
    return http_port(context.installation, Worker("ingest", 0))


async def until_ready(context: Context) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not context.health.ready or await ask_ready("127.0.0.1", port_of(context)) is None:
            await asyncio.sleep(0.01)


async def test_a_running_service_tells_of_itself_and_drains_on_sigterm(context: Context) -> None:
    running = asyncio.create_task(runner.run_service(service(_forever), context))
    await until_ready(context)

    ready = await ask("127.0.0.1", port_of(context), "/readyz")
    healthy = await ask("127.0.0.1", port_of(context), "/healthz")
    metrics = await ask("127.0.0.1", port_of(context), "/metrics")
    other = await ask("127.0.0.1", port_of(context), "/elsewhere")
    os.kill(os.getpid(), signal.SIGTERM)
    status = await running

    assert status == 0
    assert ready is not None
    told = msgspec.json.decode(ready[1])
    assert ready[0] == 200
    assert 0.5 <= told.pop("age_s") < DEADLINE_S
    assert 0.5 <= told.pop("behind_s") < DEADLINE_S
    assert told == {
        "service": "ingest",
        "ready": True,
        "state": "running",
        "lag": 7,
        "pid": os.getpid(),
    }
    assert healthy == (200, b"ok\n")
    assert other is not None
    assert other[0] == 404
    assert metrics is not None
    text = metrics[1].decode()
    assert f'{FED}{{symbol="BTCUSDT"}} 1.0' in text
    assert "chandler_ingest_lag_records 7.0" in text
    assert "process_resident_memory_bytes" in text


async def test_a_service_that_is_not_ready_answers_503(context: Context) -> None:
    async def starting(context: Context) -> None:
        await context.stop.wait()

    running = asyncio.create_task(runner.run_service(service(starting), context))
    async with asyncio.timeout(DEADLINE_S):
        while (answer := await ask("127.0.0.1", port_of(context), "/readyz")) is None:
            await asyncio.sleep(0.01)
    context.stop.set()

    assert await running == 0
    assert answer[0] == 503
    assert msgspec.json.decode(answer[1])["age_s"] is None


async def test_an_error_is_one_line_and_status_1(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(context: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(DEADLINE_S))
            raise StrayError("expected a candle, found none\nand more")

    with caplog.at_level(logging.INFO):
        status = await runner.run_service(service(broken), context)

    ours = [record for record in caplog.records if record.name == "chandler.ingest"]
    errors = [record for record in ours if record.levelno >= logging.ERROR]
    assert status == exits.FAILED
    assert [record.getMessage() for record in errors] == [
        "StrayError: expected a candle, found none and more"
    ]
    assert errors[0].exc_info is None


async def test_what_the_kafka_client_leaves_behind_is_not_told_twice(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    """A fenced worker said "Future exception was never retrieved" with 20 lines of traceback."""

    async def run(_: Context) -> None:
        loop = asyncio.get_running_loop()
        for error in (ProducerFenced(), StrayError("ours")):
            loop.create_future().set_exception(error)
        gc.collect()

    with caplog.at_level(logging.WARNING):
        assert await runner.run_service(service(run), context) == 0

    told = [record for record in caplog.records if "never retrieved" in record.message]
    assert [str(record.exc_info[1]) for record in told if record.exc_info] == ["ours"]


async def test_a_service_that_does_not_drain_is_cancelled(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "DRAIN_S_MAX", 0.05)
    cancelled = asyncio.Event()

    async def deaf(context: Context) -> None:
        try:
            await asyncio.sleep(DEADLINE_S)
        finally:
            cancelled.set()

    running = asyncio.create_task(runner.run_service(service(deaf), context))
    context.stop.set()

    assert await running == 0
    assert cancelled.is_set()


async def test_a_taken_port_is_one_line(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    # As servers bind: where a connection of an earlier test still waits to be forgotten, too.
    with socket.create_server(("127.0.0.1", port_of(context))):
        status = await runner.run_service(service(_forever), context)

    assert status == exits.FAILED
    assert f"port {port_of(context)} can't be used" in caplog.text


@pytest.mark.kafka
async def test_a_service_says_what_it_has_recovered_from_where_nobody_supervises_it(
    installation: Installation, topics: Topics, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Under compose and Kubernetes: as `up` says it of its services."""
    await topics(["infra", "logs"])
    here = msgspec.structs.replace(installation, data=tmp_path)

    async def life(run: Callable[[Context], Awaitable[None]], *, supervised: bool = False) -> None:
        monkeypatch.setenv(runner.SUPERVISED_VARIABLE, "1" if supervised else "")
        declared = service(run)
        context = Context(
            installation=here,
            profile=Profile(),
            shard=2,
            stop=asyncio.Event(),
            health=Health(),
            log=logging.getLogger("chandler.ingest"),
            code="abc",
            metrics=Metrics("ingest", (*standard("ingest"), *declared.metrics)),
        )
        before = await readies(here)
        task = asyncio.create_task(runner.run_service(declared, context))
        async with asyncio.timeout(DEADLINE_S):
            while run is _forever and await readies(here) == before:
                await asyncio.sleep(0.05)
        context.stop.set()
        await task

    async def fails(context: Context) -> None:
        raise StrayError("no candle")

    await life(fails)
    await life(_forever, supervised=True)
    await life(fails)
    await life(_forever)
    await life(_forever)

    found = [each for each in await read(here, "infra") if isinstance(each, InfraEvent)]
    told = [(each.kind, each.detail) for each in found]
    recoveries = [detail for kind, detail in told if kind == "recovered"]
    assert [detail for kind, detail in told if kind == "stopping"] == [
        "exit 1: StrayError",
        "asked to",
        "exit 1: StrayError",
        "asked to",
        "asked to",
    ]
    assert len(recoveries) == 1
    assert recoveries[0].endswith(" s after it ended with exit 1: StrayError")
    lines = [each.text for each in await read(here, "logs") if isinstance(each, LogLine)]
    assert "StrayError: no candle" in lines


async def readies(here: Installation) -> int:
    """How often it was told that the service is ready."""
    return sum(isinstance(e, InfraEvent) and e.kind == "ready" for e in await read(here, "infra"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ingest"], ("ingest", None, "")),
        (["ingest", "--shard", "2"], ("ingest", 2, "")),
        (["--shard=2", "ingest", "--log=json"], ("ingest", 2, "json")),
        (["ingest", "--shard", "two"], None),
        (["ingest", "signals"], None),
        ([], None),
    ],
)
def test_the_command_line_of_run(
    words: list[str], expected: tuple[str, int | None, str] | None
) -> None:
    assert runner.arguments(words) == expected


@pytest.mark.parametrize(
    ("name", "environ"),
    [
        ("nothing", {}),
        ("ingest", {"CHANDLER_PORT_BASE": "80"}),
        ("ingest", {"CHANDLER_PROFILE": "dmo"}),
        ("ingest", {"CHANDLER_INSTANCE": "99"}),
        ("ingest", {"CHANDLER_SET_simulator__sped": "9"}),
    ],
)
def test_a_wrong_configuration_has_a_status_of_its_own(
    name: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)

    assert runner.main(name) == exits.MISCONFIGURED


def test_live_trading_refuses_the_secrets_of_the_demo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`COMPOSE_PROFILES=live` without a folder of secrets took those that everybody knows."""
    monkeypatch.setenv("CHANDLER_DATA", str(tmp_path))
    monkeypatch.setenv("CHANDLER_PROFILE", "live")
    known = Path(runner.__file__).parents[1] / "deploy" / "demo" / "alerts_secret"
    monkeypatch.setenv("CHANDLER_ALERTS_SECRET_FILE", str(known))

    assert runner.main("ingest") == exits.MISCONFIGURED
    assert "which everybody knows" in capsys.readouterr().err
