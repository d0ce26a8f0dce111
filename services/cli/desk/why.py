"""`why ORDER`: the chain from a fill back to the candles, each link looked at again."""

import asyncio
import time
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from services.cli.desk.columns import console
from services.cli.ledger.reading import ledger_url
from services.cli.records.reading import reading
from services.loading import configuration
from services.showing.tracing import Found
from services.showing.why import asked_of, explained


def why(
    order: Annotated[str, typer.Argument(help="an order's or trade's id, or its beginning")],
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Explains an order; status 1 if a link is not as it should be."""
    with reading() as installation:
        asked = asked_of(configuration(installation).profile, order)
        began = time.perf_counter()
        found = asyncio.run(explained(installation, asked, ledger_url(), _echo))
        seconds = time.perf_counter() - began
    unchecked = sum(bool(link.unchecked) for link in found.links)
    if as_json:
        links = [link._replace(event=None)._asdict() for link in found.links]
        report = {"order": found.order, "links": links, "differing": found.differing}
        typer.echo(msgspec.json.encode(report | {"seconds": round(seconds, 3)}).decode())
    else:
        console().print(_table(found))
        typer.echo(
            f"order={found.order} links={len(found.links)} differing={found.differing} "
            f"unchecked={unchecked} lookup={seconds:.2f} s"
        )
    return 1 if found.differing else 0


def _echo(line: str) -> None:
    typer.echo(line, err=True)


def _table(found: Found) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    table.add_column(no_wrap=True, style="dim")
    for link in found.links:
        said = Text("\n".join(link.says))
        for fault in link.faults:
            said.append(f"\ndiffers: {fault}", style="red")
        for each in link.unchecked:
            said.append(f"\nnot checked: {each}", style="yellow")
        table.add_row(_name(link.name, bool(link.faults), bool(link.unchecked)), said, link.place)
    return table


def _name(name: str, faulty: bool, unchecked: bool) -> Text:
    style = "red" if faulty else "yellow" if unchecked else "green"
    mark = "differs" if faulty else "?" if unchecked else "ok"
    return Text(f"{name:<15} {mark}", style=style)
