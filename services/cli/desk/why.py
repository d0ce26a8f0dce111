"""`why ORDER`: the chain from a fill back to the candles, each link looked at again."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from chandler.core.engine import ResolvedEngine
from chandler.streams.lookup import Lookup
from chandler.streams.settings import Installation
from services import plugins
from services.cli.desk.columns import console
from services.cli.desk.places import LedgerPlaces, OrderError, Places, ReadPlaces, one_of
from services.cli.desk.tracing import Found, Tracer
from services.cli.ledger.reading import ledger
from services.cli.records.reading import reading
from services.ledger.errors import LedgerError
from services.loading import configuration


class Asked:
    """A question, and how long its answer took."""

    def __init__(self, installation: Installation, text: str) -> None:
        profile = configuration(installation).profile
        self.engines: dict[str, ResolvedEngine] = {
            engine.name: engine for engine in plugins.resolve(profile)
        }
        self.code = plugins.code_hash()
        self.installation = installation
        self.text = text
        self.seconds = 0.0

    async def answer(self, places: Places | None, why_not: str) -> Found:
        """Through the ledger; where it does not know the order, by reading topic orders."""
        began = time.perf_counter()
        try:
            named = [] if places is None else places.named(self.text)
            if places is not None and named:
                order = one_of(named, self.text)
                with contextlib.suppress(OrderError):  # its places are not those of this Kafka
                    return await self._traced(order, places)
            typer.echo(f"{why_not}: reading topic orders from end to end", err=True)
            read = await ReadPlaces.read(self.installation, self.text)
            return await self._traced(one_of(read.named(self.text), self.text), read)
        finally:
            self.seconds = time.perf_counter() - began

    async def _traced(self, order: str, places: Places) -> Found:
        async with Lookup(self.installation) as lookup:
            return await Tracer(lookup, places, self.engines, code=self.code).order(order)


def why(
    order: Annotated[str, typer.Argument(help="an order's or trade's id, or its beginning")],
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Explains an order; status 1 if a link is not as it should be."""
    with reading() as installation, _ledger() as (places, why_not):
        asked = Asked(installation, order)
        found = asyncio.run(asked.answer(places, why_not))
    unchecked = sum(bool(link.unchecked) for link in found.links)
    if as_json:
        links = [link._asdict() for link in found.links]
        report = {"order": found.order, "links": links, "differing": found.differing}
        typer.echo(msgspec.json.encode(report | {"seconds": round(asked.seconds, 3)}).decode())
    else:
        console().print(_table(found))
        typer.echo(
            f"order={found.order} links={len(found.links)} differing={found.differing} "
            f"unchecked={unchecked} lookup={asked.seconds:.2f} s"
        )
    return 1 if found.differing else 0


@contextlib.contextmanager
def _ledger() -> Iterator[tuple[Places | None, str]]:
    """The ledger's places, and what is to be said where they don't lead to the order."""
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(ledger())
        except LedgerError as error:
            found: tuple[Places | None, str] = (None, " ".join(str(error).split()))
        else:
            found = (LedgerPlaces(connection), "the ledger does not know it (yet)")
        yield found


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
