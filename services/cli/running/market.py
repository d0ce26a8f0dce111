"""`market`: movers, leaders, breadth and volatility by window, live."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from chandler.core.events import MarketView
from chandler.core.granularity import utc
from chandler.streams.reader import follow_batches, read_topics
from chandler.streams.settings import Installation
from services.cli.records.reading import reading
from services.runner import installed

RANKS_SHOWN = 5
WINDOWS = ("5m", "1h", "24h")


def market(
    once: Annotated[bool, typer.Option("--once", help="the newest, then end")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the newest, for programs")] = False,
) -> int:
    """Shows the market until Ctrl-C."""
    if once or as_json:
        with reading() as installation:
            views = asyncio.run(_newest(installation))
        if as_json:
            typer.echo(msgspec.json.encode({"market": views}).decode())
        else:
            Console().print(_picture(views))
        return 0 if views else 1
    asyncio.run(_live())
    return 0


async def _newest(installation: Installation) -> dict[str, MarketView]:
    views: dict[str, MarketView] = {}
    async for record in read_topics(installation, ["market"]):
        if isinstance(record.event, MarketView):
            views[record.event.window] = record.event
    return views


async def _live() -> None:
    views = await _newest(installed())
    with Live(_picture(views), console=Console(), auto_refresh=False) as live:
        async for batch in follow_batches(installed(), ["market"]):
            for record in batch:
                if isinstance(record.event, MarketView):
                    views[record.event.window] = record.event
            if batch:
                live.update(_picture(views), refresh=True)


def _picture(views: dict[str, MarketView]) -> RenderableType:
    known = sorted(views, key=lambda name: (WINDOWS.index(name) if name in WINDOWS else 9, name))
    if not known:
        return Panel("nothing yet: the views come with the first closes after ./chandler up")
    return Columns([_panel(views[name]) for name in known])


def _panel(view: MarketView) -> Panel:
    table = Table("rank", "up", "down", "volume", "volatility", box=None)
    lists = (view.movers_up, view.movers_down, view.leaders, view.volatility)
    formats = ("{:+.2%}", "{:+.2%}", "{:,.0f}", "{:.3%}")
    for rank in range(min(RANKS_SHOWN, max(map(len, lists)))):
        cells = [
            f"{ranked[rank][0]} {form.format(ranked[rank][1])}" if rank < len(ranked) else ""
            for ranked, form in zip(lists, formats, strict=True)
        ]
        table.add_row(str(rank + 1), *cells)
    breadth = f"up {view.up:.0%}  down {view.down:.0%}  above EMA {view.above_ema:.0%}"
    title = f"{view.window} · {utc(view.at)} · {view.symbols} symbols"
    return Panel(table, title=title, subtitle=breadth)
