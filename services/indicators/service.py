"""indicators: one row of indicator values for every sealed candle."""

from chandler.core.granularity import DAY_MS, INTERVAL_MS
from chandler.core.indicator_stage import config_text, stage
from chandler.streams.exact import StageObserver, run_stage, stage_metrics
from chandler.streams.writing.configs import record_configs
from services import plugins
from services.declaration import Context, Service

# The fold keeps each granularity by itself, so none has to wait for another.
AHEAD_MAX_MS = 100 * 365 * DAY_MS


async def run(context: Context) -> None:
    """Computes what the enabled engines read, and nothing else, until the stop."""
    wanted = plugins.wanted(context.profile)
    if not wanted.indicators:
        context.health.ready, context.health.state = True, "nothing wanted"
        context.log.warning("no engine is enabled and nothing is pinned: nothing to compute")
        await context.stop.wait()
        return
    await record_configs(
        context.installation, "indicators", map(config_text, wanted.indicators.values())
    )
    for granularity, indicators in wanted.indicators.items():
        names = " ".join(indicator.key for indicator in indicators)
        context.log.info("%s: %s", granularity, names or "rows without indicators")
    await run_stage(
        stage(wanted.indicators, code=context.code),
        installation=context.installation,
        service="indicators",
        reach_ms={f"candles.{each}": INTERVAL_MS[each] for each in wanted.indicators},
        stop=context.stop,
        health=context.health,
        observer=StageObserver("indicators", context.metrics, context.log),
        ahead_max_ms=AHEAD_MAX_MS,
    )


SERVICE = Service(
    name="indicators",
    kind="stage",
    doc="one row of indicator values for every sealed candle",
    reads=tuple(f"candles.{granularity}" for granularity in INTERVAL_MS),
    writes=(
        *(f"indicators.{granularity}" for granularity in INTERVAL_MS),
        "state.indicators",
        "configs",
        "dead-letters",
    ),
    metrics=stage_metrics("indicators"),
    run=run,
    scalable=True,
)
