"""Recomputes decisions from the candle topics by the live folds, and compares with what is on file.

Knows nothing of Kafka: it takes candles and recorded events, in any order across symbols.
"""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from chandler.core import indicator_stage, signals
from chandler.core.engine import ResolvedEngine, indicators_of
from chandler.core.events import (
    Candle,
    DeadLetter,
    IndicatorRow,
    MatrixRow,
    Signal,
    Symbol,
)
from chandler.core.granularity import Granularity, interval_ms
from chandler.core.hashing import digest
from chandler.core.indicators.spec import Indicator
from chandler.core.notes import Invoke, call
from chandler.core.stage import Output
from chandler.replay.audit.verdict import (
    EVER,
    NOT_COMPARED,
    Bounds,
    Checked,
    Difference,
    encode,
    fields,
    of_inputs,
)

SHOWN_MAX = 5  # differences that are spelled out
OTHER_SIGNAL = "other code or configuration"


class Begin(NamedTuple):
    """Where the present configuration took over one symbol's closes of one base granularity."""

    close_ms: int  # of the first evaluation under it
    last_signal: dict[str, int]  # engine's hash → close of its last signal before that


class Evaluated(NamedTuple):
    """What of a matrix row tells who evaluated what."""

    symbol: Symbol
    granularity: Granularity
    close_ms: int
    config: str


class Watch(Protocol):
    """Is told of rows as they are recomputed."""

    def row(self, row: IndicatorRow) -> None: ...

    def evaluated(self, row: MatrixRow) -> None: ...


class Recomputed(NamedTuple):
    """What the folds make of the candles, in their order within each symbol."""

    candles: int
    rows: int
    matrix: list[MatrixRow]
    signals: list[Signal]
    letters: list[DeadLetter]


class SignalAudit(NamedTuple):
    """What `audit signals` prints. All is well: no mismatch, nothing twice, nothing missing."""

    signals: int  # recorded ones that were compared
    mismatches: int  # their bytes differ, or nothing like them is recomputed
    duplicated: int  # recorded more than once
    missing: int  # recomputed, due by the matrix' last close, and not recorded
    not_compared: int  # under another configuration, or other code made them otherwise
    digest: str  # over the recorded ones that were compared, whatever their partitions
    differences: list[str]  # the first few, for people


def recompute(
    candles: Iterable[Iterable[Candle]],
    engines: Sequence[ResolvedEngine],
    *,
    code: str,
    begins: Mapping[tuple[Symbol, Granularity], Begin] | None = None,
    invoke: Invoke = call,
    wanted: Mapping[Granularity, Sequence[Indicator]] | None = None,
    watch: Watch | None = None,
) -> Recomputed:
    """Runs the candles through indicators and signals, as the two services do.

    Each of `candles` holds candles of one granularity, each symbol's in the order of the topic;
    they are read once and not kept. `wanted`: what is computed, where it is more than the engines
    read. `watch` is told of all rows; those of the matrix are then not kept.
    """
    indicators = indicator_stage.stage(
        indicators_of(engines) if wanted is None else wanted, code=code
    )
    decisions = signals.stage(engines, code=code, invoke=invoke)
    outputs: list[Output] = []
    counted: Counter[str] = Counter()

    def rows_of(lane: Iterable[Candle]) -> Iterator[IndicatorRow]:
        series: dict[str, indicator_stage.SeriesState] = {}
        for candle in lane:
            key = indicators.key(candle)
            state = series.get(key) or indicators.start(key)
            counted["candles"] += 1
            series[key], made = indicators.step(state, candle)
            for output in made:
                if isinstance(output.event, IndicatorRow):
                    counted["rows"] += 1
                    if watch is not None:
                        watch.row(output.event)
                    yield output.event
                else:
                    outputs.append(output)

    states = _starts(begins or {})
    for row in heapq.merge(*map(rows_of, candles), key=_order):
        state = states.get(row.symbol) or decisions.start(row.symbol)
        states[row.symbol], made = decisions.step(state, row)
        for output in made:
            if watch is not None and isinstance(output.event, MatrixRow):
                watch.evaluated(output.event)
            else:
                outputs.append(output)
    return Recomputed(
        counted["candles"],
        counted["rows"],
        [output.event for output in outputs if isinstance(output.event, MatrixRow)],
        [output.event for output in outputs if isinstance(output.event, Signal)],
        [output.event for output in outputs if isinstance(output.event, DeadLetter)],
    )


