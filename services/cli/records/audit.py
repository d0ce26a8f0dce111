"""`audit candles`: each slot once, in order, without gaps, equal to a recording."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from chandler.core.events import CandleMissing, CandleSealed
from chandler.core.granularity import INTERVAL_MS
from chandler.replay.audit.candles import CandleAudit, Comparison
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.cli.desk.audit_orders import orders
from services.cli.records.audit_signals import signals
from services.cli.records.reading import reading

app = typer.Typer(no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Checks what stands in the topics."""


@app.command()
def candles(
    against: Annotated[Path | None, typer.Option(help="the recorded 5m candles")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Reads every sealed candle; status 1 on any fault, or when there was nothing to look at."""
    comparison = None if against is None else comparison_with(against)
    with reading() as installation:
        checked = asyncio.run(_read(installation, comparison))
    compared = {} if comparison is None else comparison.finish()
    differing = sum(each.differing for each in compared.values())
    looked = sum(each.candles for each in compared.values())
    well = checked.well and differing == 0 and (comparison is None or looked > 0)
    if as_json:
        report: dict[str, Any] = {
            "candles": checked.candles,
            "resealed": checked.resealed,
            "gaps": checked.gaps,
            "out_of_order": checked.out_of_order,
            "misaligned": checked.misaligned,
            "missing_at_venue": checked.missing_at_venue,
            "symbols": len(checked.symbols),
            "by_granularity": checked.by_granularity,
            "behind": [each._asdict() for each in checked.behind()],
        }
        if comparison is not None:
            report["against"] = {name: each._asdict() for name, each in compared.items()}
            report["skipped"] = comparison.skipped
            report["skipped_symbols"] = len(comparison.skipped_symbols)
        typer.echo(msgspec.json.encode(report).decode())
        return 0 if well else 1
    for fault in [
        *checked.faults,
        *checked.gap_faults(),
        *(comparison.faults if comparison else ()),
    ]:
        typer.echo(fault.line, err=True)
    for behind in checked.behind():
        typer.echo(behind.line, err=True)
    typer.echo(checked.line)
    for granularity, each in compared.items():
        typer.echo(f"{granularity}: candles={each.candles} differing={each.differing}")
    if comparison is not None:
        typer.echo(
            f"not compared: candles={comparison.skipped} "
            f"symbols={len(comparison.skipped_symbols)} (not in the file, or shorter than 5m)"
        )
    if checked.candles == 0 or (comparison is not None and looked == 0):
        typer.echo("nothing was looked at: run ./chandler up for a while first", err=True)
    return 0 if well else 1


def comparison_with(file: Path) -> Comparison:
    """Compares with a recording that is played round and round."""
    from chandler.exchanges.simulator.market import Market
    from chandler.exchanges.simulator.recording import SLOT_MS, read_recording

    market = Market(read_recording(file, None, 0), 0, loop=True)
    return Comparison(
        market.symbols,
        lambda symbol, open_ms: market.recorded(market.index[symbol], open_ms // SLOT_MS),
    )


async def _read(installation: Installation, comparison: Comparison | None) -> CandleAudit:
    checked = CandleAudit()
    names = [f"candles.{granularity}" for granularity in INTERVAL_MS]
    async for record in read_topics(installation, names):
        if isinstance(record.event, CandleSealed | CandleMissing):
            checked.take(record.event)
            if comparison is not None:
                comparison.take(record.event)
    return checked


app.command("signals")(signals)
app.command("orders")(orders)
