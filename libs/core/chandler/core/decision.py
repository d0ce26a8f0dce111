"""One engine's decision at one close: notes, weighted score, verdict, and the signal if any.

Floats are summed in the order of the evaluators' names, so that equal notes give equal bytes.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from chandler.core.engine import STOP_ATR, ResolvedEngine, ResolvedEvaluator
from chandler.core.events import InputRef, Side, Signal, Symbol
from chandler.core.granularity import Granularity, interval_ms, last_close, utc
from chandler.core.hashing import digest
from chandler.core.indicators.compute import argument
from chandler.core.notes import Invoke, Note, note

CLOSE = "close"  # key of a row's closing price among its values


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """What an engine needs of an IndicatorRow, small enough to be kept in a state."""

    close_ms: int
    hash: str  # of the candle
    missing: bool
    values: dict[str, float]


class Close(NamedTuple):
    """All that may be known when a base candle closes: the exact slot of each granularity."""

    symbol: Symbol
    base: Granularity
    close_ms: int
    slots: Mapping[Granularity, Slot | None]  # None: the topic has no row for the slot

    def ref(self, granularity: Granularity) -> InputRef | None:
        """Names the slot's candle; None where there is no row."""
        slot = self.slots[granularity]
        if slot is None:
            return None
        return InputRef(
            symbol=self.symbol,
            granularity=granularity,
            close_ms=slot.close_ms,
            hash=slot.hash,
        )

    def refs(self, granularities: list[Granularity]) -> list[InputRef]:
        found = (self.ref(granularity) for granularity in granularities)
        return [ref for ref in found if ref is not None]


class Decision(NamedTuple):
    """What came of one engine at one close."""

    notes: dict[str, float]
    absent: dict[str, str]
    faults: dict[str, str]  # evaluator → cause, where the evaluator itself is at fault
    verdict: str
    signal: Signal | None


def decide(
    engine: ResolvedEngine, close: Close, last_signal_ms: int, code: str, invoke: Invoke
) -> Decision:
    """The engine's decision; `last_signal_ms` is the close of its last signal here, or -1."""
    notes: dict[str, float] = {}
    absent: dict[str, str] = {}
    faults: dict[str, str] = {}
    for resolved in engine.evaluators:
        name = resolved.evaluator.name
        made = _note(resolved, close, invoke)
        if made.value is None:
            absent[name] = made.absent
        else:
            notes[name] = made.value
        if made.fault:
            faults[name] = made.fault
    score = score_of(engine, notes)
    verdict = _verdict(engine, close, notes, absent, score, last_signal_ms)
    signal = None
    if verdict in ("long", "short"):
        levels = _levels(engine, close, 1.0 if verdict == "long" else -1.0)
        if isinstance(levels, str):
            verdict = levels
        else:
            signal = _signal(engine, close, notes, score, levels, code)
    return Decision(notes, absent, faults, verdict, signal)


def score_of(engine: ResolvedEngine, notes: Mapping[str, float]) -> float:
    """Weighted mean of the notes that are there."""
    total = 0.0
    weights = 0.0
    for resolved in engine.evaluators:
        value = notes.get(resolved.evaluator.name)
        if value is not None:
            total += resolved.weight * value
            weights += resolved.weight
    return total / weights if weights > 0.0 else 0.0


def _note(resolved: ResolvedEvaluator, close: Close, invoke: Invoke) -> Note:
    inputs = {}
    for parameter, indicator in resolved.evaluator.inputs.items():
        granularity = indicator.on or close.base
        slot = close.slots[granularity]
        if slot is None:
            expected = utc(last_close(close.close_ms, granularity))
            return Note(None, f"no {granularity} row for {expected}")
        if slot.missing:
            return Note(None, f"no {granularity} candle at the venue for {utc(slot.close_ms)}")
        value = argument(indicator, slot.values)
        if value is not None:
            inputs[parameter] = value
    return note(resolved.evaluator, inputs, resolved.tunables, invoke)


def _verdict(
    engine: ResolvedEngine,
    close: Close,
    notes: dict[str, float],
    absent: dict[str, str],
    score: float,
    last_signal_ms: int,
) -> str:
    base = close.slots[close.base]
    if base is None or base.missing:
        return "no candle"
    for resolved in engine.evaluators:
        if resolved.required and resolved.evaluator.name in absent:
            return f"{resolved.evaluator.name} absent"
    if not notes:
        return "no notes"
    if engine.config.short_threshold < score < engine.config.long_threshold:
        return "below threshold"
    side = "long" if score > 0 else "short"
    if side not in engine.config.sides:
        return f"{side} not allowed"
    cooled_ms = last_signal_ms + engine.config.cooldown * interval_ms(close.base)
    if last_signal_ms >= 0 and close.close_ms <= cooled_ms:
        return "cooling down"
    return side


class _Levels(NamedTuple):
    stop: float | None
    targets: list[float]


def _levels(engine: ResolvedEngine, close: Close, direction: float) -> _Levels | str:
    """Stop and targets around the close, or why there can be none."""
    config = engine.config
    if config.stop_atr <= 0 and not config.target_atr:
        return _Levels(None, [])
    base = close.slots[close.base]
    assert base is not None
    atr = argument(STOP_ATR, base.values)
    price = base.values.get(CLOSE)
    if atr is None or price is None:
        return f"{STOP_ATR.key} not warm"
    stop = price - direction * config.stop_atr * atr if config.stop_atr > 0 else None
    targets = [price + direction * each * atr for each in config.target_atr]
    if min([*targets, price if stop is None else stop]) <= 0:
        return "levels not above 0"
    return _Levels(stop, targets)


def _signal(
    engine: ResolvedEngine,
    close: Close,
    notes: dict[str, float],
    score: float,
    levels: _Levels,
    code: str,
) -> Signal:
    side: Side = "long" if score > 0 else "short"
    return Signal(
        id=digest(
            engine.name, engine.hash, engine.version, close.symbol, str(close.close_ms), side
        ),
        symbol=close.symbol,
        side=side,
        strength=min(1.0, abs(score)),
        source=engine.name,
        granularity=close.base,
        close_ms=close.close_ms,
        expires_ms=close.close_ms + engine.config.freshness_s * 1_000,
        stop=levels.stop,
        targets=levels.targets,
        reason=_reason(engine, notes, score),
        notes=notes,
        inputs=close.refs(list(engine.inputs())),
        config=engine.hash,
        code=code,
    )


def _reason(engine: ResolvedEngine, notes: dict[str, float], score: float) -> str:
    said = ", ".join(f"{name} {value:+.2f}" for name, value in notes.items())
    if score > 0:
        return f"{said} → {score:+.2f} ≥ {engine.config.long_threshold:.2f}"
    return f"{said} → {score:+.2f} ≤ {engine.config.short_threshold:.2f}"
