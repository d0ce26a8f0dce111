"""Looks for look-ahead: the decisions over the first candles must not know of the later ones.

Runs the live folds over cut and over changed candles and compares; says what outlives a call.
"""

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from chandler.core.engine import EngineConfig, EvaluatorConfig, ResolvedEngine, resolve
from chandler.core.evaluator import Evaluator, Tuning
from chandler.core.events import CandleSealed, MatrixRow, Symbol
from chandler.core.granularity import Granularity, by_length, interval_ms, utc
from chandler.core.indicators.spec import Indicator
from chandler.core.resample import Bar, resample
from chandler.replay.audit.recompute import recompute

CUTS = (0.55, 0.7, 0.85)  # where the runs end, or the future is another, as shares of the time
PROBE = "check:"  # prefix of the engines that are made to look at one evaluator
SHOWN_MAX = 20  # violations that are spelled out; more are one and the same fault

Place = tuple[Symbol, Granularity, int]


class Report(NamedTuple):
    """What was looked at and what was found."""

    evaluators: int
    engines: int
    decisions: int  # engines' decisions that were compared
    violations: list[str]  # one line each
    unchecked: list[str]  # what never gave a note on these candles, one line each


def check(
    evaluators: Sequence[Evaluator],
    engines: Sequence[ResolvedEngine],
    candles: Mapping[Symbol, Sequence[CandleSealed]],
) -> Report:
    """Checks every evaluator, alone and within the engines, on candles of the shortest granularity.

    Each symbol's candles have no gap; longer granularities are made of them.
    """
    probes = [*engines, *(_probe(each, _granularity(candles)) for each in evaluators)]
    violations = [line for each in evaluators for line in keeps(each)]
    first = min((lane[0].open_ms for lane in candles.values()), default=0)
    last = max((lane[-1].close_ms for lane in candles.values()), default=0)
    cuts = [int(first + (last - first) * share) for share in CUTS]
    # Cut runs come first: whatever a plug-in keeps from a later candle isn't there yet.
    shortened = [(cut, _run(probes, _until(candles, cut))) for cut in cuts]
    whole = _run(probes, candles)
    decisions = 0
    for cut, rows in shortened:
        decisions += _compare(whole, rows, cut, "if the run ends at", violations)
    decisions += _compare(whole, _run(probes, candles), last, "in a second run to", violations)
    for cut in cuts:
        changed = _run(probes, _changed_after(candles, cut))
        decisions += _compare(whole, changed, cut, "with other candles after", violations)
    if len(violations) > SHOWN_MAX:
        violations = [*violations[:SHOWN_MAX], f"and {len(violations) - SHOWN_MAX} more"]
    return Report(
        len(evaluators), len(engines), decisions, violations, _unchecked(evaluators, whole)
    )


def _granularity(candles: Mapping[Symbol, Sequence[CandleSealed]]) -> Granularity:
    return next((lane[0].granularity for lane in candles.values()), Granularity("5m"))


def _probe(evaluator: Evaluator, base: Granularity) -> ResolvedEngine:
    """An engine that says whatever the evaluator says."""
    config = EngineConfig(
        granularity=base,
        evaluators={evaluator.name: EvaluatorConfig()},
        long_threshold=1e-9,
        short_threshold=-1e-9,
        cooldown=0,
    )
    name = PROBE + evaluator.name
    return resolve(name, evaluator.version, config, {evaluator.name: evaluator})


def _run(
    engines: Sequence[ResolvedEngine], candles: Mapping[Symbol, Sequence[CandleSealed]]
) -> dict[Place, tuple[MatrixRow, bytes]]:
    read = {granularity for engine in engines for granularity in engine.inputs()}
    found = recompute(_lanes(candles, read), engines, code="check-causal")
    encode = msgspec.json.encode
    decided: dict[Place, tuple[MatrixRow, bytes]] = {
        (row.symbol, row.granularity, row.close_ms): (row, encode(row)) for row in found.matrix
    }
    for signal in found.signals:
        place = (signal.symbol, signal.granularity, signal.close_ms)
        row, raw = decided[place]
        decided[place] = (row, raw + encode(signal))
    return decided


def _lanes(
    candles: Mapping[Symbol, Sequence[CandleSealed]], read: set[Granularity]
) -> Iterator[list[CandleSealed]]:
    for lane in candles.values():
        bars = [Bar(*(getattr(candle, field) for field in Bar._fields)) for candle in lane]
        for granularity in by_length(read):
            if interval_ms(granularity) <= interval_ms(lane[0].granularity):
                yield list(lane) if granularity == lane[0].granularity else []
                continue
            made = (
                CandleSealed(symbol=lane[0].symbol, granularity=granularity, **bar._asdict())
                for bar in resample(bars, granularity)
            )
            end = lane[-1].close_ms
            yield [candle for candle in made if candle.close_ms <= end]


