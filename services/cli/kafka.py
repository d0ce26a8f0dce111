"""`kafka start|stop|status`: the embedded Kafka by hand. `up` starts and ends it by itself."""

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from chandler.streams import embedded
from chandler.streams.settings import Installation
from services.runner import installed

FAILED = 1

app = typer.Typer(no_args_is_help=True)


class KafkaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`kafka status --json`."""

    running: bool
    embedded: bool
    brokers: str
    pid: int | None
    data: str  # directory; "" where Kafka isn't ours
    data_bytes: int
    users: list[int]  # processes that hold it


@app.command()
def start() -> None:
    """Starts it, and leaves it running until `kafka stop`."""
    installation = installed()
    note = Console(stderr=True)
    embedded.keep_running(installation, lambda line: note.print(line, style="dim", highlight=False))
    found = _found(installation)
    process = f" (process {found.pid})" if found.pid else ""
    typer.echo(f"Kafka runs at {found.brokers}{process}")


@app.command()
def stop(
    force: Annotated[bool, typer.Option("--force", help="even if it is in use")] = False,
) -> int:
    """Ends it; what it holds stays for the next start."""
    installation = installed()
    if not installation.embedded:
        typer.echo(f"Kafka at {installation.brokers} is not ours to end (CHANDLER_BROKERS)")
        return FAILED
    users = embedded.users(installation)
    if users and not force:
        listed = ", ".join(map(str, users))
        typer.echo(f"Kafka is in use by process {listed}: end that first, or say --force", err=True)
        return FAILED
    typer.echo("Kafka ended" if embedded.stop(installation) else "Kafka was not running")
    return 0


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Whether it runs, where, and how much it holds; status 1 if it does not run."""
    found = _found(installed())
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        Console().print(_table(found))
    return 0 if found.running else FAILED


def _found(installation: Installation) -> KafkaStatus:
    if not installation.embedded:
        return KafkaStatus(
            running=_answers(installation),
            embedded=False,
            brokers=installation.bootstrap,
            pid=None,
            data="",
            data_bytes=0,
            users=[],
        )
    now = embedded.status(installation)
    return KafkaStatus(
        running=now.running,
        embedded=True,
        brokers=f"127.0.0.1:{now.port}",
        pid=now.pid,
        data=str(installation.data),
        data_bytes=now.data_bytes,
        users=embedded.users(installation),
    )


def _answers(installation: Installation) -> bool:
    try:
        embedded.ensure_running(installation)
    except embedded.EmbeddedKafkaError:
        return False
    return True


def _table(found: KafkaStatus) -> Table:
    table = Table(show_header=False, box=None)
    table.add_row("running", "[green]yes[/]" if found.running else "[red]no[/]")
    table.add_row("brokers", found.brokers)
    if found.embedded:
        table.add_row("process", str(found.pid or "-"))
        table.add_row("used by", ", ".join(map(str, found.users)) or "-")
        table.add_row("data", f"{found.data} ({found.data_bytes / 1e6:.1f} MB)")
    return table
