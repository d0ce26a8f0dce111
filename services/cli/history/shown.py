"""What an import or a fetch has to say: lines and a table for people, JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from chandler.core.granularity import by_length, interval_ms, utc
from chandler.replay.history.lanes import Plan
from services.cli.desk.columns import console
from services.history.gathering import Gathered, together
from services.history.standing import Lane

LINES_MAX = 20  # of one kind; the rest is counted


class _Refused(NamedTuple):
    """Nothing of it goes out."""

    symbol: str  # empty: a file whose symbols nobody knows
    source: str
    cause: str


def say(text: str) -> None:
    """A line beside the result."""
    typer.echo(f"chandler: {text}", err=True)


def warn(texts: Iterable[str]) -> None:
    """What a person has to see before the work begins."""
    lines(f"warning: {text}" for text in texts)


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
    refused = _refused(found)
    if as_json:
        report: dict[str, Any] = {
            **totals,
            "dry_run": dry_run,
            "seconds": round(seconds, 3),
            "formats": found.formats,
            "lanes": [
                *(_lane(lane, each) for lane, each in sorted(plans.items())),
                *(_no_lane(each) for each in refused),
            ],
            "faults": [fault._asdict() for fault in found.faults],
            "notes": [note._asdict() for note in found.notes],
        }
        typer.echo(msgspec.json.encode(report).decode())
        return
    lines(together(found.notes))
    lines(fault.line for fault in found.faults)
    if plans or refused:
        console().print(_table(plans, refused))
    rate = f" per_second={published / seconds:.0f}" if published and seconds else ""
    would = "would import: " if dry_run else ""
    typer.echo(would + " ".join(f"{name}={number}" for name, number in totals.items()) + rate)


def _refused(found: Gathered) -> list[_Refused]:
    """Each refused symbol, or file of unknown symbols, with its first cause."""
    known: dict[str, _Refused] = {}
    for fault in found.faults:
        each = _Refused(fault.symbol, fault.source, fault.cause)
        known.setdefault(fault.symbol or fault.source, each)
    return list(known.values())


def _no_lane(each: _Refused) -> dict[str, Any]:
    """A row of the same keys as a lane's."""
    unknown = dict.fromkeys(("granularity", "from_ms", "to_ms"))
    none = dict.fromkeys(("candles", "missing", "skipped"), 0)
    words = {"symbol": each.symbol or None, "source": each.source, "refused": each.cause}
    return {**words, **unknown, **none}


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
        "refused": None,
    }


def _table(plans: Mapping[Lane, Plan], refused: Sequence[_Refused]) -> Table:
    names = ("candles", "symbols", "from (UTC)", "to (UTC)", "new", "missing", "skipped")
    table = Table(*names, *(["cause"] if refused else []), box=None)
    for column in table.columns[4:7]:
        column.justify = "right"
    for column in table.columns[:7]:
        column.no_wrap = True
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
    for row in refused[:LINES_MAX]:
        cells = ("refused", row.symbol or PurePath(row.source).name, *[""] * 5, row.cause)
        table.add_row(*map(escape, cells))
    if len(refused) > LINES_MAX:
        table.add_row("refused", f"… {len(refused) - LINES_MAX} more")
    return table
