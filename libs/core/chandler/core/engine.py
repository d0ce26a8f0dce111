"""An engine: evaluators with weights, thresholds and a cool-down, on one base granularity."""

import msgspec

from chandler.core.events import Side


class EvaluatorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One evaluator inside an engine."""

    weight: float = 1.0
    required: bool = False  # an absent note of it blocks the engine's signal
    set: dict[str, float] = {}  # tunables that differ from their defaults


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole engine; in a profile each field overrides what the plug-in ships."""

    granularity: str = "5m"
    evaluators: dict[str, EvaluatorConfig] = {}
    long_threshold: float = 0.4  # weighted note at or above it: long
    short_threshold: float = -0.4  # at or below it: short
    cooldown: int = 3  # base candles after a signal in which no other one is given
    sides: tuple[Side, ...] = ("long", "short")
    symbols: list[str] = []  # empty: all
    freshness_s: int = 120  # a signal older than this at the executor is not acted on
    stop_atr: float = 0.0  # stop's distance in ATR(14) of the base; 0: none
    target_atr: list[float] = []  # targets' distances in ATR(14)
    enabled: bool = True
