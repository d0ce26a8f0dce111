"""The linter of the compiled subset: our indicators keep to it, and what doesn't is named."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from chandler.core.indicators import INDICATORS
from chandler.replay.subset import violations

DAY_MS = 86_400_000
NAMES = ["a", "b"]


class State(NamedTuple):
    seen: int
    value: float


def allowed(state: State, bars: Any, i: int, n: int) -> State:
    """A docstring is no violation."""
    total = 0.0
    for k in range(n):
        total += math.sqrt(abs(bars.close[i - k]))
    day: int = bars.open_ms[i] % DAY_MS
    if not (day == 0 or -1.0 < total <= 1.0) and total != state.value:
        return State(state.seen + 1, total / n)
    return State(state.seen, helped(total) if total > 1.0 else 0.0)


def helped(x: float) -> float:
    return x * x


def squared(x: float) -> float:
    return x**2


def calls_squared(x: float) -> float:
    return squared(x) + 1.0


def floored(x: float, n: int) -> float:
    return x // n


def rest(x: int, n: int) -> int:
    return x % n


def built_in(x: float) -> float:
    return round(x) + sum((x, x)) + max(x, 1.0) + int(x)


def exponential(x: float) -> float:
    return math.exp(x) + math.pi


def listed(x: float) -> float:
    values = [x, x]
    return values[0]


def comprehended(x: float) -> Any:
    return tuple(y for y in (x, x))


def endless(x: float) -> float:
    while x > 1.0:
        x = x / 2.0
    return x


def raising(x: float) -> float:
    if x < 0.0:
        raise ValueError(x)
    return x


def texted(x: float) -> str:
    return f"{x}" if x > 0.0 else "none"


def nothing(x: float) -> Any:
    return None


def infinite(x: float) -> float:
    return x if x < 1e999 else 0.0


def global_list(x: int) -> str:
    return NAMES[x]


def membership(x: float) -> bool:
    return x in (1.0, 2.0)


def starred(*values: float) -> float:
    return values[0]


def method(x: float) -> float:
    return x.real.conjugate()


def test_the_subset_is_enough_for_windows_states_and_helpers() -> None:
    assert violations(allowed) == []


@pytest.mark.parametrize("name", INDICATORS)
def test_every_indicator_keeps_to_the_subset(name: str) -> None:
    needs = ("ema", "sma", "wma", "ema_slope", "highest", "lowest")
    indicator = INDICATORS[name](20) if name in needs else INDICATORS[name]()

    for function in (indicator.step, indicator.ready, indicator.value):
        assert violations(function) == []


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (squared, ["Pow (x ** 2)"]),
        (floored, ["FloorDiv (x // n)"]),
        (rest, ["% by anything but a positive int constant (x % n)"]),
        (built_in, ["call of round", "call of sum", "call of max", "call of int"]),
        (exponential, ["call of math.exp", "the name 'math'"]),
        (listed, ["List"]),
        (comprehended, ["call of tuple", "GeneratorExp"]),
        (endless, ["While"]),
        (raising, ["Raise"]),
        (texted, ["JoinedStr", "the constant 'none'"]),
        (nothing, ["the constant None"]),
        (infinite, ["the constant inf"]),
        (global_list, ["the name 'NAMES'"]),
        (membership, ["In"]),
        (starred, ["*args and **kwargs"]),
        (method, ["call of x.real.conjugate"]),
    ],
)
def test_what_is_not_in_the_subset_is_named(function: Callable[..., Any], named: list[str]) -> None:
    found = violations(function)

    for what in named:
        assert any(what in line for line in found), (what, found)
    assert all("line " in line and function.__name__ in line for line in found)


def test_a_violation_in_a_called_function_is_found() -> None:
    found = violations(calls_squared)

    assert len(found) == 1
    assert "squared" in found[0]


def test_what_is_no_plain_function_is_refused() -> None:
    assert violations(math.sin) == [
        "sin: expected a plain function, found builtin_function_or_method"
    ]
    assert "expected a function made by def" in violations(lambda x: x)[0]
    factor = 2.0

    def closed(x: float) -> float:
        return x * factor

    assert any("a closure" in line for line in violations(closed))
