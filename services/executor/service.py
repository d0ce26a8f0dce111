"""executor: turns signals into orders, once each: journal, intents, paper fills, live orders.

One desk shard for paper money, or several, and one for each live account; paper ones first.
"""

import asyncio
from collections.abc import Mapping
from functools import partial

from chandler.core.desk.config import Desk
from chandler.core.desk.state import AgentState, pending
from chandler.core.watermarks import AHEAD_MS_MAX
from chandler.streams.exact import HealthSink, OnRestored, Shard, run_desk
from chandler.streams.telemetry.parts import Part, Parts
from chandler.streams.writing.configs import record_configs
from services.brokers import broker_of
from services.declaration import Context, Service
from services.desks import desks
from services.executor.figures import METRICS, DeskFold, Figures
from services.executor.venue import Venue
from services.layers import ConfigurationError
from services.profile import Profile
from services.watchdog.recovery import Recovery, telling


async def run(context: Context) -> None:
    """Runs every shard, or the one that was named, until the stop."""
    if not context.profile.trades:
        context.health.ready, context.health.state = True, "no agents"
        context.log.warning("no agent is enabled: set agents.NAME in the profile")
        await context.stop.wait()
        return
    every = desks(context.profile)
    chosen = _chosen(every, context.shard)
    await record_configs(context.installation, "executor", [desk.text for desk in chosen])
    parts = Parts(context.health)
    recovery = Recovery("executor", len(chosen))
    async with telling(context.installation, recovery), asyncio.TaskGroup() as tasks:
        for desk in chosen:
            names = " ".join(desk.agents) or "no agents"
            context.log.info("shard %d (%s): %s", desk.shard, desk.account or "paper", names)
            restored = recovery.part(str(desk.shard), open_of)
            if desk.kind == "paper":
                tasks.create_task(_paper(context, desk, parts.one(), restored))
            else:
                tasks.create_task(_live(context, desk, parts.one(), restored))


def open_of(states: Mapping[str, AgentState]) -> dict[str, int]:
    """What the desk has open, by what it is."""
    return {
        "position": sum(len(state.holdings) for state in states.values()),
        "unresolved order": sum(len(pending(state)) for state in states.values()),
    }


def _chosen(every: tuple[Desk, ...], shard: int | None) -> list[Desk]:
    """The shards to run: all, but no account that nobody trades on."""
    if shard is not None and shard >= len(every):
        raise ConfigurationError(
            f"there is no shard {shard}: the desk has {len(every)}, name one from 0 on"
        )
    return [
        desk
        for desk in every
        if (shard is None or desk.shard == shard) and (desk.kind == "paper" or desk.agents)
    ]


def shard_of(profile: Profile, desk: Desk) -> Shard:
    """What the loop has to know of a shard."""
    return Shard(
        number=desk.shard,
        shards=profile.desk.shards,
        live=desk.kind == "live",
        window_s_max=profile.desk.window_s_max,
        patience_s=profile.desk.window_s_max if desk.engines else 0.0,
        guarded=profile.guarded,
        ahead_ms_max=round(AHEAD_MS_MAX * max(1.0, profile.pace)),
    )


async def _paper(
    context: Context, desk: Desk, health: Part, restored: OnRestored[AgentState]
) -> None:
    await run_desk(
        DeskFold(desk, context.code),
        shard_of(context.profile, desk),
        installation=context.installation,
        stop=context.stop,
        health=health,
        observer=Figures(desk.shard, context.metrics, context.log),
        restored=restored,
    )


async def _live(
    context: Context, desk: Desk, health: Part, restored: OnRestored[AgentState]
) -> None:
    venue = Venue(
        desk,
        partial(broker_of, context.profile, context.installation, desk.account),
        reconcile_s=context.profile.desk.reconcile_s,
        log=context.log,
        tell=context.tell,
    )
    await live(desk, venue, context, health, restored)


async def live(
    desk: Desk,
    venue: Venue,
    context: Context,
    health: HealthSink,
    restored: OnRestored[AgentState] | None = None,
) -> None:
    """One live shard with its venue.

    From the stop on nothing is decided; the venue's last replies are taken in, then it ends.
    """
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            run_desk(
                DeskFold(desk, context.code),
                shard_of(context.profile, desk),
                installation=context.installation,
                stop=ended,
                health=health,
                observer=Figures(desk.shard, context.metrics, context.log),
                effects=venue,
                closing=context.stop,
                restored=restored,
            )
        )
        await venue.run(context.stop)
        ended.set()


SERVICE = Service(
    name="executor",
    kind="edge",
    doc="turns signals and exits into orders, once each",
    reads=(
        "signals",
        "signals.external",
        "matrix",
        "pumps",
        "exits",
        "tickers",
        "commands",
        "instruments",
        "funding",
    ),
    writes=("desk", "desk.state", "orders", "answers", "notices", "configs", "dead-letters"),
    metrics=METRICS,
    run=run,
)
