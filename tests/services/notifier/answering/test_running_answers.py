"""Status, logs and crashes: of this machine's services, and of those elsewhere."""

import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from chandler.core.events import LogLine
from chandler.streams.telemetry.health import Health, endpoint
from services.topology import Worker, http_port, workers_of
from services.watchdog.crashes import Crash, keep
from tests.conftest import free_port_base
from tests.services.notifier.answering.scene import (
    ETH,
    NOW,
    Scene,
    infra,
    logged,
    opened,
    out,
    signal,
    state,
    view,
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "anna", "carl", port_base=free_port_base())


def crash(service: str, at: int, **more: object) -> Crash:
    fields = {
        "at": at,
        "worker": service,
        "service": service,
        "what": "crashed",
        "status": -9,
        "reason": "killed by signal 9",
        "lived_s": 41.0,
        "again_s": 3.0,
        "lines": ["the last line"],
    }
    return Crash(**{**fields, **more})  # type: ignore[arg-type]


async def test_the_status_asks_services_here_and_hears_of_those_elsewhere(scene: Scene) -> None:
    health = Health()
    health.ready, health.state, health.lag = True, "ready", 4
    port = http_port(scene.sources.installation, Worker("ingest", 0))
    scene.see(
        "infra",
        infra("indicators", "ready"),
        infra("recorder", "connection_lost", "Kafka is away"),
        infra("signals", "ready", host=socket.gethostname()),
    )

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(endpoint("127.0.0.1", port, "ingest", health, lambda: b""))
        said = (await scene.text("status")).splitlines()

    services = len(workers_of(scene.sources.profile))
    assert said[0] == f"2 of {services} services are ready"
    assert "ingest: ready, lag 4" in said
    assert any(each.startswith("indicators: ready ") and "another machine" in each for each in said)
    [lost] = [each for each in said if each.startswith("recorder: ")]
    assert lost.startswith("recorder: connection lost ")
    assert lost.endswith("on another machine: Kafka is away")
    assert "signals: not running" in said  # it was last heard from here, and does not answer
    assert said.index("signals: not running") < said.index("ingest: ready, lag 4")


async def test_the_status_says_who_trades_what_is_open_and_the_newest_close(scene: Scene) -> None:
    anna = state("anna", "12.5")
    scene.stand(anna)
    scene.see("positions", opened(anna, "101"))
    scene.see("candles.last", out())

    said = await scene.text("status")

    assert (
        "trading on: anna\ntrading off: carl\n1 open, +2 unrealised; today +12.5\n"
        "newest close: 2024-01-05 10:00 UTC\n"
    ) in said


async def test_logs_are_the_last_lines_in_code(scene: Scene) -> None:
    scene.see("logs", *(logged("ingest", f"line {number}", NOW + number) for number in range(9)))
    warned = LogLine(
        service="executor", instance="e:1:0", level="warning", text="late", at=NOW + 10
    )
    scene.see("logs", warned)

    one = await scene.ask("logs", service="ingest", count=2)
    half = await scene.ask("logs", service="trading", count=2)
    none = await scene.text("logs", service="telegram")

    assert [line.text for line in one.lines[:2]] == ["01-05 10:00 line 7", "01-05 10:00 line 8"]
    assert {line.style for line in one.lines[:2]} == {"code"}
    assert [line.text for line in half.lines[:2]] == [
        "01-05 10:00 ingest line 8",
        "01-05 10:00 WARNING executor late",
    ]
    assert none.startswith("No such lines")


async def test_a_service_that_is_none_is_told_with_those_that_are(scene: Scene) -> None:
    said = await scene.text("logs", service="ingst")

    assert said.startswith("no service is called 'ingst' (nearest: ingest): there are ")


async def test_logs_that_tell_of_all_agents_are_not_for_who_sees_some(scene: Scene) -> None:
    scene.see("logs", logged("executor", "bert lost 7"), logged("ingest", "40 symbols"))

    scene.see("infra", infra("executor", "recovered", "7 positions"), infra("ingest", "ready", "x"))

    refused = await scene.text("logs", service="executor", agents=["anna"])
    status = await scene.text("status", agents=["anna"])
    half = await scene.text("logs", service="trading", agents=["anna"])

    assert refused.startswith("executor tells of agents that are not yours: ask an owner")
    assert "40 symbols" in half
    assert "on another machine: x" in status
    assert "7 positions" not in status
    assert "bert" not in half


async def test_crashes_come_from_the_file_of_this_machine(scene: Scene) -> None:
    for at in range(7):
        keep(scene.sources.installation, crash("ingest", NOW + at * 1_000))
    keep(scene.sources.installation, crash("executor", NOW, again_s=None, what="given_up"))

    said = (await scene.text("crashes")).splitlines()
    one = await scene.ask("crashes", service="ingest", count=1)

    assert said[0] == "8 crashes"
    assert len(said) == 1 + 5
    assert said[1] == (
        "01-05 10:00 executor given up: killed by signal 9; lived 41 s, not started again"
    )
    assert [line.text for line in one.lines] == [
        "7 crashes",
        "01-05 10:00:06 ingest crashed: killed by signal 9; lived 41 s, again after 3 s",
        "the last line",
    ]


async def test_crashes_elsewhere_are_told_by_topic_infra(scene: Scene) -> None:
    scene.see("infra", infra("ingest", "crashed", "signal 9"), infra("ingest", "ready"))

    assert await scene.text("crashes") == "1 crashes\n01-05 10:00 ingest crashed: signal 9"
    assert await scene.text("crashes", service="market") == "No crash is known."


async def test_signals_and_movers_are_shown(scene: Scene) -> None:
    scene.see("signals", signal(1), signal(2, symbol=ETH))
    scene.see("market", view("24h"), view("5m"))

    signals = (await scene.text("signals")).splitlines()
    narrowed = await scene.text("signals", symbol="btcusdt", engine="scalper")
    market = (await scene.text("market")).splitlines()

    assert signals[1] == "01-05 00:10 ETHUSDT long 0.62, scalper: weakness in an uptrend"
    assert "BTCUSDT" in signals[2]
    assert "ETHUSDT" not in narrowed
    assert await scene.text("signals", engine="trend") != narrowed
    scene.see("signals", signal(3, "bert", symbol=ETH), signal(4, "anna", symbol=ETH))
    annas = await scene.text("signals", agents=["anna"])
    assert ("01-05 00:15" in annas, "01-05 00:20" in annas) == (False, True)
    assert market[:4] == [
        "5m, 40 symbols, 2024-01-05 10:00 UTC",
        "up: BTCUSDT +2.10%",
        "down: ETHUSDT -1.20%",
        "volume: BTCUSDT 1,234,567",
    ]
    assert market[5].startswith("24h, ")


@pytest.mark.parametrize(
    ("symbol", "granularity", "expected"),
    [
        ("", "", "which symbol? name one"),
        ("BTCUSD", "", "no symbol is called 'BTCUSD' (nearest: BTCUSDT)"),
        ("BTCUSDT", "7m", "no candles are '7m' long: expected one of 1m 5m"),
    ],
)
async def test_candles_that_can_not_be_are_told(
    scene: Scene, symbol: str, granularity: str, expected: str
) -> None:
    scene.see("candles.last", out())
    scene.views._troubles["lately"] = ""

    assert expected in await scene.text("candles", symbol=symbol, granularity=granularity)
