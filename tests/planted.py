# mypy: disable-error-code="valid-type,misc,no-any-return"
"""Evaluators for tests: honest ones, broken ones, and an engine around them."""

from typing import Any

from chandler.core.engine import EngineConfig, EvaluatorConfig, ResolvedEngine, resolve
from chandler.core.evaluator import Evaluator, Tunable, evaluator
from chandler.core.indicators import EmaSlope, Rsi


@evaluator(version="1.0")
def mood(rsi: Rsi(3), *, middle: float = Tunable(50.0, 40.0, 60.0)) -> float:
    """From RSI alone: +1 at 100, -1 at 0."""
    return (rsi - middle) / 60.0


@evaluator(version="1.0")
def hourly(slope: EmaSlope(2, on="1H")) -> float:
    """The direction of the last hours."""
    return 1.0 if slope > 0.0 else -1.0


@evaluator(version="1.0")
def daily_part(slope: EmaSlope(1, on="4H")) -> float:
    """The direction of the last 4H candles."""
    return 1.0 if slope > 0.0 else -1.0


@evaluator(version="1.0")
def seven(rsi: Rsi(3)) -> float:
    """Never in range."""
    return 7.0


@evaluator(version="1.0")
def not_a_number(rsi: Rsi(3)) -> float:
    """Never finite."""
    return float("nan")


@evaluator(version="1.0")
def raising(rsi: Rsi(3)) -> float:
    """Never returns."""
    raise ZeroDivisionError("float division\nby zero")


ALL: dict[str, Evaluator] = {
    each.name: each for each in (mood, hourly, daily_part, seven, not_a_number, raising)
}


def engine(name: str, *evaluators: str, **config: Any) -> ResolvedEngine:
    """An engine with these evaluators; the config's other fields as given."""
    chosen = {each: EvaluatorConfig() for each in evaluators}
    return resolve(name, "1.0", EngineConfig(**{"evaluators": chosen, **config}), ALL)
