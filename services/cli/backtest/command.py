"""`backtest`: a profile tried on the past, by the code that trades it live."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chandler.core.granularity import Granularity, by_length
from chandler.core.market.pump import MINUTE
from chandler.replay.backtest import Past, Setting, backtest
from chandler.replay.difference import Difference, compare
from chandler.replay.metrics import measure
from chandler.replay.report import compare as compare_runs
from chandler.replay.report import comparison_page, run_of
from chandler.replay.result import Result
from chandler.streams.settings import Installation
from services.cli.backtest import files, tables
from services.cli.desk.columns import console
from services.cli.records.moments import moment
from services.cli.records.reading import reading
from services.cli.verify.ran import how_it_ran, shards_of
from services.loading import configuration
from services.past.recorded import recorded_orders, recorded_past
from services.past.setting import Ran, chosen, setting_of
from services.past.sources import Period, of_files, of_topics
from services.profile import Profile
from services.runner import installed

COMPARISON = "comparison.html"


def run(
    profile: Annotated[str, typer.Argument(help="a profile's name or file; default: demo")] = "",
    candles: Annotated[
        list[Path] | None, typer.Option("--candles", help="candle files, not the topics")
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="2024-01-03, or with a time; UTC")] = "",
    to: Annotated[str, typer.Option("--to", help="the end, exclusive")] = "",
    symbols: Annotated[str, typer.Option("--symbols", help="BTCUSDT,ETHUSDT; default: all")] = "",
    agents: Annotated[str, typer.Option("--agents", help="some of them; default: all")] = "",
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="a.b=value, as agents.trend.leverage=2")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="where the files go")] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="files of another run, to compare with")
    ] = None,
    from_topics: Annotated[
        bool, typer.Option("--from-topics", help="over the recorded tickers, at the session's pace")
    ] = False,
    diff: Annotated[str, typer.Option("--diff", help="paper: with what the session did")] = "",
    processes: Annotated[int, typer.Option("--processes", min=0, help="0: one a core")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Tries a profile's engines and agents on past candles; writes trades, equity and a report."""
    if diff not in ("", "paper"):
        raise typer.BadParameter(f"--diff {diff}: expected paper")
    if out is not None:
        files.check_writable(out)
    if from_topics or diff:
        if candles or from_ or to or symbols or agents or changes:
            raise typer.BadParameter(
                "--from-topics takes the session as it was: leave the other choices out"
            )
        return _recorded(profile, out, processes, diff=bool(diff), as_json=as_json)
    period = Period(moment(from_, "--from"), moment(to, "--to"))
    names = [each for each in symbols.split(",") if each]
    wanted = [each for each in agents.split(",") if each]
    installation = installed()
    tried = chosen(installation, profile, agents=wanted, changes=changes or [])
    with _bar(quiet=as_json) as told:
        if candles:
            read = of_files(candles, tried.setting, period, names)
        else:
            with reading() as installation:
                read = asyncio.run(of_topics(installation, tried.setting, period, names))
        result = _tried(tried.setting, read.past, [*tried.notes, *read.notes], processes, told)
    return _shown(installation, result, out, against, as_json=as_json)


def _tried(setting: Setting, past: Past, notes: list[str], processes: int, told: "Told") -> Result:
    result = backtest(setting, past, processes=processes or os.cpu_count() or 1, progress=told)
    return msgspec.structs.replace(result, notes=[*notes, *result.notes])


def _recorded(profile: str, out: Path | None, processes: int, *, diff: bool, as_json: bool) -> int:
    """The session again, over its own tickers; and what it did otherwise."""
    with reading() as installation:
        if profile:
            installation = msgspec.structs.replace(installation, profile=profile)
        found = configuration(installation).profile
        with _bar(quiet=as_json) as told:
            if diff:
                return _difference(asyncio.run(differing(installation, found, told)), as_json)
            setting = asyncio.run(_as_it_ran(installation, found))
            past, notes = asyncio.run(recorded_past(installation, _read_by(setting)))
            result = _tried(setting, past, notes, processes, told)
        return _shown(installation, result, out, None, as_json=as_json)


