"""`candles import`: files of candles into the candle topics, checked, each candle once."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chandler.core.granularity import DAY_MS, Granularity, by_length, interval_ms
from chandler.replay.history.checks import Wanted
from chandler.replay.history.lanes import Plan, Present
from chandler.replay.history.names import spelled
from chandler.replay.history.sheet import HistoryError
from chandler.streams import embedded
from chandler.streams.reader import partitions
from chandler.streams.settings import Installation
from chandler.streams.writing import newest
from services.cli.history import shown
from services.cli.history.holding import held, publishing, unfilled
from services.cli.records.reading import reading
from services.exits import WELL
from services.history.gathering import Gathered, derived, gathered, lines_of, planned
from services.history.publishing import Batches, Publisher
from services.history.standing import Lane, standing
from services.ingest.output import Out, out_of
from services.profile import Profile
from services.runner import installed

Files = Annotated[list[Path], typer.Argument(help="Parquet, Feather, CSV, JSON, or a zip of them")]
GranularityOption = Annotated[str, typer.Option(help="where the files don't say it, or holes hide")]
SymbolOption = Annotated[str, typer.Option(help="where a file has no symbol; else only this one")]
Also = Annotated[str, typer.Option(help="1H,4H: makes these too, of their complete slots")]
Missing = Annotated[bool, typer.Option("--missing", help="holes are missing at the venue")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="only checks and compares")]
TakeOver = Annotated[bool, typer.Option("--take-over", help="though an ingest may still run")]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


def import_(
    files: Files,
    granularity: GranularityOption = "",
    symbol: SymbolOption = "",
    also: Also = "",
    missing: Missing = False,
    dry_run: DryRun = False,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> int:
    """Puts candles of files behind those that are there; status 1 if any of it was refused."""
    wanted = Wanted(granularity, symbol.upper())
    longer = _also(also)
    if granularity:
        _spelled("--granularity", granularity)
    with _progress("files", len(files)) as bar:
        task = bar.task_ids[0]
        found = gathered(
            files,
            wanted,
            time.time_ns() // 1_000_000,
            lambda done: bar.update(task, completed=done),
        )
    if missing and found.unknown:
        missing = False
        shown.say("--missing is not followed while a file can't be read: correct it first")
    work = _Import(found, longer, record_missing=missing)
    if not found.lanes:
        pass
    elif dry_run:
        _look(work)
    else:
        with held() as (installation, profile):
            asyncio.run(work.run(installation, profile, take_over=take_over))
    shown.result(found, work.plans, work.published, work.seconds, dry_run=dry_run, as_json=as_json)
    if work.hint:
        shown.say(work.hint)
    return WELL if found.lanes and not found.faults else 1


def _also(text: str) -> list[Granularity]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    return by_length({_spelled("--also", word) for word in words})


def _spelled(option: str, word: str) -> Granularity:
    try:
        return spelled(word)
    except HistoryError as error:
        raise typer.BadParameter(f"{option}: {error}") from None


def _progress(what: str, total: int | None) -> Progress:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    bar.add_task("", total=total)
    return bar


def _look(work: "_Import") -> None:
    """What would go out; Kafka is read where it holds something, and left as it is."""
    installation = installed()
    if installation.embedded and not embedded.status(installation).data_bytes:
        asyncio.run(work.compare(None, {}))
        return
    with reading() as installation:
        asyncio.run(work.look(installation))


def _hint(there: set[Granularity], absent: list[Granularity]) -> str:
    """Which longer granularities will be read and not found, and what makes them."""
    shortest = min((interval_ms(each) for each in there), default=DAY_MS)
    made = ",".join(each for each in absent if interval_ms(each) > shortest)
    if not made:
        return ""
    return (
        f"this profile reads {made}, too, and finds none of this time: give the command again "
        f"with --also {made}"
    )


class _Import:
    """One call: what was found in the files goes out behind what is there."""

    def __init__(self, found: Gathered, also: list[Granularity], *, record_missing: bool) -> None:
        self.plans: dict[Lane, Plan] = {}
        self.published = 0
        self.seconds = 0.0  # of publishing
        self.hint = ""
        self._found = found
        self._also = also
        self._record_missing = record_missing

    async def run(self, installation: Installation, profile: Profile, *, take_over: bool) -> None:
        """Compares and publishes."""
        granularities = {lane.granularity for lane in self._found.lanes}
        topics = by_length(granularities | set(self._also))
        async with publishing(
            installation, profile, topics, "import", take_over=take_over
        ) as publisher:
            await self.compare(installation, publisher.out)
            await self.publish(publisher)
            filled = {each for lanes in publisher.out.values() for each in lanes}
        self.hint = _hint(granularities, unfilled(profile, granularities, filled))

    async def look(self, installation: Installation) -> None:
        """Compares only."""
        there = (await partitions(installation, ["candles.last"])).get("candles.last")
        events = (await newest(installation, "candles.last")).values() if there else ()
        await self.compare(installation, out_of(events))

    async def compare(self, installation: Installation | None, out: Out) -> None:
        """Fills `plans`: the files' lanes, then those that are made of them."""
        found = self._found
        there: dict[Lane, Present] = {}
        with _progress("reading what is there", None) as bar:
            task = bar.task_ids[0]

            def tell(records: int) -> None:
                bar.update(task, completed=records)

            if installation is not None:
                there |= await standing(installation, found.lanes, out, tell)
            made = derived(found, there, self._also, out)
            if installation is not None:
                there |= await standing(installation, made, out, tell)
        found.lanes |= made
        self.plans = planned(found, there, record_missing=self._record_missing)

    async def publish(self, publisher: Publisher) -> None:
        """Sends what `plans` say."""
        total = sum(each.sealed + each.missing for each in self.plans.values())
        batches = Batches(lines_of(self.plans))
        began = time.monotonic()
        with _progress("candles", total) as bar:
            while batch := batches.take(publisher.candles_max):
                self.published += await publisher.publish(batch)
                bar.advance(bar.task_ids[0], len(batch))
        self.seconds = time.monotonic() - began
