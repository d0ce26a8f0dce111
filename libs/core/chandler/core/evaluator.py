"""An evaluator: a function that reads indicators and returns a note in [-1, 1].

What it reads are its parameters, what can be tuned are its keywords, the return is the note.
The compiled subset (DESIGN.md §7) holds for its body.
"""

import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from chandler.core.indicators.spec import Indicator


class PluginError(Exception):
    """A plug-in can't be used as it is written or configured: the message is one line."""


class Tuning(msgspec.Struct, frozen=True):
    """What a tunable is where nothing else is set, and the range that an optimiser may search."""

    default: float
    low: float
    high: float


def Tunable(default: float, low: float, high: float) -> Any:  # noqa: N802
    """The default of an evaluator's keyword: `oversold: float = Tunable(30, 10, 45)`."""
    if not low <= default <= high:
        raise PluginError(
            f"Tunable({default}, {low}, {high}): expected low <= default <= high, swap them"
        )
    return Tuning(default=float(default), low=float(low), high=float(high))


class Evaluator(msgspec.Struct, frozen=True, kw_only=True):
    """A function with what it reads and what can be tuned. Calling it gives the bare note."""

    name: str
    version: str
    function: Callable[..., Any]
    inputs: dict[str, Indicator]  # parameter → indicator, in the order of the parameters
    tunables: dict[str, Tuning]  # keyword → default and range
    doc: str

    def __call__(self, *inputs: Any, **tunables: float) -> Any:
        """What the function returns, with the defaults of the tunables that aren't given."""
        defaults = {name: tuning.default for name, tuning in self.tunables.items()}
        return self.function(*inputs, **{**defaults, **tunables})


def evaluator(*, version: str) -> Callable[[Callable[..., Any]], Evaluator]:
    """Makes an evaluator of a function; PluginError says in one line what its signature lacks."""

    def decorate(function: Callable[..., Any]) -> Evaluator:
        name = function.__name__
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise PluginError(f"evaluator {name}: expected a plain function that returns a float")
        inputs: dict[str, Indicator] = {}
        tunables: dict[str, Tuning] = {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                tunables[parameter.name] = _tuning(name, parameter)
            else:
                inputs[parameter.name] = _input(name, parameter)
        if not inputs:
            raise PluginError(f"evaluator {name}: it reads nothing, give it a parameter: Rsi(14)")
        return Evaluator(
            name=name,
            version=version,
            function=function,
            inputs=inputs,
            tunables=tunables,
            doc=inspect.getdoc(function) or "",
        )

    return decorate


def _tuning(name: str, parameter: inspect.Parameter) -> Tuning:
    if not isinstance(parameter.default, Tuning):
        raise PluginError(
            f"evaluator {name}: keyword {parameter.name!r} has no range, "
            f"write {parameter.name}: float = Tunable(default, low, high)"
        )
    return parameter.default


def _input(name: str, parameter: inspect.Parameter) -> Indicator:
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise PluginError(
            f"evaluator {name}: {parameter} is not possible, name each indicator that it reads"
        )
    if isinstance(parameter.default, Tuning):
        raise PluginError(
            f"evaluator {name}: tunable {parameter.name!r} must be a keyword, put * before it"
        )
    if isinstance(parameter.annotation, str):
        raise PluginError(
            f"evaluator {name}: its annotations are strings, "
            "remove `from __future__ import annotations` from its module"
        )
    if not isinstance(parameter.annotation, Indicator):
        raise PluginError(
            f"evaluator {name}: parameter {parameter.name!r} names no indicator, "
            f"write {parameter.name}: Rsi(14)"
        )
    if parameter.default is not inspect.Parameter.empty:
        raise PluginError(
            f"evaluator {name}: indicator {parameter.name!r} can't have a default, remove it"
        )
    return parameter.annotation