async def differing(installation: Installation, profile: Profile, told: "Told") -> Difference:
    """What the paper session in the topics did otherwise than a backtest of it."""
    setting = await _as_it_ran(installation, profile)
    # What the session did first, so that all that it did it by is there.
    recorded, shards, late = await recorded_orders(installation, setting.desks)
    past, _ = await recorded_past(installation, _read_by(setting))
    begin_ms = max((each.begin_ms for each in shards.values()), default=0) - 1
    past = msgspec.structs.replace(past, begin_ms=begin_ms)
    processes = os.cpu_count() or 1
    computed = backtest(setting, past, processes=processes, progress=told, bars=False).events
    return compare(recorded, computed, shards, late)


async def _as_it_ran(installation: Installation, profile: Profile) -> Setting:
    ran = await how_it_ran(installation, profile)
    return setting_of(profile, installation, Ran(shards_of(ran, profile)[0], ran.pump, ran.pace))


def _read_by(setting: Setting) -> list[Granularity]:
    """What the engines read, and the minutes of the pump guard."""
    read = {granularity for engine in setting.engines for granularity in engine.inputs()}
    return by_length(read | {MINUTE})


def _difference(found: Difference, as_json: bool) -> int:
    if as_json:
        typer.echo(msgspec.json.encode(found._asdict() | {"well": found.well}).decode())
        return 0 if found.well else 1
    for line in found.lines:
        typer.echo(line, err=True)
    for agent, (recorded, computed) in found.balances.items():
        typer.echo(f"{agent}: balance {recorded}, computed {computed}", err=True)
    typer.echo(found.line)
    if not found.fills:
        typer.echo("nothing was looked at: run ./chandler up for a while first", err=True)
    return 0 if found.well else 1


def _shown(
    installation: Installation,
    result: Result,
    out: Path | None,
    against: Path | None,
    *,
    as_json: bool,
) -> int:
    metrics = measure(result)
    name = f"{result.origin.profile}-{result.origin.digest[:8]}"
    folder = out or installation.data / "backtests" / name
    files.write(result, metrics, folder)
    compared = None
    if against is not None:
        before, now = files.read(against), run_of(folder.name, result, metrics)
        compared = compare_runs(before, now)
        page = comparison_page(compared, before, now)
        (folder / COMPARISON).write_text(page, encoding="utf-8")
    if as_json:
        body = {
            "folder": str(folder),
            "digest": result.origin.digest,
            "candles": result.origin.candles,
            "trades": len(result.trades),
            "fills": len(result.fills),
            "metrics": metrics,
            "notes": result.notes,
            "timings": result.timings,
        }
        typer.echo(msgspec.json.encode(body).decode())
        return 0
    wide = console()
    tables.show(wide, result, metrics)
    if compared is not None:
        tables.show_comparison(wide, compared)
    seconds = sum(result.timings.values())
    closed = sum(1 for trade in result.trades if trade.closed_ms)
    typer.echo(
        f"candles={result.origin.candles} fills={len(result.fills)} trades={closed} "
        f"open={len(result.trades) - closed} seconds={seconds:.2f} digest={result.origin.digest}"
    )
    typer.echo(f"report: {folder / files.REPORT}")
    return 0


class Told:
    """Shows how far each part is."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._tasks: dict[str, int] = {}

    def __call__(self, part: str, done: int, of: int) -> None:
        if self._progress is None:
            return
        if part not in self._tasks:
            self._tasks[part] = self._progress.add_task(part, total=of)
        self._progress.update(self._tasks[part], completed=done)  # type: ignore[arg-type]


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Told]:
    if quiet or not sys.stderr.isatty():
        yield Told(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        yield Told(bar)
