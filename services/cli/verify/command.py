"""`verify`: recomputes every recorded decision from what it was made of, and compares the bytes."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import typer

from chandler.core.granularity import utc
from chandler.replay.audit.verdict import FOR_EVER_MS, Bounds, Checked, Difference
from chandler.streams.reader import partitions
from chandler.streams.settings import Installation
from services import plugins
from services.cli.records.moments import moment
from services.cli.records.reading import reading
from services.cli.verify import jobs
from services.cli.verify.kept import FOLDER, Day, keep
from services.cli.verify.ran import how_it_ran
from services.loading import configuration
from services.profile import Profile

NOT_DECISIONS = ("orders", "positions")  # events of decisions: compared, and not counted as such
DAYS_SHOWN_MAX = 20
COLUMNS = ("topic", "compared", "differ", "missing", "again", "explained", "left out", "from", "to")
FILE_WIDTH = 140  # where no terminal says how wide it is


class Verdict(NamedTuple):
    """What `verify` prints."""

    topics: list[Checked]
    days: list[Day]
    notes: list[str]
    partitions: int
    seconds: float

    @property
    def decisions(self) -> int:
        return sum(each.compared for each in self.topics if each.topic not in NOT_DECISIONS)

    @property
    def mismatches(self) -> int:
        return sum(each.faults for each in self.topics)

    @property
    def changed(self) -> int:
        """Days that are not what they were when they were verified."""
        return sum(day.state == "changed" for day in self.days)

    @property
    def first(self) -> Difference | None:
        found = [each.first for each in self.topics if each.first is not None]
        return min(found, key=lambda difference: difference.order, default=None)

    @property
    def well(self) -> bool:
        return self.decisions > 0 and not self.mismatches and not self.changed

    @property
    def line(self) -> str:
        explained = sum(sum(each.explained.values()) for each in self.topics)
        other = sum(sum(each.not_compared.values()) for each in self.topics)
        return (
            f"decisions={self.decisions} mismatches={self.mismatches} explained={explained} "
            f"not_compared={other} partitions={self.partitions} seconds={self.seconds}"
        )


def verify(
    from_: Annotated[
        str, typer.Option("--from", help="event time: 2026-01-31, 2026-01-31T10:00, or ms")
    ] = "",
    to: Annotated[str, typer.Option("--to", help="event time, not included")] = "",
    processes: Annotated[int, typer.Option(help="0: as many as cores", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Status 0 only if something was compared and nothing differs."""
    bounds = Bounds(moment(from_, "--from") or 0, moment(to, "--to") or FOR_EVER_MS)
    if bounds.from_ms >= bounds.to_ms:
        raise typer.BadParameter(f"--from {from_} is not before --to {to}: nothing lies between")
    with reading() as installation:
        profile = configuration(installation).profile
        verdict = verified(installation, profile, bounds, processes or os.cpu_count() or 1)
    if as_json:
        typer.echo(msgspec.json.encode(report(verdict)).decode())
        return 0 if verdict.well else 1
    show(verdict)
    if not verdict.decisions:
        other = any(each.not_compared for each in verdict.topics)
        said = "what is there is of other code or configurations" if other else "nothing is there"
        typer.echo(
            f"nothing was compared: {said}; run ./chandler up for a while first, or choose "
            "another time with --from and --to",
            err=True,
        )
    return 0 if verdict.well else 1


def verified(
    installation: Installation, profile: Profile, bounds: Bounds, processes: int
) -> Verdict:
    """Compares everything, in `processes` at once, and keeps the digests. ReadError."""
    began = time.monotonic()
    ran = asyncio.run(how_it_ran(installation, profile))
    found = asyncio.run(partitions(installation, ["candles.5m"]))["candles.5m"]
    numbers = [place.partition for place in found]
    if not numbers:
        return Verdict([], [], [], 0, round(time.monotonic() - began, 1))
    plan = jobs.Plan(installation, profile, bounds, ran)
    with _bar(jobs.size(plan, numbers)) as tell:
        topics, notes = jobs.run(plan, numbers, processes, tell)
    folder = installation.data / FOLDER / installation.topic_prefix.strip(".")
    days = keep(folder, topics, bounds, plugins.code_hash())
    return Verdict(topics, days, notes, len(numbers), round(time.monotonic() - began, 1))


class _bar:  # noqa: N801 - used as a function
    """A progress bar on stderr where a person looks at it."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

        console = Console(stderr=True)
        self._progress = Progress(
            "verifying",
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        return lambda records: self._progress.update(self._task, completed=records)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def report(verdict: Verdict) -> dict[str, Any]:
    """For programs."""
    first = verdict.first
    return {
        "decisions": verdict.decisions,
        "mismatches": verdict.mismatches,
        "well": verdict.well,
        "partitions": verdict.partitions,
        "seconds": verdict.seconds,
        "topics": {
            each.topic: {
                "compared": each.compared,
                "mismatches": each.mismatches,
                "missing": each.missing,
                "duplicated": each.duplicated,
                "explained": each.explained,
                "not_compared": each.not_compared,
                "from_ms": each.from_ms if each.compared else None,
                "to_ms": each.to_ms if each.compared else None,
                "days": {day: digest.hex for day, digest in sorted(each.days.items())},
            }
            for each in verdict.topics
        },
        "first": first,
        "days_before": [
            {"day": each.day, "topic": each.topic, "state": each.state} for each in verdict.days
        ],
        "notes": verdict.notes,
    }


def _table(topics: list[Checked]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for name in COLUMNS:
        justify: Literal["left", "right"] = "left" if name in ("topic", "from", "to") else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    for each in topics:
        counts = (each.compared, each.mismatches, each.missing, each.duplicated)
        others = (sum(each.explained.values()), sum(each.not_compared.values()))
        times = (utc(each.from_ms), utc(each.to_ms)) if each.compared else ("-", "-")
        table.add_row(each.topic, *map(str, (*counts, *others)), *times)
    console = Console()
    if not console.is_terminal:
        console.width = FILE_WIDTH
    console.print(table)


def show(verdict: Verdict) -> None:
    """For people: a table, what was not compared and why, the first difference, one line."""
    _table(verdict.topics)
    for each in verdict.topics:
        for kind, reasons in (("explained", each.explained), ("not compared", each.not_compared)):
            for cause, count in sorted(reasons.items()):
                typer.echo(f"{each.topic}: {count} {kind}: {cause}")
    for note in verdict.notes:
        typer.echo(note)
    same: dict[str, list[str]] = {}
    for day in verdict.days:
        if day.state == "same":
            same.setdefault(day.day, []).append(day.topic)
        else:
            typer.echo(day.line, err=day.state == "changed")
    for name, topics in list(same.items())[-DAYS_SHOWN_MAX:]:
        typer.echo(f"{name} was verified before, the digests are the same: {' '.join(topics)}")
    first = verdict.first
    if first is not None:
        typer.echo("the first difference:", err=True)
        for line in first.lines:
            typer.echo(line, err=True)
    typer.echo(verdict.line)
