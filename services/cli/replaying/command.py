"""`replay`: a past period published again under another topic prefix, at a chosen speed.

The installation's own topics are only read. Services with that prefix work on it beside the real
ones.
"""

import asyncio
import signal
import threading
from contextlib import AsyncExitStack
from typing import Annotated

import typer

from chandler.streams.catalogue import BY_NAME
from chandler.streams.replaying import OPEN, Plan, ReplayError, Target
from chandler.streams.replaying.source import Source, opened
from chandler.streams.settings import Installation
from services.cli.records.moments import moment
from services.cli.records.reading import reading
from services.cli.replaying import told
from services.cli.replaying.asked import (
    Asked,
    prefix_of,
    speed_of,
    symbols_of,
    topics_of,
    warm_up_of,
)
from services.cli.replaying.deciding import check_filled, decide, topics_wanted
from services.cli.replaying.places import Ways, ways
from services.cli.replaying.playing import Played, Player
from services.cli.verify.ran import how_it_ran
from services.exits import INTERRUPTED, WELL
from services.loading import configuration
from services.profile import Profile


def replay(
    from_: Annotated[
        str, typer.Option("--from", help="event time: 2026-01-31, 2026-01-31T10:00, or ms")
    ] = "",
    to: Annotated[str, typer.Option("--to", help="event time, not included")] = "",
    speed: Annotated[str, typer.Option(help="recorded seconds per second; 0 or max: at once")] = (
        "60"
    ),
    prefix: Annotated[str, typer.Option(help="of the topics that it goes to")] = "try",
    symbols: Annotated[str, typer.Option(help="BTCUSDT,ETHUSDT; default: all")] = "",
    topics: Annotated[
        str, typer.Option(help="others than what comes from outside: indicators.*,tickers")
    ] = "",
    warm_up: Annotated[str, typer.Option(help="candles before --from: 36H, 2D, 0, all")] = "2D",
    prepare: Annotated[
        bool, typer.Option("--prepare", help="only what lies before --from; the rest in a 2nd call")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="deletes the replay that is under this prefix")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Publishes a past period again under another prefix, for services to be tried on."""
    asked = Asked(
        from_ms=moment(from_, "--from"),
        to_ms=moment(to, "--to"),
        speed=speed_of(speed),
        prefix=prefix_of(prefix),
        symbols=symbols_of(symbols),
        topics=topics_of(topics),
        warm_up_ms=warm_up_of(warm_up),
        prepare=prepare,
        again=again,
    )
    if asked.to_ms is not None and (asked.from_ms or 0) >= asked.to_ms:
        raise typer.BadParameter(f"--from {from_} is not before --to {to}: nothing lies between")
    with reading() as installation:
        profile = configuration(installation).profile
        played, how = asyncio.run(_replayed(asked, installation, profile, as_json=as_json))
    if as_json:
        told.report(played, how, asked.prefix)
    else:
        told.end(played, how)
    return INTERRUPTED if played.mark.state == "interrupted" else WELL


async def _replayed(
    asked: Asked, installation: Installation, profile: Profile, *, as_json: bool
) -> tuple[Played, Ways]:
    target = Target(installation, asked.prefix)
    target.check_apart()
    await target.look()
    if asked.again:
        await target.delete()
    async with (
        AsyncExitStack() as stack,
        opened(installation, topics_wanted(asked, target.mark)) as source,
    ):
        work = await decide(asked, source, target)
        await check_filled(work.plan, source)
        if profile.simulator is None and not work.places:
            work = work._replace(places=await source.written_from(work.plan))
        partitions = _symbol_partitions(source, profile)
        pace = asked.speed
        if pace is None:
            pace = (await how_it_ran(installation, profile)).pace
        how = ways(
            installation,
            profile,
            asked.prefix,
            work.plan.topics,
            pace=pace,
            symbol_partitions=partitions,
        )
        stop = _asked_to_stop()
        stack.push_async_callback(target.close)
        await target.open(partitions, profile.kafka.replication)
        if not as_json:
            told.begin(work.plan, how)
        end_ms = await _end_ms(work.plan, source)
        with told.bar(work.begin_ms, end_ms, quiet=as_json) as progress:
            player = Player(work, source, target, stop, progress)
            played = await player.play(asked.speed, prepare=asked.prepare)
    return played, how


def _asked_to_stop() -> asyncio.Event:
    """Set by Ctrl-C and SIGTERM from now on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if threading.current_thread() is not threading.main_thread():
        return stop  # signals are another's
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _end_ms(plan: Plan, source: Source) -> int:
    """The period's end for the bar: the newest record's, where none was named."""
    if plan.to_ms < OPEN:
        return plan.to_ms
    return max((each.last_ms for each in (await source.kept()).values()), default=plan.from_ms)


def _symbol_partitions(source: Source, profile: Profile) -> int:
    """How many the replayed topics have. ReplayError where they differ among themselves."""
    counts = {
        name: count for name, count in source.partitions.items() if BY_NAME[name].partitions is None
    }
    if len(set(counts.values())) > 1:
        raise ReplayError(
            f"topics have different numbers of partitions ({counts}): replay them one by one with "
            "--topics"
        )
    return max(counts.values(), default=profile.kafka.symbol_partitions)
