"""Signals: the fold from indicator rows to the matrix and the engines' signals.

A base evaluation at close T waits for the exact slot of each higher granularity (DESIGN.md §5.8):
the row whose close is T rounded down, as a value or as missing. So what comes out is a function of
the candle topics alone, whatever the order in which the granularities arrive.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from chandler.core.decision import CLOSE, Close, Decision, Slot, decide
from chandler.core.engine import ResolvedEngine
from chandler.core.events import DeadLetter, Event, IndicatorRow, MatrixRow, Symbol
from chandler.core.granularity import Granularity, by_length, interval_ms, last_close, utc
from chandler.core.hashing import digest
from chandler.core.indicators.spec import Indicator
from chandler.core.notes import Invoke, call
from chandler.core.stage import HoleError, Output, Stage

NAME = "signals"
# Base closes of a symbol that wait for a higher slot: then people are told, once. At 5m a week,
# more than any start's backfill, of which a symbol's longer candles may come last.
HELD_TOLD = 2_016


class SymbolState(msgspec.Struct, frozen=True):
    """What is known of one symbol between two rows."""

    newest: dict[Granularity, int] = {}  # close of the newest row taken in, ms
    hashes: dict[Granularity, str] = {}  # of that row's candle
    slots: dict[Granularity, tuple[Slot, ...]] = {}  # rows that are still needed, oldest first
    done: dict[Granularity, int] = {}  # base → close of the last evaluation
    last_signal: dict[str, int] = {}  # engine's hash → close of its last signal


class _Plan(NamedTuple):
    """What is evaluated at the closes of one base granularity."""

    base: Granularity
    engines: tuple[ResolvedEngine, ...]  # by name
    others: tuple[Granularity, ...]  # the higher ones that they read, shortest first
    config: str  # hash over the engines


class _Fold(NamedTuple):
    """Everything that stays the same from row to row."""

    plans: tuple[_Plan, ...]
    keys: Mapping[Granularity, frozenset[str]]  # the values that are kept of a row
    code: str
    invoke: Invoke


def stage(
    engines: Sequence[ResolvedEngine], *, code: str, invoke: Invoke = call
) -> Stage[SymbolState]:
    """The stage over indicators.*, keyed by symbol; it writes to matrix, signals, dead-letters."""
    fold = _Fold(_plans(engines), _keys(engines), code, invoke)

    def step(state: SymbolState, event: Event) -> tuple[SymbolState, Sequence[Output]]:
        assert isinstance(event, IndicatorRow), f"signals reads indicator rows, not {event}"
        return _step(fold, state, event)

    return Stage(name=NAME, state_type=SymbolState, key=_key, start=_start, step=step)


def _key(event: Event) -> str:
    assert isinstance(event, IndicatorRow)
    return event.symbol


def _start(_: str) -> SymbolState:
    return SymbolState()


def _plans(engines: Sequence[ResolvedEngine]) -> tuple[_Plan, ...]:
    plans = []
    for base in by_length({engine.granularity for engine in engines}):
        chosen = sorted(
            (each for each in engines if each.granularity == base), key=lambda each: each.name
        )
        read = {granularity for engine in chosen for granularity in engine.inputs()}
        plans.append(
            _Plan(
                base=base,
                engines=tuple(chosen),
                others=tuple(by_length(read - {base})),
                config=digest(*(engine.hash for engine in chosen)),
            )
        )
    return tuple(plans)


def matrix_configs(engines: Sequence[ResolvedEngine]) -> dict[Granularity, str]:
    """The configuration hash in the matrix rows of each base granularity."""
    return {plan.base: plan.config for plan in _plans(engines)}


def _keys(engines: Iterable[ResolvedEngine]) -> dict[Granularity, frozenset[str]]:
    keys: dict[Granularity, set[str]] = {}
    for engine in engines:
        for granularity, indicators in engine.inputs().items():
            kept = keys.setdefault(granularity, {CLOSE})
            for indicator in indicators:
                kept.update(_row_keys(indicator))
    return {granularity: frozenset(kept) for granularity, kept in keys.items()}


def _row_keys(indicator: Indicator) -> tuple[str, ...]:
    if not indicator.fields:
        return (indicator.key,)
    return tuple(f"{indicator.key}.{field}" for field in indicator.fields)


def _step(
    fold: _Fold, state: SymbolState, row: IndicatorRow
) -> tuple[SymbolState, Sequence[Output]]:
    if row.granularity not in fold.keys:
        return state, ()
    newest = state.newest.get(row.granularity)
    if newest is not None and row.close_ms <= newest:
        if row.close_ms == newest and row.candle.hash != state.hashes[row.granularity]:
            return state, (_differs(row),)
        return state, ()
    if newest is not None and row.close_ms != newest + interval_ms(row.granularity):
        raise HoleError(
            f"{row.symbol} {row.granularity}: row of {utc(row.close_ms)} follows that of "
            f"{utc(newest)}: expected {utc(newest + interval_ms(row.granularity))}, "
            f"look for what is missing in indicators.{row.granularity}"
        )
    after, outputs = _release(fold, _taken(fold, state, row), row.symbol)
    return after, (*outputs, *_waiting(fold, after, row))


def _taken(fold: _Fold, state: SymbolState, row: IndicatorRow) -> SymbolState:
    keys = fold.keys[row.granularity]
    slot = Slot(
        close_ms=row.close_ms,
        hash=row.candle.hash,
        missing=row.missing,
        values={key: value for key, value in row.values.items() if key in keys},
    )
    held = state.slots.get(row.granularity, ())
    return SymbolState(
        newest={**state.newest, row.granularity: row.close_ms},
        hashes={**state.hashes, row.granularity: row.candle.hash},
        slots={**state.slots, row.granularity: (*held, slot)},
        done=state.done,
        last_signal=state.last_signal,
    )


def _release(
    fold: _Fold, state: SymbolState, symbol: Symbol
) -> tuple[SymbolState, Sequence[Output]]:
    """Evaluates, in order, every held close whose slots have all come."""
    outputs: list[Output] = []
    done = dict(state.done)
    last_signal = state.last_signal
    for plan in fold.plans:
        for slot in _pending(state, plan.base, done):
            slots = _exact(state, plan, slot)
            if slots is None:
                break
            done[plan.base] = slot.close_ms
            close = Close(symbol, plan.base, slot.close_ms, slots)
            last_signal = _evaluate(fold, plan, close, last_signal, outputs)
    kept = {granularity: _needed(fold, state, granularity, done) for granularity in state.slots}
    after = SymbolState(
        newest=state.newest,
        hashes=state.hashes,
        slots={granularity: slots for granularity, slots in kept.items() if slots},
        done=done,
        last_signal=last_signal,
    )
    return after, outputs


def _pending(
    state: SymbolState, base: Granularity, done: Mapping[Granularity, int]
) -> tuple[Slot, ...]:
    after = done.get(base, -1)
    return tuple(slot for slot in state.slots.get(base, ()) if slot.close_ms > after)


def _exact(state: SymbolState, plan: _Plan, base: Slot) -> dict[Granularity, Slot | None] | None:
    """The slots that an evaluation of `base` uses; None while one of them may still come.

    Rows of a granularity come in order. So a slot that is older than the first row of its
    granularity is known never to come: the notes that need it are absent, in any arrival.
    """
    slots: dict[Granularity, Slot | None] = {plan.base: base}
    for granularity in plan.others:
        close_ms = last_close(base.close_ms, granularity)
        if state.newest.get(granularity, -1) < close_ms:
            return None
        held = state.slots.get(granularity, ())
        slots[granularity] = next((slot for slot in held if slot.close_ms == close_ms), None)
    return slots


def _needed(
    fold: _Fold, state: SymbolState, granularity: Granularity, done: Mapping[Granularity, int]
) -> tuple[Slot, ...]:
    """The rows of `granularity` that an evaluation, held or of the future, may use."""
    held = state.slots[granularity]
    oldest: int | None = None
    for plan in fold.plans:
        pending = _pending(state, plan.base, done)
        if plan.base == granularity and pending:
            oldest = _least(oldest, pending[0].close_ms)
        if granularity in plan.others:
            if pending:
                following = pending[0].close_ms
            elif plan.base in state.newest:
                following = state.newest[plan.base] + interval_ms(plan.base)
            else:
                return held
            oldest = _least(oldest, last_close(following, granularity))
    if oldest is None:
        return ()
    return tuple(slot for slot in held if slot.close_ms >= oldest)


def _least(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)


def _waiting(fold: _Fold, state: SymbolState, row: IndicatorRow) -> list[Output]:
    """A dead letter where so many closes are held that a higher slot may never come."""
    letters = []
    for plan in fold.plans:
        held = _pending(state, plan.base, state.done)
        if plan.base != row.granularity or len(held) != HELD_TOLD:
            continue
        late = [
            granularity
            for granularity in plan.others
            if state.newest.get(granularity, -1) < last_close(held[0].close_ms, granularity)
        ]
        letters.append(
            _letter(
                "closes held",
                f"{row.symbol} {plan.base}: {HELD_TOLD} closes, the first {utc(held[0].close_ms)}, "
                f"wait for rows of {' '.join(late)}: see whether ingest publishes their candles",
            )
        )
    return letters


def _evaluate(
    fold: _Fold, plan: _Plan, close: Close, last_signal: dict[str, int], outputs: list[Output]
) -> dict[str, int]:
    """Adds the matrix row, the signals and the dead letters of one close; the next last_signal."""
    decisions: dict[str, Decision] = {}
    changed: dict[str, int] = {}
    for engine in plan.engines:
        if engine.config.symbols and close.symbol not in engine.config.symbols:
            continue
        decision = decide(engine, close, last_signal.get(engine.hash, -1), fold.code, fold.invoke)
        decisions[engine.name] = decision
        if decision.signal is not None:
            changed[engine.hash] = close.close_ms
    if not decisions:
        return last_signal
    outputs.append(Output("matrix", close.symbol, _matrix(fold, plan, close, decisions)))
    for name, decision in decisions.items():
        if decision.signal is not None:
            outputs.append(Output("signals", close.symbol, decision.signal))
        outputs.extend(_faults(name, close, decision))
    if not changed:
        return last_signal
    current = {engine.hash for each in fold.plans for engine in each.engines}
    known = {key: at for key, at in last_signal.items() if key in current}
    return {**known, **changed}


def _matrix(fold: _Fold, plan: _Plan, close: Close, decisions: dict[str, Decision]) -> MatrixRow:
    return MatrixRow(
        symbol=close.symbol,
        granularity=plan.base,
        close_ms=close.close_ms,
        notes={name: decision.notes for name, decision in decisions.items()},
        absent={name: decision.absent for name, decision in decisions.items() if decision.absent},
        verdicts={name: decision.verdict for name, decision in decisions.items()},
        inputs=close.refs([plan.base, *plan.others]),
        config=plan.config,
        code=fold.code,
    )


def _faults(engine: str, close: Close, decision: Decision) -> list[Output]:
    where = f"{close.symbol} {close.base} {utc(close.close_ms)}"
    return [
        _letter(cause, f"{engine}/{evaluator} {where}: {decision.absent[evaluator]}")
        for evaluator, cause in decision.faults.items()
    ]


def _differs(row: IndicatorRow) -> Output:
    return _letter(
        "row differs",
        f"{row.symbol} {row.granularity} {utc(row.close_ms)}: a second row for the slot, "
        "over another candle; the first one stands",
    )


def _letter(cause: str, detail: str) -> Output:
    return Output("dead-letters", NAME, DeadLetter(source=NAME, cause=cause, detail=detail))
