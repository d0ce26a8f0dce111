"""`audit signals`: every recorded signal recomputed from the candle topics, byte for byte."""

import asyncio
from collections import defaultdict
from typing import Annotated, Any

import msgspec
import typer

from chandler.core.events import Candle, CandleMissing, CandleSealed, MatrixRow, Signal
from chandler.core.granularity import INTERVAL_MS
from chandler.replay.audit.recompute import SignalAudit, audit
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services import plugins
from services.cli.records.reading import reading
from services.loading import configuration
from services.profile import Profile


def signals(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Recomputes all signals from candles.*; status 1 on any difference, or when there are none."""
    with reading() as installation:
        checked = asyncio.run(audit_signals(installation, configuration(installation).profile))
    if as_json:
        typer.echo(msgspec.json.encode(checked._asdict()).decode())
    else:
        for line in checked.differences:
            typer.echo(line, err=True)
        typer.echo(
            f"signals={checked.signals} mismatches={checked.mismatches} "
            f"duplicated={checked.duplicated} missing={checked.missing} "
            f"not_compared={checked.not_compared} digest={checked.digest}"
        )
    if checked.signals == 0:
        other = f"{checked.not_compared} signals are of other code or configurations; "
        typer.echo(
            f"nothing was looked at: {other if checked.not_compared else ''}"
            "run ./chandler up for a while first",
            err=True,
        )
    faults = checked.mismatches + checked.duplicated + checked.missing
    return 0 if checked.signals and not faults else 1


async def audit_signals(installation: Installation, profile: Profile) -> SignalAudit:
    """Reads matrix, then signals, then candles (so that what is due is there), and compares."""
    loaded = plugins.load()
    engines = plugins.resolve(profile, loaded)
    matrix = await _events(installation, ["matrix"], MatrixRow)
    recorded = await _events(installation, ["signals"], Signal)
    lanes: defaultdict[tuple[str, str], list[Candle]] = defaultdict(list)
    names = [f"candles.{granularity}" for granularity in INTERVAL_MS]
    async for record in read_topics(installation, names):
        if isinstance(record.event, CandleSealed | CandleMissing):
            lanes[record.event.symbol, record.event.granularity].append(record.event)
    return audit(lanes.values(), matrix, recorded, engines, code=plugins.code_hash())


async def _events(installation: Installation, names: list[str], kind: type[Any]) -> list[Any]:
    return [
        record.event
        async for record in read_topics(installation, names)
        if isinstance(record.event, kind)
    ]
