"""An engine: evaluators with weights, thresholds and a cool-down, on one base granularity.

What a plug-in ships (a profile may change it), and what is resolved of it and decides.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from chandler.core.evaluator import Evaluator, PluginError
from chandler.core.events import Side
from chandler.core.granularity import Granularity, by_length, interval_ms, parse_granularity
from chandler.core.hashing import canonical, digest
from chandler.core.indicators import Atr
from chandler.core.indicators.spec import Indicator

STOP_ATR = Atr(14)  # what stop_atr and target_atr count in
WEIGHT_MAX = 1e6  # TOML has inf and nan, and a score of them would read as short
ATR_MAX = 1e6  # multiples of it


class EvaluatorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One evaluator inside an engine."""

    weight: float = 1.0  # 0 leaves it out
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


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """An engine as a plug-in ships it."""

    name: str
    version: str
    doc: str
    config: EngineConfig


class ResolvedEvaluator(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluator inside a resolved engine, with every tunable's value."""

    evaluator: Evaluator
    weight: float
    required: bool
    tunables: dict[str, float]


class ResolvedEngine(msgspec.Struct, frozen=True, kw_only=True):
    """An engine that can decide: every name looked up, every number checked."""

    name: str
    version: str
    granularity: Granularity
    evaluators: tuple[ResolvedEvaluator, ...]  # by name
    config: EngineConfig
    text: str  # canonical JSON of all that its decisions depend on, but the code
    hash: str  # of that text

    def inputs(self) -> dict[Granularity, list[Indicator]]:
        """The indicators that it reads, by granularity, the base first."""
        found: dict[Granularity, dict[str, Indicator]] = {self.granularity: {}}
        if self.config.stop_atr > 0 or self.config.target_atr:
            found[self.granularity][STOP_ATR.key] = STOP_ATR
        for resolved in self.evaluators:
            for indicator in resolved.evaluator.inputs.values():
                found.setdefault(indicator.on or self.granularity, {})[indicator.key] = indicator
        return {granularity: list(by_key.values()) for granularity, by_key in found.items()}


def resolve(
    name: str, version: str, config: EngineConfig, evaluators: Mapping[str, Evaluator]
) -> ResolvedEngine:
    """The engine ready to decide; PluginError says in one line what is wrong with it."""
    try:
        granularity = parse_granularity(config.granularity)
    except ValueError as error:
        raise PluginError(f"engine {name}: {error}") from None
    _check_numbers(name, config)
    chosen = tuple(
        _resolve_evaluator(name, each, config.evaluators[each], evaluators)
        for each in sorted(config.evaluators)
        if config.evaluators[each].weight != 0
    )
    if not chosen:
        raise PluginError(f"engine {name}: it has no evaluators, name one with a weight above 0")
    _check_granularities(name, granularity, chosen)
    text = canonical(_decisive(name, version, config, chosen))
    return ResolvedEngine(
        name=name,
        version=version,
        granularity=granularity,
        evaluators=chosen,
        config=config,
        text=text,
        hash=digest(text),
    )


def indicators_of(engines: Iterable[ResolvedEngine]) -> dict[Granularity, list[Indicator]]:
    """All that the engines read: granularities shortest first, indicators by key."""
    found: dict[Granularity, dict[str, Indicator]] = {}
    for engine in engines:
        for granularity, indicators in engine.inputs().items():
            by_key = found.setdefault(granularity, {})
            for indicator in indicators:
                other = by_key.setdefault(indicator.key, indicator)
                if other.step is not indicator.step:
                    raise PluginError(
                        f"engine {engine.name}: two different indicators are called "
                        f"{indicator.key}, rename the plug-in's own"
                    )
    return {
        granularity: [found[granularity][key] for key in sorted(found[granularity])]
        for granularity in by_length(set(found))
    }


def _resolve_evaluator(
    engine: str, name: str, config: EvaluatorConfig, evaluators: Mapping[str, Evaluator]
) -> ResolvedEvaluator:
    if name not in evaluators:
        known = " ".join(sorted(evaluators)) or "none"
        raise PluginError(f"engine {engine}: unknown evaluator {name!r}: there are {known}")
    evaluator = evaluators[name]
    if not 0 <= config.weight <= WEIGHT_MAX:
        raise PluginError(
            f"engine {engine}: weight {config.weight:g} of {name}: expected 0 to {WEIGHT_MAX:g}"
        )
    for tunable, value in config.set.items():
        if tunable not in evaluator.tunables:
            known = " ".join(evaluator.tunables) or "none"
            raise PluginError(
                f"engine {engine}: {name} has no tunable {tunable!r}: there are {known}"
            )
        tuning = evaluator.tunables[tunable]
        if not tuning.low <= value <= tuning.high:
            raise PluginError(
                f"engine {engine}: {name}.{tunable} is {value:g}: "
                f"expected {tuning.low:g} to {tuning.high:g}"
            )
    defaults = {tunable: tuning.default for tunable, tuning in evaluator.tunables.items()}
    changed = {tunable: float(value) for tunable, value in config.set.items()}
    return ResolvedEvaluator(
        evaluator=evaluator,
        weight=float(config.weight),
        required=config.required,
        tunables={**defaults, **changed},
    )


def _check_numbers(name: str, config: EngineConfig) -> None:
    rules = (
        (0 < config.long_threshold <= 1, "long_threshold", "above 0, at most 1"),
        (-1 <= config.short_threshold < 0, "short_threshold", "below 0, at least -1"),
        (config.cooldown >= 0, "cooldown", "0 or more"),
        (config.freshness_s > 0, "freshness_s", "above 0"),
        (0 <= config.stop_atr <= ATR_MAX, "stop_atr", f"0 to {ATR_MAX:g}"),
        (all(0 < each <= ATR_MAX for each in config.target_atr), "target_atr", "all above 0"),
        (set(config.sides) <= {"long", "short"} and config.sides, "sides", "long, short or both"),
    )
    for holds, field, expected in rules:
        if not holds:
            found = getattr(config, field)
            raise PluginError(f"engine {name}: {field} is {found}: expected {expected}")


def _check_granularities(
    name: str, base: Granularity, chosen: tuple[ResolvedEvaluator, ...]
) -> None:
    for resolved in chosen:
        for parameter, indicator in resolved.evaluator.inputs.items():
            on = indicator.on or base
            if interval_ms(on) < interval_ms(base):
                raise PluginError(
                    f"engine {name}: {resolved.evaluator.name} reads {parameter} on {on}, shorter "
                    f"than the engine's {base}: expected {base} or longer"
                )


def _decisive(
    name: str, version: str, config: EngineConfig, chosen: tuple[ResolvedEvaluator, ...]
) -> dict[str, Any]:
    fields = msgspec.to_builtins(config)
    del fields["enabled"]
    fields["evaluators"] = {
        each.evaluator.name: {
            "version": each.evaluator.version,
            "weight": each.weight,
            "required": each.required,
            "set": each.tunables,
            "reads": {
                parameter: f"{indicator.key}@{indicator.on or config.granularity}"
                for parameter, indicator in each.evaluator.inputs.items()
            },
        }
        for each in chosen
    }
    return {"name": name, "version": version, **fields}
