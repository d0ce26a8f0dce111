"""What an import or a fetch has to say: lines and a table for people, JSON for programs."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import typer
from rich.table import Table

from chandler.core.granularity import by_length, interval_ms, utc
from chandler.replay.history.lanes import Plan
from chandler.replay.history.sheet import Note
from services.cli.desk.columns import console
from services.history.gathering import Gathered
from services.history.standing import Lane

LINES_MAX = 20  # of one kind; the rest is counted


def say(text: str) -> None:
    """A line beside the result."""
    typer.echo(f"chandler: {text}", err=True)


def lines(texts: Iterable[str]) -> None:
    """The first of them, and how many more there are."""
    listed = list(texts)
    for text in listed[:LINES_MAX]:
        say(text)
    if len(listed) > LINES_MAX:
        say(f"… and {len(listed) - LINES_MAX} more: --json has all of them")


def result(
    found: Gathered,
    plans: Mapping[Lane, Plan],
    published: int,
    seconds: float,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """What became of the files."""
    totals = {
        "candles": sum(each.sealed for each in plans.values()),
        "missing": sum(each.missing for each in plans.values()),
        "skipped": sum(each.same for each in plans.values()),
        "symbols": len({lane.symbol for lane in plans}),
        "refused": len(found.refused) + found.unknown,
        "files": found.files,
    }
    if as_json:
        report: dict[str, Any] = {
            **totals,
            "dry_run": dry_run,
            "seconds": round(seconds, 3),
            "formats": found.formats,
            "lanes": [_lane(lane, each) for lane, each in sorted(plans.items())],
            "faults": [fault._asdict() for fault in found.faults],
            "notes": [note._asdict() for note in found.notes],
        }
        typer.echo(msgspec.json.encode(report).decode())
        return
    lines(_together(found.notes))
    lines(fault.line for fault in found.faults)
    if plans:
        console().print(_table(plans))
    rate = f" per_second={published / seconds:.0f}" if published and seconds else ""
    would = "would import: " if dry_run else ""
    typer.echo(would + " ".join(f"{name}={number}" for name, number in totals.items()) + rate)


def _together(notes: Iterable[Note]) -> list[str]:
    """A line for each thing that was done, however many files it was done to."""
    sources: dict[str, list[str]] = {}
    for note in notes:
        sources.setdefault(note.text, []).append(note.source)
    return [
        Note(files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else ""), text).line
        for text, files in sources.items()
    ]


def _lane(lane: Lane, each: Plan) -> dict[str, Any]:
    opens = each.series.open_ms
    return {
        "symbol": lane.symbol,
        "granularity": lane.granularity,
        "from_ms": int(opens[0]),
        "to_ms": int(opens[-1]) + interval_ms(lane.granularity),
        "candles": each.sealed,
        "missing": each.missing,
        "skipped": each.same,
        "source": each.series.source,
    }


def _table(plans: Mapping[Lane, Plan]) -> Table:
    names = ("candles", "symbols", "from (UTC)", "to (UTC)", "new", "missing", "skipped")
    table = Table(*names, box=None)
    for column in table.columns[4:]:
        column.justify = "right"
    for granularity in by_length({lane.granularity for lane in plans}):
        those = [each for lane, each in plans.items() if lane.granularity == granularity]
        table.add_row(
            granularity,
            str(len(those)),
            utc(min(int(each.series.open_ms[0]) for each in those)),
            utc(max(int(each.series.open_ms[-1]) for each in those) + interval_ms(granularity)),
            f"{sum(each.sealed for each in those):,}",
            f"{sum(each.missing for each in those):,}",
            f"{sum(each.same for each in those):,}",
        )
    return table
