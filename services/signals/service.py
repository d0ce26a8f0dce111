"""signals: notes, matrix and signals of every enabled engine, at each close of its base candles."""

import logging
import time
from collections.abc import Callable
from typing import Any

from chandler.core.engine import indicators_of
from chandler.core.evaluator import Evaluator
from chandler.core.granularity import INTERVAL_MS
from chandler.core.notes import Invoke, call
from chandler.core.signals import stage
from chandler.streams.exact import StageObserver, run_stage, stage_metrics
from chandler.streams.writing.configs import record_configs
from services import plugins
from services.declaration import Context, Metric, Metrics, Service

NOTE_S_MAX = 0.05  # an evaluator that takes longer is reported; its note counts all the same
SAY_AGAIN_S = 60.0
CANDLE_TO_SIGNAL = "chandler_signals_candle_to_signal_seconds"
SLOW = "chandler_signals_slow_notes_total"


async def run(context: Context) -> None:
    """Runs the enabled engines until the stop."""
    loaded = plugins.load()
    resolution = plugins.resolution(context.profile, loaded)
    for fault in (*loaded.faults, *resolution.faults):
        context.log.warning("%s", fault)
    context.metrics.set("chandler_signals_left_out", len(loaded.faults) + len(resolution.faults))
    engines = resolution.engines
    if not engines:
        context.health.ready, context.health.state = True, "no engines"
        context.log.warning("no engine is enabled: set engines.NAME.enabled = true for one")
        await context.stop.wait()
        return
    await record_configs(context.installation, "signals", [engine.text for engine in engines])
    for name in {each.evaluator.name for engine in engines for each in engine.evaluators}:
        context.metrics.add(SLOW, 0, evaluator=name)  # there from the start
    for engine in engines:
        context.log.info("engine %s %s on %s", engine.name, engine.version, engine.granularity)
    await run_stage(
        stage(engines, code=context.code, invoke=timed(context.metrics, context.log)),
        installation=context.installation,
        service="signals",
        reach_ms={f"indicators.{each}": INTERVAL_MS[each] for each in indicators_of(engines)},
        stop=context.stop,
        health=context.health,
        observer=StageObserver(
            "signals", context.metrics, context.log, timed={"signals": CANDLE_TO_SIGNAL}
        ),
    )


def timed(
    metrics: Metrics, log: logging.Logger, clock: Callable[[], float] = time.perf_counter
) -> Invoke:
    """Calls an evaluator and reports it, at most once a minute, where it is slow."""
    said: dict[str, float] = {}

    def invoke(evaluator: Evaluator, arguments: dict[str, Any]) -> object:
        started = clock()
        try:
            return call(evaluator, arguments)
        finally:
            ended = clock()
            if ended - started > NOTE_S_MAX:
                metrics.add(SLOW, evaluator=evaluator.name)
                if ended - said.get(evaluator.name, -SAY_AGAIN_S) >= SAY_AGAIN_S:
                    said[evaluator.name] = ended
                    log.warning(
                        "evaluator %s took %.0f ms, expected at most %.0f: every signal waits "
                        "for it, make it faster",
                        evaluator.name,
                        (ended - started) * 1_000,
                        NOTE_S_MAX * 1_000,
                    )

    return invoke


SERVICE = Service(
    name="signals",
    kind="stage",
    doc="notes, matrix and signals of every enabled engine",
    reads=tuple(f"indicators.{granularity}" for granularity in INTERVAL_MS),
    writes=("matrix", "signals", "state.signals", "configs", "dead-letters"),
    metrics=(
        *stage_metrics("signals"),
        Metric(
            name=CANDLE_TO_SIGNAL,
            kind="histogram",
            doc="from the record of a candle to the commit of its signal, by Kafka's time and ours",
        ),
        Metric(
            name=SLOW,
            kind="counter",
            doc="notes that took their evaluator more than 50 ms",
            labels=("evaluator",),
        ),
        Metric(
            name="chandler_signals_left_out",
            kind="gauge",
            doc="plug-ins and engines that can't be used",
        ),
    ),
    run=run,
    scalable=True,
)
