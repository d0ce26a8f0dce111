# mypy: disable-error-code="valid-type,misc,no-any-return"
"""Evaluators that look ahead, planted in several ways: each is caught."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chandler.core.evaluator import Evaluator, Tunable, evaluator
from chandler.core.indicators import Rsi
from chandler.replay.causal import check, keeps
from tests.candles import BTC, path
from tests.planted import engine, hourly, mood, raising

CANDLES = {BTC: path(12 * 30)}
NEWEST: dict[str, float] = {}
COUNTER: Iterator[int] = itertools.count()
LIMITS = (0.2, 0.8)


@evaluator(version="1.0")
def honest(rsi: Rsi(3), *, middle: float = Tunable(50.0, 40.0, 60.0)) -> float:
    """Reads a constant of its module and nothing else."""
    return LIMITS[1] if rsi > middle else -LIMITS[1]


@evaluator(version="1.0")
def remembering(rsi: Rsi(3)) -> float:
    """Knows the greatest RSI that any run has ever seen, the future's included."""
    NEWEST["greatest"] = max(rsi, NEWEST.get("greatest", 0.0))
    return 1.0 if rsi == NEWEST["greatest"] else -1.0


@evaluator(version="1.0")
def counting(rsi: Rsi(3)) -> float:
    """Says something else each time."""
    return (next(COUNTER) % 11) / 20.0


def closing_over(known: list[float]) -> Evaluator:
    @evaluator(version="1.0")
    def closure(rsi: Rsi(3)) -> float:
        """Reads a list that was filled before."""
        known.append(rsi)
        return 1.0 if len(known) % 11 else -1.0

    return closure


def through(function: Callable[[float], float]) -> Evaluator:
    @evaluator(version="1.0")
    def indirect(rsi: Rsi(3)) -> float:
        """Looks ahead in a function that it calls."""
        return function(rsi)

    return indirect


def leaking(rsi: float) -> float:
    NEWEST["leak"] = NEWEST.get("leak", 0.0) + rsi
    return 1.0 if NEWEST["leak"] % 2.0 > 1.0 else -1.0


def test_honest_evaluators_and_engines_have_no_violation() -> None:
    report = check([honest, mood, hourly], [engine("one", "mood", "hourly")], CANDLES)

    assert (report.evaluators, report.engines) == (3, 1)
    assert (report.violations, report.unchecked) == ([], [])
    assert report.decisions > 5_000


@pytest.mark.parametrize(
    "planted",
    [remembering, counting, closing_over([]), through(leaking)],
    ids=lambda each: each.name,
)
def test_an_evaluator_that_knows_the_future_is_caught(planted: Evaluator) -> None:
    report = check([planted], [], CANDLES)

    dynamic = [line for line in report.violations if " the note is " in line]
    assert dynamic, report
    assert keeps(planted), "and what it keeps is named"


def test_what_outlives_a_call_is_named() -> None:
    assert keeps(remembering) == [
        "evaluator remembering: remembering reads NEWEST, a dict that outlives the call"
    ]
    assert keeps(counting) == [
        "evaluator counting: counting reads COUNTER, a count that outlives the call"
    ]
    assert keeps(through(leaking)) == [
        "evaluator indirect: leaking reads NEWEST, a dict that outlives the call"
    ]
    assert keeps(honest) == []


def test_an_engine_is_blamed_where_its_evaluators_are_not() -> None:
    report = check([], [engine("one", "mood")], CANDLES)

    assert report.violations == []
    assert report.decisions > 1_000


def test_an_evaluator_that_never_gave_a_note_counts_as_not_looked_at() -> None:
    report = check([raising], [], CANDLES)

    assert report.unchecked == [
        "evaluator raising never gave a note: raised ZeroDivisionError: float division by zero"
    ]


def test_without_candles_nothing_was_compared() -> None:
    found: Any = check([mood], [], {})

    assert found.decisions == 0
    assert found.unchecked == ["evaluator mood never gave a note: no candles"]
