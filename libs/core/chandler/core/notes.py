"""A note: what an evaluator said of one close, or why there is none.

Whatever an evaluator does (raise, return 7 or NaN), it becomes a note that says so.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from chandler.core.evaluator import Evaluator

ROUNDING = 1e-9  # a sum of floats may pass 1 by this much; it is clipped, more is a fault

Invoke = Callable[[Evaluator, dict[str, Any]], object]


class Note(NamedTuple):
    """`value` is None where there is no note; then `absent` says why."""

    value: float | None
    absent: str = ""
    fault: str = ""  # short and stable where the evaluator itself is at fault: "evaluator raised"


def call(evaluator: Evaluator, arguments: dict[str, Any]) -> object:
    """Calls the evaluator's function: indicators and tunables by name."""
    return evaluator.function(**arguments)


def note(
    evaluator: Evaluator,
    inputs: Mapping[str, Any],
    tunables: Mapping[str, float],
    invoke: Invoke = call,
) -> Note:
    """The evaluator's note for these indicator values; `inputs` lacks what is not warm."""
    for parameter, indicator in evaluator.inputs.items():
        if parameter not in inputs:
            return Note(None, f"{indicator.key} not warm")
    try:
        returned = invoke(evaluator, {**inputs, **tunables})
    except (Exception, SystemExit) as error:  # a plug-in's own: nothing else may stop for it
        return Note(None, f"raised {one_line(error)}", "evaluator raised")
    return judge(returned)


def judge(returned: object) -> Note:
    """The note in what an evaluator returned. Finiteness is tested before anything is clipped."""
    if isinstance(returned, bool) or not isinstance(returned, (int, float)):
        shown = type(returned).__name__ if returned is not None else "None"
        return Note(None, f"returned {shown}, expected a number in [-1, 1]", "evaluator returned")
    try:
        value = float(returned)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        return Note(None, f"returned {value}, expected a number in [-1, 1]", "note not finite")
    if abs(value) > 1.0 + ROUNDING:
        return Note(None, f"returned {value:g}, expected a number in [-1, 1]", "evaluator returned")
    return Note(min(1.0, max(-1.0, value)) + 0.0)  # + 0.0: never a negative zero


def one_line(error: BaseException) -> str:
    """What a plug-in raised, as a line that can be published, whatever the plug-in put into it."""
    name = type(error).__name__
    try:
        text = " ".join(str(error).split())[:200]
    except Exception:  # its own text raises
        text = ""
    # Half of a surrogate pair can't be written as UTF-8.
    return (f"{name}: {text}" if text else name).encode("utf-8", "backslashreplace").decode()
