"""`chaos`: kills everything at random and at each named point, then counts orders on both sides."""

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chandler.replay.audit.reckoning import Reckoning
from chandler.streams.points import POINTS
from chandler.streams.settings import Installation
from services.cli.chaos import place
from services.cli.chaos.drill import Drill, kafka
from services.cli.chaos.plan import PAUSE_S_MAX, Strike, plan
from services.cli.chaos.telegram import run as notifier
from services.cli.chaos.verdict import reckoning
from services.cli.chaos.zombie import FROZEN_S, TARGETS, freeze_all, wanted
from services.cli.chaos.zombie import show as show_woken
from services.loading import configuration
from services.profile import Profile

SPEED, SYMBOLS = 300.0, 40


class Outcome(NamedTuple):
    """What the run came to."""

    reckoning: Reckoning
    points: set[str]
    kills: dict[str, int]
    seconds: float

    @property
    def missed(self) -> list[str]:
        """Points that the executor never came to."""
        return [name for name in POINTS if name not in self.points]


def chaos(
    seed: Annotated[int, typer.Option(help="of what is struck, and when")] = 1,
    kills: Annotated[int, typer.Option(help="random ones, beside the named points", min=0)] = 20,
    speed: Annotated[float, typer.Option(help="recorded seconds per second")] = SPEED,
    symbols: Annotated[int, typer.Option(help="of the simulator")] = SYMBOLS,
    pause_s: Annotated[float, typer.Option(help="longest between two kills", min=0.2)] = (
        PAUSE_S_MAX
    ),
    data: Annotated[Path | None, typer.Option(help="an empty folder; none: a passing one")] = None,
    zombie: Annotated[bool, typer.Option("--zombie", help="freezes and wakes, no kills")] = False,
    target: Annotated[list[str] | None, typer.Option(help="of --zombie: all")] = None,
    frozen_s: Annotated[list[float] | None, typer.Option(help="of --zombie: 5, 60")] = None,
    telegram: Annotated[
        bool, typer.Option("--telegram", help="the notifier, while Telegram fails")
    ] = False,
    notices: Annotated[int, typer.Option(help="of --telegram")] = 300,
    outage_s: Annotated[float, typer.Option(help="of --telegram: a closed port", min=0.0)] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Runs a system of its own, kills it again and again; status 1 if an order is lost or doubled.

    Orders go to the simulator, which counts what it receives. With --zombie processes are frozen
    and replaced instead, and let go on afterwards: nothing may be there twice. With --telegram the
    notifier is killed while Telegram fails: no notice may be lost, no command given twice.
    """
    if telegram:
        return _telegram(data, seed, notices, kills, outage_s, pause_s, as_json=as_json)
    freezes = wanted(target or TARGETS, frozen_s or FROZEN_S)
    folder = data or Path(tempfile.mkdtemp(prefix="chandler-chaos-"))
    struck = f"zombie={','.join(target or TARGETS)}" if zombie else f"kills={kills}"
    typer.echo(f"seed={seed} {struck} data={folder}", err=True)
    installation, environ = place.make(folder, seed=seed, speed=speed, symbols=symbols)
    profile = configuration(installation, environ).profile
    if zombie:
        woken = asyncio.run(freeze_all(installation, profile, environ, freezes, seed))
        show_woken(woken, as_json=as_json)
        well = woken.well
    else:
        outcome = asyncio.run(
            _run(installation, profile, environ, plan(seed, kills, POINTS, 1, pause_s))
        )
        well = outcome.reckoning.well and not outcome.missed
        _print(outcome, as_json=as_json)
    if data is None and well:
        shutil.rmtree(folder, ignore_errors=True)
    elif not well:
        typer.echo(f"what it left is in {folder}", err=True)
    return 0 if well else 1


def _telegram(
    data: Path | None,
    seed: int,
    notices: int,
    kills: int,
    outage_s: float,
    pause_s: float,
    *,
    as_json: bool,
) -> int:
    folder = data or Path(tempfile.mkdtemp(prefix="chandler-chaos-"))
    typer.echo(f"seed={seed} notices={notices} kills={kills} data={folder}", err=True)
    installation, environ = notifier.make(folder)
    profile = configuration(installation, environ).profile
    outcome = asyncio.run(
        notifier.run(
            installation,
            profile,
            environ,
            seed=seed,
            notices=notices,
            kills=kills,
            outage_s=outage_s,
            pause_s=pause_s,
        )
    )
    notifier.show(outcome, as_json=as_json)
    if data is None and outcome.verdict.well:
        shutil.rmtree(folder, ignore_errors=True)
    elif not outcome.verdict.well:
        typer.echo(f"what it left is in {folder}", err=True)
    return 0 if outcome.verdict.well else 1


async def _run(
    installation: Installation, profile: Profile, environ: dict[str, str], strikes: list[Strike]
) -> Outcome:
    began = time.monotonic()

    def say(text: str) -> None:
        progress.console.print(text, markup=False, highlight=False)

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, TimeElapsedColumn(), disable=not sys.stderr.isatty())
    progress.console.stderr = True
    async with kafka(installation, profile, say):
        drill = Drill(installation, profile, environ, say)
        with progress:
            task = progress.add_task("starting", total=len(strikes))
            try:
                await drill.start()
                progress.update(task, description="striking")
                for strike in strikes:
                    await drill.strike(strike)
                    progress.advance(task)
                progress.update(task, description="settling")
                unresolved = await drill.settle()
                found = await reckoning(installation, profile, drill, unresolved)
            finally:
                await drill.stop()
    return Outcome(found, drill.points, drill.kills, time.monotonic() - began)


def _print(outcome: Outcome, *, as_json: bool) -> None:
    found = outcome.reckoning
    points = "all" if not outcome.missed else f"{len(outcome.points)}/{len(POINTS)}"
    if as_json:
        plain = found._asdict() | {
            "points": points,
            "missed": outcome.missed,
            "kills": outcome.kills,
            "seconds": round(outcome.seconds, 1),
        }
        typer.echo(msgspec.json.encode(plain).decode())
        return
    for line in found.faults:
        typer.echo(line, err=True)
    if outcome.missed:
        typer.echo(f"points never come to: {' '.join(outcome.missed)}", err=True)
    struck = " ".join(f"{target}={count}" for target, count in sorted(outcome.kills.items()))
    typer.echo(f"kills: {struck}; {outcome.seconds:.0f} s")
    typer.echo(
        f"intents={found.intents} orders={found.orders} expired={found.expired} points={points} "
        f"lost={found.lost} duplicated={found.duplicated} unresolved={found.unresolved} "
        f"difference={found.difference}"
    )
