"""The work of `bench backtest`: an EMA cross with an RSI filter, as an engine."""

from typing import NamedTuple

from chandler.core.engine import Engine, EngineConfig, EvaluatorConfig
from chandler.core.evaluator import Tunable, evaluator
from chandler.core.indicators import Rsi
from chandler.core.indicators.averages import SMOOTHED, Smoothed, smooth
from chandler.core.indicators.spec import Bars, Indicator


class CrossState(NamedTuple):
    fast: Smoothed
    slow: Smoothed
    before: int  # 1: the fast one was above at the bar before, -1: below, 0: neither, 2: not known
    crossed: float  # 1.0 upwards at this bar, -1.0 downwards, 0.0 not


def cross_step(state: CrossState, bars: Bars, i: int, fast: int, slow: int) -> CrossState:
    quick = smooth(state.fast, bars.close[i], fast)
    slack = smooth(state.slow, bars.close[i], slow)
    if slack.seen < slow:
        return CrossState(quick, slack, 2, 0.0)
    now = 0
    if quick.value > slack.value:
        now = 1
    elif quick.value < slack.value:
        now = -1
    crossed = 0.0
    if now == 1 and state.before <= 0:
        crossed = 1.0
    elif now == -1 and (state.before == 0 or state.before == 1):
        crossed = -1.0
    return CrossState(quick, slack, now, crossed)


def cross_ready(state: CrossState, fast: int, slow: int) -> bool:
    return state.slow.seen >= slow


def cross_value(state: CrossState, fast: int, slow: int) -> float:
    return state.crossed


EMA_CROSS = Indicator(
    name="ema_cross",
    params=(12, 26),
    start=CrossState(SMOOTHED, SMOOTHED, 2, 0.0),
    step=cross_step,
    ready=cross_ready,
    value=cross_value,
)


@evaluator(version="1.0")
def ema_cross(
    cross: EMA_CROSS,
    rsi: Rsi(14),
    *,
    high: float = Tunable(70.0, 50.0, 100.0),
) -> float:
    """Long where EMA 12 crosses above EMA 26 while RSI is below `high`; short where below."""
    if cross > 0.0 and rsi < high:
        return 1.0
    return -1.0 if cross < 0.0 else 0.0


cross = Engine(
    name="cross",
    version="1.0",
    doc="5m: an EMA cross with an RSI filter.",
    config=EngineConfig(
        granularity="5m",
        evaluators={"ema_cross": EvaluatorConfig()},
        long_threshold=1.0,
        short_threshold=-1.0,
        cooldown=0,
        freshness_s=86_400,
    ),
)
