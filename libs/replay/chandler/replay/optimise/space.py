"""What may be varied: numbers of engines and trading modes, each within its range.

A value has as many places as it takes to tell a thousand apart: what stands in the profile is
what was tried.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chandler.core.engine import ResolvedEngine
from chandler.core.trading.modes import TradingMode

PLACES = 3  # of the range's width
THRESHOLD_LOW, THRESHOLD_HIGH = 0.05, 0.95  # of a weighted note, either side


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A number of the profile that a trial sets."""

    path: str  # engines.scalper.long_threshold
    low: float
    high: float
    now: float  # what the profile has, put into the range
    whole: bool = False  # an integer

    def applied(self, number: float) -> float:
        """What is tried for `number`: rounded, finite and within the range."""
        assert math.isfinite(number), f"{self.path}: {number} is no finite number"
        if self.whole:
            return float(min(max(round(number), math.ceil(self.low)), math.floor(self.high)))
        places = PLACES - math.floor(math.log10(self.high - self.low))
        return min(max(round(number, places), self.low), self.high)

    def change(self, number: float) -> str:
        """As --set takes it: engines.scalper.long_threshold=0.4125"""
        found = self.applied(number)
        return f"{self.path}={int(found) if self.whole else found!r}"


def changes_of(parameters: Sequence[Parameter], values: Mapping[str, float]) -> list[str]:
    """One a.b=value for each parameter."""
    return [each.change(values[each.path]) for each in parameters]


def of_engine(engine: ResolvedEngine) -> list[Parameter]:
    """The tunables of its evaluators, and the thresholds of the sides that it takes."""
    root = f"engines.{engine.name}"
    found = []
    for each in engine.evaluators:
        for name, tuning in each.evaluator.tunables.items():
            path = f"{root}.evaluators.{each.evaluator.name}.set.{name}"
            found.append(_parameter(path, tuning.low, tuning.high, each.tunables[name]))
    low, high, config = THRESHOLD_LOW, THRESHOLD_HIGH, engine.config
    if "long" in config.sides:
        found.append(_parameter(f"{root}.long_threshold", low, high, config.long_threshold))
    if "short" in config.sides:
        found.append(_parameter(f"{root}.short_threshold", -high, -low, config.short_threshold))
    return [each for each in found if each.low < each.high]


def of_mode(agent: str, mode: TradingMode[Any], settings: msgspec.Struct) -> list[Parameter]:
    """The settings of an agent's trading mode that the mode gives a range for."""
    found = []
    for name, (low, high) in mode.tunables.items():
        now = getattr(settings, name)
        path = f"agents.{agent}.set.{name}"
        found.append(_parameter(path, low, high, float(now), whole=isinstance(now, int)))
    return found


def _parameter(path: str, low: float, high: float, now: float, whole: bool = False) -> Parameter:
    return Parameter(path=path, low=low, high=high, now=min(max(now, low), high), whole=whole)
