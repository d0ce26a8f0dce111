"""`desk check`: what fills, fees and funding come to, against every balance and position told."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from chandler.core.desk.state import AgentState
from chandler.core.events import Event
from chandler.replay.books import Books, check_books
from chandler.streams.exact.restore import OFFSETS_KEY
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.cli.desk import asking
from services.cli.records.reading import reading

app = typer.Typer(no_args_is_help=True)


@app.callback()
def desk() -> None:
    """Looks at the desk's books, and asks something of it."""


@app.command()
def check(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> int:
    """Adds up all fills; status 1 on any difference, or when there is no agent."""
    with reading() as installation:
        books = asyncio.run(read_books(installation))
    if as_json:
        typer.echo(msgspec.json.encode(_plain(books)).decode())
    else:
        _show(books)
    return 0 if books.agents and not books.difference else 1


async def read_books(installation: Installation) -> Books:
    """Reads positions, then orders, then the desk's state (so that what is due is there)."""
    positions = await _events(installation, "positions")
    balances = {state.agent: state.balance for state in await agent_states(installation)}
    orders = await _events(installation, "orders")
    told = {state.agent: state.balance for state in await agent_states(installation)}
    return check_books(positions, orders, told if told == balances else None)


async def _events(installation: Installation, topic: str) -> list[Event]:
    return [
        record.event
        async for record in read_topics(installation, [topic])
        if record.event is not None
    ]


async def agent_states(installation: Installation) -> list[AgentState]:
    """The desk's newest state of every agent."""
    newest: dict[tuple[int, str], bytes] = {}
    async for record in read_topics(installation, ["desk.state"]):
        if record.raw is not None and not record.key.startswith(OFFSETS_KEY[0]):
            newest[record.partition, record.key] = record.raw
    return [msgspec.json.decode(raw, type=AgentState) for raw in newest.values()]


def _plain(books: Books) -> dict[str, object]:
    agents = [each._asdict() for each in books.agents]
    return books._asdict() | {"agents": agents}


def _show(books: Books) -> None:
    table = Table(box=None)
    table.add_column("agent", no_wrap=True)
    for heading in ("fills", "open", "start", "realised", "fees", "funding", "balance"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in books.agents:
        table.add_row(
            each.agent,
            str(each.fills),
            str(each.open_positions),
            *(f"{each.start:,.2f}", f"{each.realised:,.2f}", f"{each.fees:,.2f}"),
            *(f"{each.funding:,.2f}", f"{each.balance:,.2f}"),
        )
    if books.agents:
        Console().print(table)
    if books.refusals:
        pairs = " ".join(f"{reason}={count}" for reason, count in books.refusals.items())
        typer.echo(f"refusals: {pairs}")
    for line in books.differences:
        typer.echo(line, err=True)
    late = f" in_flight={books.in_flight}" if books.in_flight else ""
    typer.echo(
        f"agents={len(books.agents)} fills={books.fills} difference={books.difference}{late}"
    )
    if not books.agents:
        typer.echo("no agent has traded: run ./chandler up with agents first", err=True)


app.command("agent")(asking.agent)
app.command("close")(asking.close)
app.command("close-all")(asking.close_all)
app.command("resolve")(asking.resolve)
