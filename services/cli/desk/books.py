"""`desk check`: what fills, fees and funding come to, against every balance and position told.

What trades at a venue is compared with the venue's own wallet and positions, too.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from chandler.core.desk.state import AgentState
from chandler.core.events import Event
from chandler.core.trading.broker import BrokerError
from chandler.core.trading.money import ZERO, plus
from chandler.replay.audit.books import Books, check_books
from chandler.streams.exact.restore import OFFSETS_KEY
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.brokers import broker_of
from services.cli.desk import asking
from services.cli.desk.columns import console
from services.cli.desk.venues import VenueBooks, not_compared, venue_books
from services.cli.records.reading import reading
from services.desks import desks
from services.loading import configuration
from services.profile import Profile

app = typer.Typer(no_args_is_help=True)


@app.callback()
def desk() -> None:
    """Looks at the desk's books, and asks something of it."""


@app.command()
def check(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> int:
    """Adds up all fills; status 1 on any difference, or when there is no agent."""
    with reading() as installation:
        profile = configuration(installation).profile
        books = asyncio.run(read_books(installation))
        venues = asyncio.run(_at_venues(installation, profile))
    if as_json:
        typer.echo(msgspec.json.encode(_plain(books, venues)).decode())
    else:
        _show(books, venues)
    return 0 if books.agents and not _difference(books, venues) else 1


def _difference(books: Books, venues: Sequence[VenueBooks]) -> Decimal:
    found = plus(books.difference, *(each.difference for each in venues))
    return found or ZERO  # not 0E-8


async def _at_venues(installation: Installation, profile: Profile) -> list[VenueBooks]:
    """The books of every account that agents trade on, one after the other."""
    found = []
    for desk in desks(profile):
        if desk.kind != "live" or not desk.agents:
            continue
        try:
            broker = broker_of(profile, installation, desk.account)
        except BrokerError as error:
            found.append(not_compared(desk.account, str(error)))
            continue
        found.append(await venue_books(desk.account, broker, lambda: agent_states(installation)))
    return found


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


def _plain(books: Books, venues: Sequence[VenueBooks]) -> dict[str, object]:
    return books._asdict() | {
        "agents": [each._asdict() for each in books.agents],
        "venues": [each._asdict() for each in venues],
        "difference": _difference(books, venues),
    }


def _show(books: Books, venues: Sequence[VenueBooks]) -> None:
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
        console().print(table)
    if books.refusals:
        pairs = " ".join(f"{reason}={count}" for reason, count in books.refusals.items())
        typer.echo(f"refusals: {pairs}")
    for venue in venues:
        if venue.fault:
            typer.echo(f"account {venue.account} was not compared: {venue.fault}", err=True)
        else:
            typer.echo(
                f"account {venue.account} at the venue: wallet {venue.wallet:,}, "
                f"{venue.positions} positions, difference={venue.difference or ZERO}"
            )
    for line in (*books.differences, *(line for venue in venues for line in venue.differences)):
        typer.echo(line, err=True)
    late = f" in_flight={books.in_flight}" if books.in_flight else ""
    typer.echo(
        f"agents={len(books.agents)} fills={books.fills} "
        f"difference={_difference(books, venues)}{late}"
    )
    if not books.agents:
        typer.echo("no agent has traded: run ./chandler up with agents first", err=True)


app.command("agent")(asking.agent)
app.command("close")(asking.close)
app.command("close-all")(asking.close_all)
app.command("resolve")(asking.resolve)