def _order(row: IndicatorRow) -> tuple[int, int, str]:
    return (row.close_ms, -interval_ms(row.granularity), row.symbol)


def _starts(
    begins: Mapping[tuple[Symbol, Granularity], Begin],
) -> dict[Symbol, signals.SymbolState]:
    """States in which nothing before `begins` is evaluated and the last signals are known."""
    states: dict[Symbol, signals.SymbolState] = {}
    for (symbol, base), begin in begins.items():
        state = states.get(symbol, signals.SymbolState())
        states[symbol] = msgspec.structs.replace(
            state,
            done={**state.done, base: begin.close_ms - 1},
            last_signal={**state.last_signal, **begin.last_signal},
        )
    return states


def begins_of(
    matrix: Iterable[MatrixRow | Evaluated],
    recorded: Sequence[Signal],
    engines: Sequence[ResolvedEngine],
) -> dict[tuple[Symbol, Granularity], Begin]:
    """Where the present engines took over, for the symbols that others were evaluated for before.

    Empty where nothing ever changed: then all is recomputed from the first candle on.
    """
    configs = signals.matrix_configs(engines)
    first: dict[tuple[Symbol, Granularity], int] = {}
    changed: set[tuple[Symbol, Granularity]] = set()
    for row in matrix:
        place = (row.symbol, row.granularity)
        if row.config == configs.get(row.granularity):
            first[place] = min(row.close_ms, first.get(place, row.close_ms))
        else:
            changed.add(place)
    begins = {}
    for place in sorted(changed & set(first)):
        last: dict[str, int] = {}
        for signal in recorded:
            before = signal.close_ms < first[place]
            if before and (signal.symbol, signal.granularity) == place:
                last[signal.config] = max(signal.close_ms, last.get(signal.config, -1))
        begins[place] = Begin(first[place], last)
    return begins


def horizons(
    matrix: Iterable[MatrixRow | Evaluated], engines: Sequence[ResolvedEngine]
) -> dict[tuple[Symbol, Granularity], int]:
    """The last close that the present engines evaluated, of each symbol and base.

    Up to it every signal of theirs must be there. An engine that has not run yet owes none.
    """
    configs = signals.matrix_configs(engines)
    last: dict[tuple[Symbol, Granularity], int] = {}
    for row in matrix:
        place = (row.symbol, row.granularity)
        if row.config == configs.get(row.granularity):
            last[place] = max(row.close_ms, last.get(place, row.close_ms))
    return last


def compare(
    recorded: Sequence[Signal],
    recomputed: Sequence[Signal],
    due: Mapping[tuple[Symbol, Granularity], int],
    *,
    engines: Sequence[ResolvedEngine],
    code: str,
    begins: Mapping[tuple[Symbol, Granularity], Begin] | None = None,
    earlier: Sequence[Signal] = (),
    bounds: Bounds = EVER,
    checked: Checked | None = None,
) -> SignalAudit:
    """Compares byte by byte. `due` is horizons(matrix, engines). `checked` gets all of it, too.

    What other code made, or what stands before `begins` (then `earlier` is what the engines make
    of all candles), is compared too where it is the same but for the code; where it is not, the
    change explains it, and it counts as not compared.
    To be honest while the stream runs: read matrix first, then signals, then candles.
    """
    checked = Checked(topic="signals") if checked is None else checked
    recorded = [signal for signal in recorded if bounds.holds(signal.close_ms)]
    current = {engine.hash for engine in engines}
    began = {place: begin.close_ms for place, begin in (begins or {}).items()}
    expected = {signal.id: signal for signal in recomputed}
    before = {signal.id: signal for signal in earlier}
    compared: dict[str, Signal] = {}
    seen: Counter[str] = Counter()
    differences: list[str] = []
    for signal in recorded:
        seen[signal.id] += 1
        if seen[signal.id] > 1:
            continue
        is_earlier = signal.close_ms < began.get((signal.symbol, signal.granularity), 0)
        like = (before if is_earlier else expected).get(signal.id)
        fault = _fault(signal, like)
        is_other = signal.config not in current
        if is_other or (fault and (is_earlier or signal.code != code)):
            checked.excused(NOT_COMPARED, OTHER_SIGNAL)
            continue
        compared[signal.id] = signal
        if fault:
            differences.append(f"{_named(signal)}: {fault}")
            checked.wrong(_difference(fault, signal, like))
        else:
            checked.right(signal.close_ms, encode(signal))
    mismatches = len(differences)
    unseen = [each for each in recomputed if each.id not in seen and bounds.holds(each.close_ms)]
    absent = _absent(unseen, due, checked)
    differences += [*absent, *_twice(recorded, seen, expected, checked)]
    return SignalAudit(
        signals=len(compared),
        mismatches=mismatches,
        duplicated=sum(times - 1 for times in seen.values()),
        missing=len(absent),
        not_compared=len(seen) - len(compared),
        digest=digest_of(compared.values()),
        differences=differences[:SHOWN_MAX],
    )


