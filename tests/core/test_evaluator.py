# mypy: disable-error-code="valid-type,misc,no-any-return"
"""The evaluator decorator and the judging of what evaluators return."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.evaluator import PluginError, Tunable, Tuning, evaluator
from chandler.core.indicators import EmaSlope, Rsi
from chandler.core.notes import judge, note
from tests.planted import mood, raising


def test_what_a_function_reads_and_what_can_be_tuned_are_its_parameters() -> None:
    @evaluator(version="2.1")
    def weak(
        rsi: Rsi(14), trend: EmaSlope(50, on="1H"), *, low: float = Tunable(30, 10, 45)
    ) -> Any:
        """Buys weakness."""
        return low - rsi

    assert (weak.name, weak.version, weak.doc) == ("weak", "2.1", "Buys weakness.")
    assert {name: (each.key, each.on) for name, each in weak.inputs.items()} == {
        "rsi": ("rsi(14)", None),
        "trend": ("ema_slope(50,1)", "1H"),
    }
    assert weak.tunables == {"low": Tuning(30.0, 10.0, 45.0)}


def test_calling_an_evaluator_fills_in_the_defaults_of_its_tunables() -> None:
    assert mood(65.0) == 0.25
    assert mood(65.0, middle=45.0) == 20 / 60


def plain(rsi: float) -> float:
    return rsi


def positional_tunable(rsi: Rsi(14), low: float = Tunable(30, 10, 45)) -> float:
    return rsi


def bare_keyword(rsi: Rsi(14), *, low: float = 30.0) -> float:
    return rsi


def open_ended(*rsi: Rsi(14)) -> float:
    return 0.0


def reading_nothing(*, low: float = Tunable(30, 10, 45)) -> float:
    return low


def text_annotation(rsi: "Rsi(14)") -> float:
    return rsi


def default_for_input(rsi: Rsi(14) = 3.0) -> float:
    return rsi


async def asynchronous(rsi: Rsi(14)) -> float:
    return rsi


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (plain, "parameter 'rsi' names no indicator, write rsi: Rsi(14)"),
        (positional_tunable, "tunable 'low' must be a keyword, put * before it"),
        (bare_keyword, "keyword 'low' has no range, write low: float = Tunable("),
        (open_ended, "is not possible, name each indicator"),
        (reading_nothing, "it reads nothing"),
        (text_annotation, "remove `from __future__ import annotations`"),
        (default_for_input, "indicator 'rsi' can't have a default"),
        (asynchronous, "expected a plain function"),
    ],
)
def test_a_wrong_signature_is_refused_in_one_line(function: Any, said: str) -> None:
    with pytest.raises(PluginError) as refused:
        evaluator(version="1.0")(function)

    assert said in str(refused.value)
    assert function.__name__ in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_tunable_whose_default_is_out_of_its_range_is_refused() -> None:
    with pytest.raises(PluginError, match="expected low <= default <= high"):
        Tunable(50, 10, 45)


@given(st.floats(-1, 1))
def test_a_number_in_range_is_the_note(value: float) -> None:
    assert judge(value) == (value + 0.0, "", "")


def test_a_note_that_rounding_carried_past_one_is_clipped() -> None:
    assert judge(1.0000000000000002).value == 1.0
    assert judge(-1.0000000000000002).value == -1.0


@pytest.mark.parametrize("whole", [-1, 0, 1])
def test_whole_numbers_in_range_are_notes(whole: int) -> None:
    value = judge(whole).value

    assert value == whole
    assert type(value) is float


@pytest.mark.parametrize(
    ("returned", "said", "fault"),
    [
        (7, "returned 7, expected a number in [-1, 1]", "evaluator returned"),
        (-1.5, "returned -1.5, expected a number in [-1, 1]", "evaluator returned"),
        (True, "returned bool, expected a number in [-1, 1]", "evaluator returned"),
        ("long", "returned str, expected a number in [-1, 1]", "evaluator returned"),
        (None, "returned None, expected a number in [-1, 1]", "evaluator returned"),
        (float("nan"), "returned nan, expected a number in [-1, 1]", "note not finite"),
        (float("inf"), "returned inf, expected a number in [-1, 1]", "note not finite"),
        (10**400, "returned inf, expected a number in [-1, 1]", "note not finite"),
    ],
)
def test_anything_else_is_no_note_and_a_fault(returned: object, said: str, fault: str) -> None:
    """A clipped 7 or NaN would read as fully long."""
    assert judge(returned) == (None, said, fault)


def test_an_evaluator_that_raises_gives_no_note_and_one_line() -> None:
    made = note(raising, {"rsi": 40.0}, {})

    assert made == (None, "raised ZeroDivisionError: float division by zero", "evaluator raised")


def test_an_indicator_that_is_not_warm_is_named_and_nothing_is_called() -> None:
    assert note(raising, {}, {}) == (None, "rsi(3) not warm", "")
