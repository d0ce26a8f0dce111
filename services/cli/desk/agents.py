"""`agents`: every agent with its switches, balance, PnL and what it has open."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chandler.core.trading.agents import AgentConfig
from chandler.streams.settings import Installation
from services.cli.desk.columns import console, money, signed, table
from services.cli.records.reading import reading
from services.loading import configuration
from services.runner import installed
from services.showing.standing import Row, standing, watched


def agents(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="until Ctrl-C")] = False,
) -> int:
    """Shows the agents; status 1 if there are none."""
    if watch and not as_json:
        installation = installed()
        asyncio.run(_watch(installation, configuration(installation).profile.agents))
        return 0
    with reading() as installation:
        configured = configuration(installation).profile.agents
        rows = asyncio.run(standing(installation)).rows(configured)
    if as_json:
        found = {row.agent: row._asdict() for row in rows}
        typer.echo(msgspec.json.encode({"agents": found}).decode())
    elif rows:
        console().print(as_table(rows))
    else:
        typer.echo("no agents: set agents.NAME in the profile, see docs/trading-modes.md", err=True)
    return 0 if rows else 1


async def _watch(installation: Installation, configured: dict[str, AgentConfig]) -> None:
    with Live(as_table([]), console=Console(), refresh_per_second=4) as live:
        async for found in watched(installation):
            live.update(as_table(found.rows(configured)))


def as_table(rows: list[Row]) -> Table:
    """For people."""
    made = table(
        ("agent", "mode", "trades", "engines", "on"),
        ("balance", "today", "in all", "unrealised", "open", "orders", "entries today"),
        "blocked",
    )
    for row in rows:
        account = "" if row.account == row.agent else f" {row.account}"
        made.add_row(
            row.agent,
            f"{row.mode}{account}",
            row.trading_mode,
            _engines(row),
            _switches(row),
            money(row.balance),
            signed(row.pnl_today),
            signed(row.pnl),
            signed(row.unrealised),
            *(str(count) for count in (row.positions, row.orders, row.entries_today)),
            Text(row.blocked, style="red"),
        )
    return made


def _engines(row: Row) -> str:
    paused = f" (paused: {' '.join(row.paused)})" if row.paused else ""
    return (" ".join(row.engines) or "all") + paused


def _switches(row: Row) -> Text:
    """What is off; or that all is on."""
    off = [key.replace("|", " ") for key, on in row.switches.items() if not on]
    if not off:
        return Text("all", style="green")
    return Text(f"off: {', '.join(off)}", style="yellow")
