"""`crashes`: ends of services that nobody asked for, with what they said last."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from services.cli.desk.columns import console, table
from services.exits import WELL
from services.runner import installed
from services.topology import ORDER
from services.watchdog.crashes import Crash, file_of
from services.watchdog.crashes import crashes as kept

SHOWN = 20


def crashes(
    service: Annotated[str, typer.Option(help="only of this one")] = "",
    limit: Annotated[int, typer.Option(help="the newest; 0: all", min=0)] = SHOWN,
    lines: Annotated[bool, typer.Option("--lines", help="with the last lines of each log")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Shows which services ended by themselves, why, and when they were started again."""
    installation = installed()
    if service and service not in ORDER:
        raise typer.BadParameter(f"no service is called {service!r}: there are {' '.join(ORDER)}")
    found = [each for each in kept(installation) if service in ("", each.service)]
    shown = found[-limit:] if limit else found
    if as_json:
        typer.echo(msgspec.json.encode({"crashes": len(found), "shown": shown}).decode())
        return WELL
    wide = console()
    if shown:
        listed = table(("at", "service", "what", "why"), ("lived", "again after"))
        for each in shown:
            listed.add_row(*_row(each))
        wide.print(listed)
    for each in shown if lines else []:
        wide.print(f"{each.worker}, {_at(each)}:", style="bold")
        for line in each.lines:
            wide.print(f"  {line}", markup=False, highlight=False)
    typer.echo(f"crashes={len(found)} kept={file_of(installation)}")
    return WELL


def _row(each: Crash) -> tuple[str, ...]:
    again = "-" if each.again_s is None else f"{each.again_s:.1f} s"
    what = each.what.replace("_", " ")
    return (_at(each), each.worker, what, each.reason, f"{each.lived_s:.1f} s", again)


def _at(each: Crash) -> str:
    return datetime.fromtimestamp(each.at / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
