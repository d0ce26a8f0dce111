"""`up`: Kafka, topics, every service in order, and what they do, until Ctrl-C."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from chandler.streams import embedded
from services.cli import gateway
from services.cli.running import flags
from services.cli.running.preflight import before_start
from services.cli.running.session import Session
from services.cli.running.state import only_one
from services.cli.running.view import Lines, Screen, for_people, what_starts
from services.exits import WELL
from services.layers import ConfigurationError
from services.runner import installed
from services.topology import Half, workers_of

OneHalf = Annotated[Half, typer.Argument(help="the services to run")]
Speed = Annotated[float | None, typer.Option(help="recorded seconds per second, 1 to 3600")]
Symbols = Annotated[str, typer.Option(help="how many, or their names with commas")]
CandleFile = Annotated[Path | None, typer.Option(help="Parquet or CSV for the simulator")]
Scale = Annotated[list[str] | None, typer.Option(help="SERVICE=N: several workers")]
Faults = Annotated[str, typer.Option(help="what the simulator breaks: cut=20s,drop=5%")]
Seed = Annotated[int | None, typer.Option(help="of the simulator's random choices")]


def up(
    half: OneHalf = "both",
    profile: Annotated[str, typer.Option(help="demo, paper, or a .toml")] = "",
    speed: Speed = None,
    symbols: Symbols = "",
    candles: CandleFile = None,
    scale: Scale = None,
    faults: Faults = "",
    seed: Seed = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="logs only")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="with services' logs")] = False,
    log: Annotated[str, typer.Option(help="text or json")] = "",
) -> int:
    """Starts everything, or a half, and shows what happens; Ctrl-C ends all of it.

    The halves are processes of their own that meet in Kafka only: either may end, or be restarted
    or updated, without the other. A second system beside this one has a data directory and ports
    of its own: CHANDLER_DATA=DIRECTORY (.chandler) and CHANDLER_PORT_BASE=NUMBER (29000).
    """
    if log not in ("", "text", "json"):
        raise typer.BadParameter(f"--log {log}: expected text or json")
    os.environ["CHANDLER_LOG"] = log or os.environ.get("CHANDLER_LOG", "text")
    if profile:
        is_file = profile.endswith(".toml")
        os.environ["CHANDLER_PROFILE"] = str(Path(profile).resolve()) if is_file else profile
    installation = installed()
    if installation.embedded:
        embedded.install(lambda line: typer.echo(line, err=True))
    began = time.monotonic()  # the installation is over
    os.environ["CHANDLER_DATA"] = str(installation.data)
    values = flags.layer(
        speed=speed, symbols=symbols, candles=candles, faults=faults, seed=seed, scale=scale or []
    )
    with only_one(installation, half):
        config = flags.apply(installation, values, half)
        plain = quiet or not sys.stdout.isatty() or installation.log_format == "json"
        view = (
            Lines(installation.log_format, services=quiet or verbose)
            if plain
            else Screen(services=verbose)
        )
        workers = workers_of(config.profile, half)
        if not workers:
            raise ConfigurationError(
                f"profile {installation.profile} has nobody to talk to: set users.NAME, or "
                "telegram.stand_in = true"
            )
        status = before_start(installation, config.profile, workers)
        if status != WELL:
            return status
        table = what_starts(installation, config.profile, workers)
        pages = for_people(installation, workers)
        pages |= gateway.pages(installation, config.profile, workers)
        view.table(table, workers, pages)
        return asyncio.run(
            _until_asked(Session(installation, config.profile, half, workers, view, began))
        )


async def _until_asked(session: Session) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return await session.run(stop)


def run(
    service: Annotated[str, typer.Argument(help="its name")],
    shard: Annotated[int | None, typer.Option(help="one of its shards; none: all")] = None,
    log: Annotated[str, typer.Option(help="text or json")] = "",
) -> int:
    """Runs one service until SIGTERM; what images and pods call."""
    from services.runner import main

    return main(service, shard, log)