def _absent(
    unseen: Sequence[Signal],
    due: Mapping[tuple[Symbol, Granularity], int],
    checked: Checked,
) -> list[str]:
    """What has to be there and isn't."""
    said = []
    for signal in unseen:
        if signal.close_ms <= due.get((signal.symbol, signal.granularity), -1):
            said.append(f"{_named(signal)}: recomputed, and not recorded")
            checked.absent(_difference("recomputed, and not recorded", None, signal))
    return said


def _twice(
    recorded: Sequence[Signal],
    seen: Mapping[str, int],
    expected: Mapping[str, Signal],
    checked: Checked,
) -> list[str]:
    """What is recorded more than once, each with how often."""
    said = []
    for signal in {each.id: each for each in recorded if seen.get(each.id, 0) > 1}.values():
        said.append(f"{signal.id}: recorded {seen[signal.id]} times")
        for _ in range(seen[signal.id] - 1):
            checked.again(_difference(said[-1], signal, expected.get(signal.id)))
    return said


def _fault(signal: Signal, like: Signal | None) -> str:
    """What is wrong with a recorded signal; "" if it is what was recomputed, but for the code."""
    if like is None:
        return "recorded, and not recomputed"
    like = msgspec.structs.replace(like, code=signal.code)
    return "" if encode(signal) == encode(like) else fields(signal, like)


def _difference(what: str, signal: Signal | None, like: Signal | None) -> Difference:
    one = signal or like
    assert one is not None, "a difference has a side"
    return Difference(
        topic="signals",
        at=one.close_ms,
        symbol=one.symbol,
        what=f"{one.source} {one.granularity} {one.side}: {what}",
        recorded=encode(signal).decode() if signal else "",
        recomputed=encode(like).decode() if like else "",
        cause=of_inputs(signal.inputs, like.inputs) if signal and like else "",
    )


def audit(
    candles: Collection[Iterable[Candle]],
    matrix: Sequence[MatrixRow | Evaluated],
    recorded: Sequence[Signal],
    engines: Sequence[ResolvedEngine],
    *,
    code: str,
    wanted: Mapping[Granularity, Sequence[Indicator]] | None = None,
    watch: Watch | None = None,
    bounds: Bounds = EVER,
    checked: Checked | None = None,
) -> SignalAudit:
    """What `audit signals` prints; the arguments were read in the order matrix, signals, candles.

    `candles` as recompute takes them; they may be read twice.
    """
    begins = begins_of(matrix, recorded, engines)
    found = recompute(candles, engines, code=code, begins=begins, wanted=wanted, watch=watch)
    earlier = recompute(candles, engines, code=code).signals if begins else ()
    return compare(
        recorded,
        found.signals,
        horizons(matrix, engines),
        engines=engines,
        code=code,
        begins=begins,
        earlier=earlier,
        bounds=bounds,
        checked=checked,
    )


def digest_of(events: Iterable[Signal | MatrixRow]) -> str:
    """One hash over events, whatever the order in which their partitions were read."""
    return digest(*sorted(encode(event) for event in events))


def _named(signal: Signal) -> str:
    return f"{signal.source} {signal.symbol} {signal.side} at {signal.close_ms}"
