"""positions: open positions of all agents, marked at each tick, and their exits.

Paper money in the order of things (DESIGN.md §5.10), live accounts by arrival, in one process.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from chandler.core.desk.config import Desk
from chandler.core.positions.stage import Judge, Watching, stage
from chandler.core.positions.state import SymbolPositions
from chandler.core.stage import Output
from chandler.core.trading.events import ExitsOut
from chandler.streams.exact import Arrival, StageObserver, Watermarks, run_stage, stage_metrics
from chandler.streams.telemetry.parts import Parts
from services.declaration import Context, Service
from services.desks import desks
from services.positions.figures import METRICS, Figures
from services.profile import Profile
from services.watchdog.recovery import Recovery, telling

INPUTS = ("tickers", "orders")
MARK_EVERY_MS = 1_000  # wall time between two marks of a position that does not change
RETRY_MS = 5_000  # wall time after which an exit that nobody took is asked for again
LIVE = "positions_live"
OUT_KEY = "@out"


async def run(context: Context) -> None:
    """Watches positions until the stop."""
    profile, log = context.profile, context.log
    if not profile.trades:
        context.health.ready, context.health.state = True, "no agents"
        log.warning("no agent is enabled: set agents.NAME in the profile")
        await context.stop.wait()
        return
    shards = desks(profile)
    parts = Parts(context.health)
    run_one = partial(
        run_stage,
        installation=context.installation,
        stop=context.stop,
        observer=StageObserver("positions", context.metrics, log),
    )
    figures = Figures(context.metrics)
    recovery = Recovery("positions", 2 if profile.accounts else 1)
    name = f"positions-{context.instance}"  # several workers share the symbols
    async with telling(context.installation, recovery), asyncio.TaskGroup() as tasks:
        paper = paper_watching(profile, shards)
        tasks.create_task(
            run_one(
                figures.metered(stage(paper)),
                service="positions",
                health=parts.one(),
                intake=Watermarks(INPUTS),
                beat=partial(exits_out, paper.latency_ms),
                restored=recovery.part(name, watched),
            )
        )
        if profile.accounts:
            tasks.create_task(
                run_one(
                    figures.metered(stage(live_watching(profile, shards))),
                    service=LIVE,
                    health=parts.one(),
                    intake=Arrival(INPUTS),
                    restored=recovery.part(f"{name}-live", watched),
                )
            )


def watched(states: Mapping[str, SymbolPositions]) -> dict[str, int]:
    """What is watched, by what it is."""
    return {"watched position": sum(len(state.open) for state in states.values())}


def exits_out(latency_ms: int, partition: int, clock: int) -> Output:
    """Everything up to `clock` was judged: what is due up to `latency_ms` later is out."""
    return Output("exits", OUT_KEY, ExitsOut(partition=partition, at=clock + latency_ms))


def paper_watching(profile: Profile, shards: Sequence[Desk]) -> Watching:
    """How positions of paper money are watched."""
    return Watching(
        name="positions",
        judges=judges_of(shards),
        belongs=lambda account: account not in profile.accounts,
        latency_ms=shards[0].latency_ms,
        mark_every_ms=round(MARK_EVERY_MS * profile.pace),
        retry_ms=round(RETRY_MS * profile.pace),
    )


def live_watching(profile: Profile, shards: Sequence[Desk]) -> Watching:
    """How positions of live accounts are watched: an exit is due at once."""
    return Watching(
        name=LIVE,
        judges=judges_of(shards),
        belongs=lambda account: account in profile.accounts,
        latency_ms=0,
        mark_every_ms=round(MARK_EVERY_MS * profile.pace),
        retry_ms=round(RETRY_MS * profile.pace),
        by_arrival=True,
    )


def judges_of(shards: Sequence[Desk]) -> dict[str, Judge]:
    """Each agent's trading mode with its settings, whether it is enabled or not."""
    return {
        agent.name: partial(agent.mode.watch, agent.settings)
        for shard in shards
        for agent in shard.agents.values()
    }


SERVICE = Service(
    name="positions",
    kind="stage",
    doc="open positions, marked at each tick, and their exits",
    reads=INPUTS,
    writes=(
        "positions",
        "exits",
        "state.positions",
        "state.positions_live",
        "notices",
        "dead-letters",
    ),
    metrics=(*stage_metrics("positions"), *METRICS),
    run=run,
    scalable=True,
)
