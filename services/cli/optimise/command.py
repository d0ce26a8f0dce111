"""`optimise`: searches the parameters of an engine or agent, and says what that is worth."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chandler.streams.settings import Installation
from services.cli.backtest.files import check_writable
from services.cli.desk.columns import console, table
from services.cli.optimise import plan as planning
from services.cli.optimise import report, tables
from services.cli.optimise.crews import Alone, Crew, Processes
from services.cli.optimise.preparing import (
    Prepared,
    Wish,
    extended,
    file_of,
    prepared,
    storage_of,
)
from services.cli.optimise.search import Tell, look, pursue, winner
from services.cli.optimise.store import Done, Study
from services.cli.records.moments import moment
from services.cli.records.reading import reading
from services.exits import FAILED, INTERRUPTED, WELL
from services.loading import configuration
from services.past.sources import Period
from services.runner import installed

app = typer.Typer(no_args_is_help=True)

Candles = Annotated[
    list[Path] | None, typer.Option("--candles", help="candle files, not the topics")
]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


@app.callback()
def optimise() -> None:
    """Searches parameters: by walk-forward, with a part held out that is looked at once."""


@app.command()
def run(
    word: Annotated[str, typer.Argument(metavar="ENGINE|AGENT", help="or engine:X, agent:X")],
    profile: Annotated[str, typer.Option("--profile", help="its name or file")] = "",
    candles: Candles = None,
    from_: Annotated[str, typer.Option("--from", help="2024-01-03, or with a time; UTC")] = "",
    to: Annotated[str, typer.Option("--to", help="the end, exclusive")] = "",
    symbols: Annotated[str, typer.Option("--symbols", help="BTCUSDT,ETHUSDT; default: all")] = "",
    trials: Annotated[int, typer.Option(help="in all, with those from before", min=1)] = 200,
    objective: Annotated[
        str, typer.Option(help="sharpe, sortino, calmar, return or profit_factor")
    ] = "sharpe",
    folds: Annotated[int, typer.Option(help="of walk-forward", min=1, max=50)] = 4,
    rolling: Annotated[bool, typer.Option("--rolling", help="train on one part only")] = False,
    hold_out: Annotated[str, typer.Option("--hold-out", help="the last part; 0: none")] = "20%",
    purge: Annotated[str, typer.Option(help="gap before each test window")] = "1D",
    trades_min: Annotated[int, typer.Option("--trades-min", help="fewer: worst", min=1)] = 20,
    stop_early: Annotated[
        bool, typer.Option(help="ends a trial that is below the middle of the others on its way")
    ] = True,
    processes: Annotated[int, typer.Option(help="0: one for each core", min=0, max=256)] = 0,
    study: Annotated[str, typer.Option("--study", help="its name; default: by what is tried")] = "",
    seed: Annotated[int, typer.Option(help="the same one: the same trials", min=0)] = 1,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="a.b=value, as agents.trend.leverage=2")
    ] = None,
    over_topics: Annotated[
        bool, typer.Option("--over-topics", help="trials are made by ./chandler optimise worker")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="the profile file that is made")] = None,
    as_json: AsJson = False,
) -> int:
    """Searches, looks once at what was held out, and writes a profile with what was found."""
    wish = Wish(
        word=word,
        profile=profile,
        changes=changes or [],
        candles=candles or [],
        period=Period(moment(from_, "--from"), moment(to, "--to")),
        symbols=[each for each in symbols.split(",") if each],
        objective=planning.objective_of(objective),
        folds=folds,
        hold_out=planning.share_of(hold_out),
        purge_ms=planning.purge_of(purge),
        rolling=rolling,
        trades_min=trades_min,
        stop_early=stop_early,
        seed=seed,
        study=planning.name_of(study),
    )
    if out is not None and out.suffix != ".toml":
        raise typer.BadParameter(f"--out {out}: expected a file that ends in .toml")
    if out is not None:
        check_writable(out.parent)  # before anything is looked at once
    with nullcontext(installed()) if candles and not over_topics else reading() as installation:
        return _run(installation, wish, trials, processes, over_topics, out, as_json=as_json)


def _run(
    installation: Installation,
    wish: Wish,
    trials: int,
    processes: int,
    over_topics: bool,
    out: Path | None,
    *,
    as_json: bool,
) -> int:
    with prepared(installation, wish) as ready:
        study = ready.study
        for note in [] if as_json else ready.notes:
            _note(note)
        looked = study.held_out
        closed = looked is not None and looked.value is not None
        try:
            if not closed:
                _search(installation, ready, trials, processes, over_topics, quiet=as_json)
        except KeyboardInterrupt:
            _note(
                f"stopped, study {study.name} has {len(study.done)} of {trials} trials: the same "
                "command goes on"
            )
            return INTERRUPTED
        if closed:
            _note(
                f"study {study.name} has looked at what it held out: nothing is run, here is what "
                "came of it; it is not looked at again, and no trials are added; begin another "
                "with --study NAME"
            )
        status = _finished(installation, ready, out, as_json=as_json)
        return FAILED if closed and trials > len(study.done) else status


def _search(
    installation: Installation,
    ready: Prepared,
    trials: int,
    processes: int,
    over_topics: bool,
    *,
    quiet: bool,
) -> None:
    study = ready.study
    cores = len(os.sched_getaffinity(0))
    # Who wins was written down before a look that was cut short: no more trials then.
    if study.held_out is None and len(study.done) < trials:
        crew = _crew(installation, ready, processes, cores, over_topics)
        try:
            with _bar(study, trials, quiet=quiet) as tell:
                pursue(study, crew, trials, tell)
        finally:
            crew.close()
    best = winner(study)
    if best is not None and study.plan.split.hold_out is not None:
        look(study, best, installation, ready.past, cores)


def _crew(
    installation: Installation, ready: Prepared, processes: int, cores: int, over_topics: bool
) -> Crew:
    if over_topics:
        from services.cli.optimise.topics import OverTopics

        sample = ready.study.plan.split.in_sample
        return OverTopics(ready.task(installation, cores), sample, processes, _note)
    size = processes or cores
    if size == 1:
        return Alone(ready.task(installation, cores))
    return Processes(ready.task(installation, 1), size, _note)


def _note(line: str) -> None:
    typer.echo(line, err=True)


def _finished(
    installation: Installation, ready: Prepared, out: Path | None, *, as_json: bool
) -> int:
    study = ready.study
    found = report.outcome(study)
    written: list[Path] = []
    if found.winner is not None:
        target = study.plan.target
        file = out or file_of(installation, study.name)
        written = report.write(study, file, extended(installation, target))
    if as_json:
        body = {"outcome": found, "files": [str(each) for each in written], "notes": ready.notes}
        typer.echo(msgspec.json.encode(body).decode())
    else:
        tables.show(console(), found, study.plan.target.parameters)
        for each in written:
            typer.echo(f"written: {each}")
        typer.echo(tables.line(found))
    return WELL if found.winner is not None else FAILED


@app.command()
def worker(candles: Candles = None) -> int:
    """Makes trials that `optimise run --over-topics` asks for, on any machine, until Ctrl-C."""
    from services.cli.optimise.worker import serve

    with reading() as installation:
        return serve(installation, candles or [], _note)


@app.command()
def show(
    study: Annotated[str, typer.Argument(help="empty: all there are")] = "",
    as_json: AsJson = False,
) -> int:
    """Shows a study, or which there are."""
    installation = installed()
    storage = storage_of(installation, configuration(installation).profile)
    try:
        names = storage.names()
        if study and study not in names:
            known = ", ".join(names) or "none yet"
            raise typer.BadParameter(f"no study is called {study!r}: there are {known}")
        found = [one for name in ([study] if study else names) if (one := storage.study(name))]
    finally:
        storage.close()
    outcomes = [report.outcome(each) for each in found]
    if as_json:
        typer.echo(msgspec.json.encode(outcomes[0] if study else outcomes).decode())
        return WELL
    if study:
        tables.show(console(), outcomes[0], found[0].plan.target.parameters)
        typer.echo(tables.line(outcomes[0]))
        return WELL
    listed = table(("study", "target", "objective"), ("trials", "refused", "best", "held out"))
    for each in outcomes:
        best = "-" if each.winner is None else f"{each.winner.score:.3f}"
        looked = each.held_out
        held = "-" if looked is None or looked.value is None else f"{looked.value:.3f}"
        counts = (str(each.trials), str(sum(each.refused.values())))
        listed.add_row(each.study, each.target, each.objective, *counts, best, held)
    console().print(listed)
    typer.echo(f"studies={len(outcomes)}")
    return WELL


@contextmanager
def _bar(study: Study, trials: int, *, quiet: bool) -> Iterator[Tell]:
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, TextColumn("{task.fields[best]}"), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("trials", total=trials, completed=len(study.done), best="")

        def tell(_: Done) -> None:
            best = study.best()
            said = "" if best is None else f"best {best.score:.3f} (trial {best.number})"
            bar.update(task, completed=len(study.done), best=said)

        yield tell
