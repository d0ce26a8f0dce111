"""What a replay says: how to run services on it, how far it is, and what came of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from chandler.core.granularity import utc
from chandler.streams.replaying import Plan
from services.cli.desk.columns import console, table
from services.cli.replaying.deciding import iso, span
from services.cli.replaying.places import Ways, series
from services.cli.replaying.playing import Played, Told


def begin(plan: Plan, how: Ways) -> None:
    """The period, and what to type in other terminals."""
    symbols = f", {len(plan.symbols)} symbols" if plan.symbols else ""
    _say(f"replay of {span(plan)} UTC, {len(plan.topics)} topics{symbols}")
    if not how.commands:
        return
    _say("services run on it with this environment, each in a terminal of its own:")
    _say("export " + " ".join(f"{name}={value}" for name, value in how.environment.items()))
    for command in how.commands:
        _say(command)


def end(played: Played, how: Ways) -> None:
    """A table of what is out, one line, and how to go on."""
    for note in played.notes:
        _say(f"chandler: {note}")
    shown = table(("topic",), ("before", "records"))
    for topic in series({*played.before, *played.records}):
        shown.add_row(topic, f"{played.before[topic]:,}", f"{played.records[topic]:,}")
    if shown.rows:
        console().print(shown)
    mark = played.mark
    typer.echo(
        f"records={played.records.total()} before={played.before.total()} "
        f"seconds={played.seconds:.1f} speed={played.speed:.1f} state={mark.state} "
        f"reached={iso(mark.reached_ms)}"
    )
    if mark.state == "prepared":
        _say("prepared: start the services, then give the same command without --prepare")
    elif mark.state == "interrupted":
        _say(f"interrupted: --from {iso(mark.reached_ms)} goes on")


def report(played: Played, how: Ways, prefix: str) -> None:
    """The same for programs."""
    mark = played.mark
    said: dict[str, Any] = {
        "prefix": prefix,
        "state": mark.state,
        "from_ms": played.began_ms,
        "reached_ms": mark.reached_ms,
        "go_on": iso(mark.replay.from_ms if mark.state == "prepared" else mark.reached_ms),
        "topics": mark.replay.topics,
        "symbols": mark.replay.symbols,
        "records": dict(played.records),
        "before": dict(played.before),
        "seconds": round(played.seconds, 3),
        "speed": round(played.speed, 3),
        "notes": played.notes,
        "environment": how.environment,
        "commands": how.commands,
    }
    typer.echo(msgspec.json.encode(said).decode())


def _say(text: str) -> None:
    typer.echo(text, err=True)


@contextmanager
def bar(from_ms: int, to_ms: int, *, quiet: bool) -> Iterator[Told]:
    """A bar of event time; nothing where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as progress:
        task = progress.add_task(utc(from_ms), total=max(1, to_ms - from_ms))

        def told(at_ms: int) -> None:
            moment = utc(at_ms - at_ms % 1_000)
            progress.update(task, completed=max(0, at_ms - from_ms), description=moment)

        yield told
