"""A recorded paper session, tried again over its own tickers, and what it did otherwise."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import typer

from chandler.core.desk.config import Desk
from chandler.core.granularity import Granularity, by_length, utc
from chandler.core.market.pump import MINUTE
from chandler.replay.backtest import Progress, Setting, backtest
from chandler.replay.difference import Difference, Shard, compare
from chandler.replay.result import Result
from chandler.streams.settings import Installation
from services.cli.backtest import files
from services.cli.verify.ran import how_it_ran, shards_of
from services.past.recorded import recorded_orders, recorded_past
from services.past.setting import Ran, setting_of
from services.profile import Profile


class Compared(NamedTuple):
    """A session, its backtest, and what of both was held against each other."""

    difference: Difference
    result: Result
    from_ms: int  # venue's time; where the agents began
    until: dict[str, int]  # agent → the last time of which it recorded all
    left_out: dict[str, str]  # agent → why it was not compared


async def as_it_ran(installation: Installation, profile: Profile) -> tuple[Setting, Sequence[Desk]]:
    """What the session's paper agents are tried with, and all its shards, live ones too."""
    ran = await how_it_ran(installation, profile)
    shards = shards_of(ran, profile)[0]
    return setting_of(profile, installation, Ran(shards, ran.pump, ran.pace)), shards


async def differing(
    installation: Installation, profile: Profile, told: Progress, *, bars: bool = False
) -> Compared:
    """What the paper session in the topics did otherwise than a backtest of it.

    `bars`: the result holds candles for pictures.
    """
    setting, desks = await as_it_ran(installation, profile)
    # What the session did first, so that all that it did it by is there.
    recorded, shards, late = await recorded_orders(installation, setting.desks)
    past, notes = await recorded_past(installation, read_by(setting))
    begin_ms = max((each.begin_ms for each in shards.values()), default=0) - 1
    past = msgspec.structs.replace(past, begin_ms=begin_ms)
    processes = os.cpu_count() or 1
    result = backtest(setting, past, processes=processes, progress=told, bars=bars)
    return Compared(
        difference=compare(recorded, result.events, shards, late),
        result=msgspec.structs.replace(result, notes=[*notes, *result.notes]),
        from_ms=begin_ms + 1,
        until={
            agent: each.out_ms
            for each in shards.values()
            if each.out_ms >= 0
            for agent in sorted(each.agents)
        },
        left_out=left_out(desks, shards),
    )


def read_by(setting: Setting) -> list[Granularity]:
    """What the engines read, and the minutes of the pump guard."""
    read = {granularity for engine in setting.engines for granularity in engine.inputs()}
    return by_length(read | {MINUTE})


def left_out(desks: Sequence[Desk], shards: Mapping[int, Shard]) -> dict[str, str]:
    """Agents of a session that can't be held against a backtest of it, and why not."""
    found: dict[str, str] = {}
    for desk in desks:
        for name in desk.agents:
            if desk.kind == "live":
                found[name] = f"it trades on account {desk.account}, a backtest has paper money"
            elif desk.shard not in shards or shards[desk.shard].out_ms < 0:
                found[name] = "it recorded nothing"
    return found


def show(found: Compared, folder: Path | None, *, as_json: bool) -> int:
    """Prints what was compared and what differs; `folder`: where the backtest's files are."""
    difference = found.difference
    if as_json:
        body = difference._asdict() | {
            "well": difference.well,
            "from_ms": found.from_ms,
            "compared": found.until,
            "not_compared": found.left_out,
            "folder": folder and str(folder),
        }
        typer.echo(msgspec.json.encode(body).decode())
        return 0 if difference.well else 1
    for line in difference.lines:
        typer.echo(line, err=True)
    for agent, (recorded, computed) in difference.balances.items():
        typer.echo(f"{agent}: balance {recorded}, computed {computed}", err=True)
    for line in scope(found):
        typer.echo(line)
    if folder is not None:
        typer.echo(f"report: {folder / files.REPORT}")
    typer.echo(difference.line)
    if not difference.fills:
        typer.echo("nothing was looked at: run ./chandler up for a while first", err=True)
    return 0 if difference.well else 1


def scope(found: Compared) -> list[str]:
    """Which period and agents were compared, and which agents were not."""
    lines = []
    for end_ms in sorted(set(found.until.values())):
        agents = ", ".join(name for name, until in found.until.items() if until == end_ms)
        period = f"{_second(found.from_ms)} to {_second(end_ms)} UTC, the venue's time"
        lines.append(f"compared: {period}: {agents}")
    return lines + [f"not compared: {name}: {why}" for name, why in found.left_out.items()]


def _second(at_ms: int) -> str:
    return utc(at_ms - at_ms % 1_000)
