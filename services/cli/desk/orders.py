"""`orders`: the newest orders with what became of them, or the newest refusals with reasons."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from chandler.core.trading.events import Refusal
from services.cli.desk.columns import console, exact, money, rough, side, table, time_of
from services.cli.records.reading import reading
from services.showing.orders import Life, Wanted, newest_orders, newest_refusals

STATES = {"filled": "green", "refused": "red", "expired": "red", "unknown": "yellow"}


def orders(
    agent: Annotated[str, typer.Option(help="only of this one")] = "",
    symbol: Annotated[str, typer.Option(help="only in this one")] = "",
    limit: Annotated[int, typer.Option(help="at most so many", min=1)] = 20,
    refusals: Annotated[bool, typer.Option("--refusals", help="what was not ordered")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Shows the newest orders, or refusals; status 1 if there are none."""
    wanted = Wanted(agent, symbol.upper(), limit)
    with reading() as installation:
        if refusals:
            refused = asyncio.run(newest_refusals(installation, wanted))
            return _print("refusals", refused, _refusals_table(refused), as_json=as_json)
        found = asyncio.run(newest_orders(installation, wanted))
    plain = [each._asdict() for each in found]
    return _print("orders", plain, _orders_table(found), as_json=as_json)


def _print(what: str, found: Sequence[Any], shown: Table, *, as_json: bool) -> int:
    if as_json:
        typer.echo(msgspec.json.encode({what: found}).decode())
    elif found:
        console().print(shown)
    else:
        typer.echo(f"no {what} yet: run ./chandler up with agents, and wait for a signal", err=True)
    return 0 if found else 1


def _orders_table(found: list[Life]) -> Table:
    made = table(
        ("requested (UTC)", "order", "agent", "symbol", "what", "side", "state"),
        ("size", "filled", "price", "fees"),
        "why",
    )
    for each in found:
        state = f"{each.state}, {each.fault}" if each.fault else each.state
        made.add_row(
            time_of(each.at),
            each.id[:10],
            each.agent,
            each.symbol,
            f"{each.action} {each.leg}",
            side(each.side),
            Text(state, style="red" if each.fault else STATES.get(each.state, "")),
            *(exact(each.size), exact(each.filled), rough(each.price), money(each.fees)),
            f"{each.source}: {each.told}" if each.told else each.source,
        )
    return made


def _refusals_table(found: list[Refusal]) -> Table:
    made = table(
        ("at (UTC)", "agent", "symbol", "side", "reason", "source"),
        (),
        "what was expected, what was found",
    )
    for each in found:
        made.add_row(
            time_of(each.at),
            each.agent,
            each.symbol,
            side(each.side),
            Text(each.reason, style="yellow"),
            each.source,
            each.detail,
        )
    return made
