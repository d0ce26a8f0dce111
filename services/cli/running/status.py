"""`status`: every service's readiness, lag and age, from its own endpoint."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from chandler.streams.settings import Installation
from services.cli.running.state import states
from services.loading import configuration
from services.runner import installed
from services.showing.readiness import ServiceStatus, gather
from services.topology import Worker, workers_of

REFRESH_S = 1.0


def workers_here(installation: Installation) -> list[Worker]:
    """Of every `up` here, one that was killed among them: what it ran does not run."""
    kept = states(installation)
    if any(each.runs for each in kept):
        return [Worker(entry.service, entry.instance) for each in kept for entry in each.workers]
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
    workers = workers_here(installation)
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
