"""`audit orders`: every decision of the desk again, from its journal, byte for byte."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import typer

from chandler.core.desk.config import Desk, DeskError, parse
from chandler.core.events import ConfigRecorded
from chandler.core.trading.events import DeskTaken, OrdersOut, PumpState
from chandler.core.trading.modes import TradingMode
from chandler.replay.audit.desk import Auditor, DeskAudit
from chandler.replay.audit.verdict import EVER, Bounds
from chandler.streams.catalogue import topic
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services import plugins
from services.cli.records.reading import reading
from services.desks import desks
from services.loading import configuration
from services.profile import Profile

ORDER_TYPES = {event.__name__ for event in topic("orders").events if event is not OrdersOut}


def orders(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Decides all of topic desk again; status 1 on any difference, or when there is nothing."""
    with reading() as installation:
        found = asyncio.run(audit_orders(installation, configuration(installation).profile))
    if as_json:
        typer.echo(msgspec.json.encode(found._asdict() | {"well": found.well}).decode())
        return 0 if found.well else 1
    for line in found.differences:
        typer.echo(line, err=True)
    typer.echo(found.line)
    if not found.decisions:
        other = f"{found.not_compared} decisions are of other code or configurations; "
        typer.echo(
            f"nothing was looked at: {other if found.not_compared else ''}"
            "run ./chandler up for a while first",
            err=True,
        )
    return 0 if found.well else 1


async def audit_orders(installation: Installation, profile: Profile) -> DeskAudit:
    """Reads all that the desk did and decides it again."""
    return (await audited(installation, profile)).finish()


async def audited(installation: Installation, profile: Profile, bounds: Bounds = EVER) -> Auditor:
    """Reads configs, desk, then orders, then pumps (so that what is due is there)."""
    known = Configurations(profile)
    async for record in read_topics(installation, ["configs"]):
        if isinstance(record.event, ConfigRecorded):
            known.texts[record.event.hash] = record.event.text
    code = plugins.code_hash()
    auditor = Auditor(known, code=code, order_types=ORDER_TYPES, bounds=bounds)
    async for record in read_topics(installation, ["desk"]):
        if isinstance(record.event, DeskTaken):
            auditor.journalled(record.event)
    async for record in read_topics(installation, ["orders"]):
        if record.event is not None and not isinstance(record.event, OrdersOut):
            auditor.ordered(*place_of(record.headers), record.raw or b"")
    async for record in read_topics(installation, ["pumps"]):
        if isinstance(record.event, PumpState):
            auditor.pumped(record.event)
    return auditor


def place_of(headers: Mapping[str, bytes]) -> tuple[int, int]:
    """Shard and seq of the journal record that an order event names; (-1, 0): none."""
    parts = headers.get("in", b"").decode(errors="replace").split("/")
    if len(parts) != 3 or parts[0] != "desk" or not (parts[1].isdigit() and parts[2].isdigit()):
        return -1, 0
    return int(parts[1]), int(parts[2])


class Configurations:
    """Shards of the desk by the hash of their configuration: today's, and recorded ones."""

    def __init__(self, profile: Profile) -> None:
        loaded = plugins.load()
        self._modes: Mapping[str, TradingMode[Any]] = loaded.modes
        self._known: dict[str, Desk | None] = {each.hash: each for each in desks(profile, loaded)}
        self.texts: dict[str, str] = {}  # of topic configs, by their hash

    def __call__(self, name: str) -> Desk | None:
        if name not in self._known:
            self._known[name] = self._parsed(self.texts.get(name))
        return self._known[name]

    def _parsed(self, text: str | None) -> Desk | None:
        if text is None:
            return None
        try:
            return parse(text, self._modes)
        except DeskError:
            return None
