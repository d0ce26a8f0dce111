"""Runs the drill in a Kafka and a data directory of its own, and shows what it came to."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chandler.streams.reader import Record, read_topics
from chandler.streams.settings import Installation
from services.cli.chaos import place
from services.cli.chaos.drill import kafka
from services.cli.chaos.telegram.causes import AGENTS, MOST, USERS
from services.cli.chaos.telegram.drill import Drill
from services.cli.chaos.telegram.verdict import FAULTS_MAX, Doubt, Verdict, reckon
from services.layers import ConfigurationError
from services.profile import Profile
from services.telegram_stand_in.faults import KINDS

SETTLE_S_MAX = 240.0  # after the last fault: a message may wait a minute for its next try
LANES = (
    "orders",
    "positions",
    "pumps",
    "commands",
    "answers",
    "notices",
    "infra",
    "dead-letters",
)
TOML = """\
# What the notifier's chaos run tells, and to whom. Nothing is traded.
name = "chaos"
mode = "paper"

[simulator]

[telegram]
stand_in = true
"""


class Outcome(NamedTuple):
    """What the run came to."""

    verdict: Verdict
    doubt: Doubt
    points: list[str]
    faults: dict[str, int]  # of Telegram, as it counted them
    seconds: float


def make(data: Path) -> tuple[Installation, dict[str, str]]:
    """Writes the profile; the installation and the environment of the notifier."""
    agents = "".join(f"\n[agents.{name}]\n" for name in AGENTS)
    users = "".join(
        f'\n[users.{name}]\nrole = "{user.role}"\ntelegram_id = {user.telegram_id}\n'
        f"agents = {msgspec.json.encode(user.agents).decode()}\n"
        for name, user in USERS.items()
    )
    # Of floods the notifier's own tests say that they lose nothing; here each is told singly.
    pace = "\n[notices]\nflood = 100000\n"
    return place.written(data, TOML + agents + users + pace)


async def run(
    installation: Installation,
    profile: Profile,
    environ: dict[str, str],
    *,
    seed: int,
    notices: int,
    kills: int,
    outage_s: float,
    pause_s: float,
) -> Outcome:
    """The whole drill. ConfigurationError, DrillError."""
    if not 1 <= notices <= MOST:
        raise ConfigurationError(f"--notices is {notices}: expected 1 to {MOST}")
    began = time.monotonic()

    def say(text: str) -> None:
        progress.console.print(text, markup=False, highlight=False)

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, TimeElapsedColumn(), disable=not sys.stderr.isatty())
    progress.console.stderr = True
    async with kafka(installation, profile, say):
        drill = Drill(installation, environ, seed, say)

        async def verdict() -> Verdict:
            records = await _records(installation)
            return reckon(USERS, records, drill.texts(), drill.asks, drill.doubt)

        async def complete() -> bool:
            return not (await verdict()).lost

        with progress:
            task = progress.add_task("starting", total=max(kills, 1))
            async with drill.running():
                progress.update(task, description="striking")
                await drill.work(
                    notices,
                    kills,
                    outage_s,
                    pause_s,
                    lambda done: progress.update(task, completed=done),
                )
                progress.update(task, description="settling")
                await drill.settle(SETTLE_S_MAX, complete)
            found = await verdict()
    counts = {kind: drill.stand_in.weather.counts[kind] for kind in sorted(KINDS)}
    return Outcome(found, drill.doubt, drill.points, counts, time.monotonic() - began)


async def _records(installation: Installation) -> list[Record]:
    found = [each async for each in read_topics(installation, LANES)]
    return sorted(found, key=lambda each: (each.topic, each.partition, each.offset))


def show(outcome: Outcome, *, as_json: bool) -> None:
    """Prints what it came to."""
    found, doubt = outcome.verdict, outcome.doubt
    if as_json:
        plain = {
            **found._asdict(),
            "kills": len(doubt.kills),
            "repeats_possible": doubt.most,
            "points": outcome.points,
            "telegram": outcome.faults,
            "seconds": round(outcome.seconds, 1),
        }
        typer.echo(msgspec.json.encode(plain).decode())
        return
    for line in found.faults[:FAULTS_MAX]:
        typer.echo(line, err=True)
    if len(found.faults) > FAULTS_MAX:
        typer.echo(f"… and {len(found.faults) - FAULTS_MAX} more", err=True)
    telegram = " ".join(f"{name}={count}" for name, count in outcome.faults.items())
    typer.echo(
        f"messages={found.messages} asks={found.asks} commands={found.commands} "
        f"gathered={found.gathered} points={len(outcome.points)} {telegram}; "
        f"repeats possible={doubt.most}; {outcome.seconds:.0f} s"
    )
    typer.echo(
        f"notices={found.notices} lost={found.lost} replayed_commands={found.replayed_commands} "
        f"repeated={found.repeated} unmarked={found.unmarked} kills={len(doubt.kills)} "
        f"order={found.order}"
    )
