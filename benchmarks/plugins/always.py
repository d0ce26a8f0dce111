"""An engine that has a signal at every 5m close, so that each close's way can be timed."""

from chandler.core.engine import Engine, EngineConfig, EvaluatorConfig
from chandler.core.evaluator import evaluator
from chandler.core.indicators import Rsi

CHANDLER_CORE = ">=0.1,<0.2"


@evaluator(version="1.0")
def always_long(rsi: Rsi(14)) -> float:
    """Fully long as soon as there is an RSI."""
    if rsi >= 0.0:
        return 1.0
    return 0.0


always = Engine(
    name="always",
    version="1.0",
    doc="5m: long at every close; for benchmarks.",
    config=EngineConfig(
        granularity="5m",
        evaluators={"always_long": EvaluatorConfig(required=True)},
        long_threshold=0.5,
        short_threshold=-0.5,
        cooldown=0,
    ),
)
