"""`status`: every service's readiness, lag and age, from its own endpoint."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from chandler.streams.settings import Installation
from chandler.streams.telemetry.health import ask_ready
from services.cli.running.state import read_state
from services.loading import configuration
from services.runner import installed
from services.topology import Worker, http_port, workers_of

REFRESH_S = 1.0
ANSWER_S_MAX = 2.0


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `status --json`."""

    ready: bool
    state: str
    pid: int | None
    lag: int | None
    age_s: float | None


async def gather(installation: Installation, workers: list[Worker]) -> dict[str, ServiceStatus]:
    """Asks all of them at once."""
    ports = [http_port(installation, worker) for worker in workers]
    answers = await asyncio.gather(*(ask_ready("127.0.0.1", port, ANSWER_S_MAX) for port in ports))
    found = {}
    for worker, answer in zip(workers, answers, strict=True):
        if answer is None or answer.service != worker.service:
            found[worker.name] = ServiceStatus(
                ready=False, state="not running", pid=None, lag=None, age_s=None
            )
            continue
        found[worker.name] = ServiceStatus(
            ready=answer.ready,
            state=answer.state,
            pid=answer.pid,
            lag=answer.lag,
            age_s=answer.age_s,
        )
    return found


def _workers(installation: Installation) -> list[Worker]:
    state = read_state(installation)
    if state is not None:
        return [Worker(entry.service, entry.instance) for entry in state.workers]
    return workers_of(configuration(installation).profile)


def as_table(services: dict[str, ServiceStatus]) -> Table:
    """For people."""
    table = Table("service", "ready", "state", "pid", "lag", "age", box=None)
    for name, entry in services.items():
        table.add_row(
            name,
            "[green]yes[/]" if entry.ready else "[red]no[/]",
            entry.state,
            str(entry.pid or "-"),
            "-" if entry.lag is None else str(entry.lag),
            "-" if entry.age_s is None else f"{entry.age_s:.1f} s",
        )
    return table


def status(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="until Ctrl-C")] = False,
) -> int:
    """Shows every service; status 0 if all of them are ready."""
    installation = installed()
    workers = _workers(installation)
    if watch and not as_json:
        asyncio.run(_watch(installation, workers))
        return 0
    services = asyncio.run(gather(installation, workers))
    if as_json:
        typer.echo(msgspec.json.encode({"services": services}).decode())
    else:
        Console().print(as_table(services))
    return 0 if services and all(entry.ready for entry in services.values()) else 1


async def _watch(installation: Installation, workers: list[Worker]) -> None:
    with Live(as_table({}), console=Console(), refresh_per_second=4) as live:
        while True:
            live.update(as_table(await gather(installation, workers)))
            await asyncio.sleep(REFRESH_S)
