"""`positions`: what is open now, at its newest mark."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from chandler.streams.settings import Installation
from services.cli.desk.columns import age, console, exact, rough, side, signed, table
from services.cli.records.reading import reading
from services.runner import installed
from services.showing.standing import OpenRow, standing, watched


def positions(
    agent: Annotated[str, typer.Option(help="only of this one")] = "",
    symbol: Annotated[str, typer.Option(help="only in this one")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="until Ctrl-C")] = False,
) -> int:
    """Shows open positions; none is well, too."""
    wanted = (agent, symbol.upper())
    if watch and not as_json:
        asyncio.run(_watch(installed(), wanted))
        return 0
    with reading() as installation:
        rows = asyncio.run(standing(installation)).open_rows(*wanted)
    if as_json:
        found = [row._asdict() for row in rows]
        typer.echo(msgspec.json.encode({"positions": found}).decode())
    elif rows:
        console().print(as_table(rows))
    else:
        typer.echo("nothing is open")
    return 0


async def _watch(installation: Installation, wanted: tuple[str, str]) -> None:
    with Live(as_table([]), console=Console(), refresh_per_second=4) as live:
        async for found in watched(installation):
            live.update(as_table(found.open_rows(*wanted)))


def as_table(rows: list[OpenRow]) -> Table:
    """For people."""
    made = table(
        ("agent", "symbol", "side"),
        ("size", "entry", "mark", "unrealised", "stop", "leverage", "adds", "age"),
        "opened by",
    )
    for row in rows:
        made.add_row(
            row.agent,
            row.symbol,
            side(row.side),
            exact(row.size),
            rough(row.entry),
            exact(row.mark),
            signed(row.unrealised),
            exact(row.stop),
            f"{row.leverage}x",
            str(row.adds),
            age(row.age_ms),
            row.source + (" (closing)" if row.closing else ""),
        )
    return made