def _until(
    candles: Mapping[Symbol, Sequence[CandleSealed]], cut_ms: int
) -> dict[Symbol, list[CandleSealed]]:
    kept = {
        symbol: [candle for candle in lane if candle.close_ms <= cut_ms]
        for symbol, lane in candles.items()
    }
    return {symbol: lane for symbol, lane in kept.items() if lane}


def _changed_after(
    candles: Mapping[Symbol, Sequence[CandleSealed]], cut_ms: int
) -> dict[Symbol, list[CandleSealed]]:
    """The same up to the cut; after it prices move the other way, with three times the volume."""
    changed: dict[Symbol, list[CandleSealed]] = {}
    for symbol, lane in candles.items():
        kept = [candle for candle in lane if candle.close_ms <= cut_ms]
        square = (kept or lane)[-1].close ** 2
        changed[symbol] = kept + [
            msgspec.structs.replace(
                candle,
                open=square / candle.open,
                high=square / candle.low,
                low=square / candle.high,
                close=square / candle.close,
                volume=candle.volume * 3,
            )
            for candle in lane[len(kept) :]
        ]
    return changed


def _compare(
    whole: Mapping[Place, tuple[MatrixRow, bytes]],
    other: Mapping[Place, tuple[MatrixRow, bytes]],
    cut_ms: int,
    how: str,
    violations: list[str],
) -> int:
    """Adds a line per evaluator or engine that decides otherwise; how many were compared."""
    decisions = 0
    blamed: set[str] = set()
    for place, (row, raw) in whole.items():
        if row.close_ms > cut_ms:
            continue
        decisions += len(row.verdicts)
        found = other.get(place)
        if found is not None and found[1] == raw:
            continue
        for name, said in _differing(row, found[0] if found else None):
            if name not in blamed:
                blamed.add(name)
                where = f"{row.symbol} {row.granularity} {utc(row.close_ms)}"
                violations.append(f"{name}: at {where} {said} {how} {utc(cut_ms)}")
    return decisions


def _differing(row: MatrixRow, other: MatrixRow | None) -> Iterator[tuple[str, str]]:
    if other is None:
        yield "engines", "there is a decision, and there is none"
        return
    by_evaluator = False
    for engine, notes in row.notes.items():
        theirs = other.notes[engine]
        for evaluator in {**notes, **theirs}:
            one, two = notes.get(evaluator), theirs.get(evaluator)
            if one != two:
                by_evaluator = True
                yield f"evaluator {evaluator}", f"the note is {one}, and {two}"
    if not by_evaluator:
        for engine, verdict in row.verdicts.items():
            if other.verdicts[engine] != verdict:
                yield f"engine {engine}", f"it says {verdict!r}, and {other.verdicts[engine]!r}"
        if row.verdicts == other.verdicts:
            yield "engines", "the decision differs in its bytes, and that"


def _unchecked(
    evaluators: Iterable[Evaluator], whole: Mapping[Place, tuple[MatrixRow, bytes]]
) -> list[str]:
    seen = {name for row, _ in whole.values() for notes in row.notes.values() for name in notes}
    why = {
        name: reason
        for row, _ in whole.values()
        for reasons in row.absent.values()
        for name, reason in reasons.items()
    }
    return [
        f"evaluator {each.name} never gave a note: {why.get(each.name, 'no candles')}"
        for each in evaluators
        if each.name not in seen
    ]


def keeps(evaluator: Evaluator) -> list[str]:
    """What the function, or one that it calls, reads and isn't fixed: it may outlive the call."""
    found: list[str] = []
    _keeps(evaluator.name, evaluator.function, found, set())
    return [f"evaluator {evaluator.name}: {line}" for line in found]


def _keeps(owner: str, function: Any, found: list[str], seen: set[int]) -> None:
    if id(function) in seen:
        return
    seen.add(id(function))
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    values = {name: cell.cell_contents for name, cell in cells.items()}
    for code in _codes(function.__code__):
        for name in code.co_names:
            if name in function.__globals__:
                values[name] = function.__globals__[name]
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    values.update({f"default {place}": value for place, value in enumerate(defaults)})
    for name, value in values.items():
        if isinstance(value, types.FunctionType):
            if not value.__module__.startswith("chandler.core"):
                _keeps(owner, value, found, seen)
        elif not _fixed(value):
            kind = type(value).__name__
            found.append(f"{function.__name__} reads {name}, a {kind} that outlives the call")


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _fixed(value: object) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return all(_fixed(each) for each in value)
    plain = (int, float, str, bytes, Tuning, Indicator, type)
    functions = (types.BuiltinFunctionType, types.ModuleType)
    return value is None or isinstance(value, (*plain, *functions))
