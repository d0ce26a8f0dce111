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

from chandler.replay.backtest import Past, Setting, backtest
from chandler.replay.dense.native import compiling
from chandler.replay.metrics import measure
from chandler.replay.report import compare as compare_runs
from chandler.replay.report import comparison_page, run_of
from chandler.replay.result import Result
from chandler.streams.settings import Installation
from services.cli.backtest import files, session, tables
from services.cli.desk.columns import console
from services.cli.history import shown
from services.cli.records.moments import moment
from services.cli.records.reading import reading
from services.loading import configuration
from services.past.recorded import recorded_past
from services.past.setting import chosen
from services.past.sources import Period, of_files, of_topics
from services.runner import installed
from services.showing.runs import FOLDER

COMPARISON = "comparison.html"
COMPILING = (
    "compiling to machine code, once: it takes a minute or more on a busy machine; later runs find "
    "it in the cache"
)


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
        if diff and against is not None:
            raise typer.BadParameter("--diff compares with the session: leave --against out")
        return _recorded(profile, out, against, processes, diff=bool(diff), as_json=as_json)
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
        shown.warn(read.left_out)
        result = _tried(tried.setting, read.past, processes, told)
    result = msgspec.structs.replace(result, notes=read.told(tried.notes, result.notes))
    return _shown(installation, result, out, against, as_json=as_json)


def _tried(setting: Setting, past: Past, processes: int, told: "Told") -> Result:
    return backtest(setting, past, processes=processes or os.cpu_count() or 1, progress=told)


def _recorded(
    profile: str,
    out: Path | None,
    against: Path | None,
    processes: int,
    *,
    diff: bool,
    as_json: bool,
) -> int:
    """The session again, over its own tickers; and what it did otherwise."""
    with reading() as installation:
        if profile:
            installation = msgspec.structs.replace(installation, profile=profile)
        found = configuration(installation).profile
        with _bar(quiet=as_json) as told:
            if diff:
                compared = asyncio.run(
                    session.differing(installation, found, told, bars=out is not None)
                )
                if out is not None:
                    files.write(compared.result, measure(compared.result), out)
                return session.show(compared, out, as_json=as_json)
            setting, _ = asyncio.run(session.as_it_ran(installation, found))
            past, notes = asyncio.run(recorded_past(installation, session.read_by(setting)))
            result = _tried(setting, past, processes, told)
        result = msgspec.structs.replace(result, notes=[*notes, *result.notes])
        return _shown(installation, result, out, against, as_json=as_json)


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
    folder = out or installation.data / FOLDER / name
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
    """Shows progress on a terminal; that something is compiled is said anywhere, on stderr."""
    if quiet or not sys.stderr.isatty():
        with compiling(lambda: typer.echo(COMPILING, err=True)):
            yield Told(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(
            *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True
        ) as bar,
        compiling(lambda: bar.console.print(COMPILING)),
    ):
        yield Told(bar)
