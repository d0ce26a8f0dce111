"""Evaluators and engines over a symbol's history: the closes at which an engine gives a signal.

The evaluators' own functions are compiled; what a note, a score and a verdict are is
core/decision.py's, said again here for arrays. The signals themselves are made by the live
`decide` (see signals.py), which disagrees aloud if this should ever differ.
"""

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from chandler.core.engine import ResolvedEngine, ResolvedEvaluator
from chandler.core.evaluator import Evaluator
from chandler.core.indicators.spec import Indicator
from chandler.core.notes import ROUNDING
from chandler.replay.dense.indicators import Flags, Floats, History
from chandler.replay.dense.native import kernel, machine

Ints = NDArray[np.int64]


class Column(NamedTuple):
    """An indicator as the base closes see it."""

    history: History
    rows: Ints  # for each base bar the indicator's bar of the exact slot; -1: there is none


class Notes(NamedTuple):
    """An evaluator's note at each base bar."""

    values: Floats
    known: Flags


class Found(NamedTuple):
    """The closes at which an engine gives a signal."""

    bars: Ints  # base bars, ascending
    scores: Floats  # weighted mean of the notes there
    last_ms: int  # close of the newest one; as given where there is none


EVALUATE = """
def kernel(columns, tunables, notes, known):
    for i in range(notes.shape[0]):
{rows}
        found = function({arguments})
        if -limit <= found <= limit:  # False for NaN
            known[i] = True
            notes[i] = min(1.0, max(-1.0, float(found))) + 0.0
"""
ROW = """\
        row{k} = columns[{k}][1][i]
        if row{k} < 0 or not columns[{k}][0][1][row{k}]:
            continue"""


def evaluate(resolved: ResolvedEvaluator, columns: tuple[Column, ...], bars: int) -> Notes:
    """The evaluator's notes; `columns` in the order of its inputs.

    SubsetError where it can't be compiled; what it raises at some bar comes through.
    """
    notes = np.zeros(bars)
    known = np.zeros(bars, np.bool_)
    run = _evaluate(resolved.evaluator)
    tunables = tuple(resolved.tunables[name] for name in resolved.evaluator.tunables)
    run(columns, tunables, notes, known)
    return Notes(notes, known)


def _evaluate(evaluator: Evaluator) -> Any:
    return _by_function(
        evaluator.function, tuple(evaluator.inputs.values()), len(evaluator.tunables)
    )


@cache
def _by_function(function: Any, inputs: tuple[Indicator, ...], tunables: int) -> Any:
    scope: dict[str, Any] = {"limit": 1.0 + ROUNDING}
    arguments = []
    for k, indicator in enumerate(inputs):
        cells = [
            f"columns[{k}][0][0][{field}, row{k}]" for field in range(len(indicator.fields) or 1)
        ]
        if indicator.fields:
            scope[f"Record{k}"] = indicator.record
            arguments.append(f"Record{k}({', '.join(cells)})")
        else:
            arguments += cells
    arguments += [f"tunables[{k}]" for k in range(tunables)]
    rows = "\n".join(ROW.format(k=k) for k in range(len(inputs)))
    text = EVALUATE.format(rows=rows, arguments=", ".join(arguments))
    return kernel("evaluator", text, {"function": function}, scope)


def engine_signals(
    engine: ResolvedEngine,
    notes: tuple[Notes, ...],
    close_ms: Ints,
    close: Floats,
    atr: History | None,
    interval_ms: int,
    last_ms: int,
) -> Found:
    """Where the engine gives a signal. `notes` in the order of its evaluators; `last_ms` as in
    `decide`; `atr` is STOP_ATR's history where the engine has levels."""
    config = engine.config
    bars, scores = np.empty(len(close_ms), np.int64), np.empty(len(close_ms))
    count, last = _engine_signals(
        tuple(notes),
        np.array([each.weight for each in engine.evaluators]),
        np.array([each.required for each in engine.evaluators]),
        np.array([config.long_threshold, config.short_threshold]),
        np.array(["long" in config.sides, "short" in config.sides]),
        np.array([config.cooldown * interval_ms, last_ms], np.int64),
        np.array([config.stop_atr, *config.target_atr]),
        close_ms,
        close,
        atr or History(np.zeros((1, 0)), np.zeros(0, np.bool_)),
        bars,
        scores,
    )
    return Found(bars[:count].copy(), scores[:count].copy(), int(last))


@machine
def _engine_signals(
    notes: Any,
    weights: Any,
    required: Any,
    thresholds: Any,
    sides: Any,
    times: Any,
    distances: Any,
    close_ms: Any,
    close: Any,
    atr: Any,
    bars: Any,
    scores: Any,
) -> Any:
    count = 0
    cool_ms, last_ms = times[0], times[1]
    levels = distances[0] > 0.0 or len(distances) > 1
    for i in range(len(close_ms)):
        total = 0.0
        weight = 0.0
        blocked = False
        for e in range(len(weights)):
            if notes[e][1][i]:
                total += weights[e] * notes[e][0][i]
                weight += weights[e]
            elif required[e]:
                blocked = True
        if blocked or weight <= 0.0:
            continue
        score = total / weight
        if thresholds[1] < score < thresholds[0]:
            continue
        side = 0 if score > 0.0 else 1
        if not sides[side] or (last_ms >= 0 and close_ms[i] <= last_ms + cool_ms):
            continue
        if levels and not _levels(distances, 1.0 - 2.0 * side, close[i], atr, i):
            continue
        bars[count] = i
        scores[count] = score
        count += 1
        last_ms = close_ms[i]
    return count, last_ms


@numba.njit(nogil=True, error_model="numpy")
def _levels(distances: Any, direction: float, price: float, atr: Any, i: int) -> bool:
    if not atr[1][i]:
        return False
    reach = atr[0][0, i]
    if distances[0] > 0.0:
        if price - direction * distances[0] * reach <= 0.0:
            return False
    elif price <= 0.0:
        return False
    for k in range(1, len(distances)):  # noqa: SIM110 (the compiled form)
        if price + direction * distances[k] * reach <= 0.0:
            return False
    return True
