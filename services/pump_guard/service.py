"""pump_guard: whether a symbol is pumped, from its tickers and sealed 1m candles."""

import time
from collections.abc import Callable, Sequence

import msgspec

from chandler.core.events import Event
from chandler.core.granularity import HOUR_MS, MINUTE_MS, interval_ms
from chandler.core.hashing import canonical
from chandler.core.market.pump import BOUNDARY_MS, MINUTE, PumpSeries, stage
from chandler.core.stage import Output, Stage
from chandler.core.trading.events import PumpState
from chandler.streams.exact import EventTime, StageObserver, run_stage, stage_metrics
from chandler.streams.writing.configs import record_configs
from services import plugins
from services.declaration import Context, Metric, Metrics, Service
from services.profile import Profile

CANDLES = f"candles.{MINUTE}"
AHEAD_WALL_MS = 60_000  # by which candles and tickers may run ahead of each other, at any pace
AHEAD_MS_MAX = 2 * HOUR_MS  # … and at the venue's own
IDLE_S_MAX = 1.0  # most tickers change nothing: how often their offsets are committed
FORGET_S = 60.0  # a symbol without a record for that long is another worker's now


async def run(context: Context) -> None:
    """Watches for pumps until the stop."""
    profile = context.profile
    if not profile.guarded:
        context.health.ready, context.health.state = True, "nothing to guard"
        context.log.warning("no agent is enabled, or pump.enabled is false: nothing to guard")
        await context.stop.wait()
        return
    await record_configs(context.installation, "pump_guard", [canonical(profile.pump)])
    ahead_ms = max(AHEAD_MS_MAX, int(AHEAD_WALL_MS * profile.pace))
    guard = stage(
        profile.pump,
        heartbeat_ms=int(profile.pump.heartbeat_ms * profile.pace),
        boundary_ms=boundary(profile),
    )
    await run_stage(
        metered(guard, context.metrics),
        installation=context.installation,
        service="pump_guard",
        stop=context.stop,
        health=context.health,
        observer=StageObserver("pump_guard", context.metrics, context.log),
        intake=EventTime({CANDLES: MINUTE_MS, "tickers": 0}, ahead_ms, IDLE_S_MAX),
    )


def boundary(profile: Profile) -> int:
    """The shortest base: the guard's state is said at each close that may give a signal, ms."""
    bases = [interval_ms(engine.granularity) for engine in plugins.resolve(profile)]
    return min((BOUNDARY_MS, *bases))


def metered(
    guard: Stage[PumpSeries], metrics: Metrics, clock: Callable[[], float] = time.monotonic
) -> Stage[PumpSeries]:
    """The same stage; what it says of pumps and what waits in it is measured."""
    pumped: dict[str, float] = {}  # symbol → monotonic s of its newest record
    held: dict[str, int] = {}  # symbol → ticks that wait

    def step(state: PumpSeries, event: Event) -> tuple[PumpSeries, Sequence[Output]]:
        after, outputs = guard.step(state, event)
        if len(after.ticks) != len(state.ticks):
            held[guard.key(event)] = len(after.ticks)
            metrics.set("chandler_pump_guard_held_ticks", sum(held.values()))
        records = [each.event for each in outputs if isinstance(each.event, PumpState)]
        if records:
            tell(records)
        return after, outputs

    def tell(records: Sequence[PumpState]) -> None:
        now = clock()
        for record in records:
            if record.kind == "started":
                metrics.add("chandler_pump_guard_started_total")
            pumped.pop(record.symbol, None)
            if record.pump != "none":
                pumped[record.symbol] = now
        for symbol in [each for each, at in pumped.items() if now - at > FORGET_S]:
            del pumped[symbol]
        metrics.set("chandler_pump_guard_pumped", len(pumped))

    return msgspec.structs.replace(guard, step=step)


SERVICE = Service(
    name="pump_guard",
    kind="stage",
    doc="whether a symbol is pumped, so that nothing goes short in a pump",
    reads=(CANDLES, "tickers"),
    writes=("pumps", "state.pump_guard", "configs", "dead-letters"),
    metrics=(
        *stage_metrics("pump_guard"),
        Metric(name="chandler_pump_guard_pumped", kind="gauge", doc="symbols in a pump or a crash"),
        Metric(
            name="chandler_pump_guard_started_total", kind="counter", doc="pumps and crashes begun"
        ),
        Metric(
            name="chandler_pump_guard_held_ticks",
            kind="gauge",
            doc="tickers that wait for their minute's candle",
        ),
    ),
    run=run,
    scalable=True,
)
