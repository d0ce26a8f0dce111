"""All signals of a symbol: every engine at every close, compiled where it can be.

What can't be compiled runs interpreted and is named (`Ways`). The result is what the live folds
give for the same candles; a test holds the two against each other.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba.core.errors import NumbaError

from chandler.core.engine import STOP_ATR, ResolvedEngine, ResolvedEvaluator
from chandler.core.events import Signal, Symbol
from chandler.core.granularity import Granularity, by_length, interval_ms
from chandler.core.hashing import digest
from chandler.core.indicators.spec import Bars, Indicator
from chandler.replay.dense import engines as compiled
from chandler.replay.dense import indicators, plain
from chandler.replay.dense.engines import Column, Notes
from chandler.replay.dense.indicators import History
from chandler.replay.dense.lanes import Floats, Ints, Lane, Lanes, exact_rows
from chandler.replay.dense.native import SubsetError, is_shipped

SAMPLE = 400  # bars on which a plug-in's compiled form is held against its interpreted one


OTHER_VALUES = "compiled it gives other values: does it look back too far?"
Values = History | Notes

_held: dict[Any, str] = {}  # plug-ins' functions that were held against themselves → OTHER_VALUES


class Ways:
    """Which functions run interpreted, why, and what that has cost."""

    def __init__(self) -> None:
        self.interpreted: dict[str, str] = {}  # name → why, one line
        self.seconds: dict[str, float] = {}

    def history(self, indicator: Indicator, bars: Bars) -> History:
        """The indicator's values at each bar."""
        name = f"indicator {indicator.key}"
        if name not in self.interpreted:
            try:
                if self._is_new(name, indicator.step):
                    some: Any = [column[:SAMPLE] for column in bars]
                    one = indicators.history(indicator, Bars(*some))
                    self._hold(name, indicator.step, one, plain.history(indicator, Bars(*some)))
                if name not in self.interpreted:
                    return indicators.history(indicator, bars)
            except (SubsetError, NumbaError, ArithmeticError, IndexError, ValueError) as error:
                self.interpreted[name] = _line(error)
        begun = time.perf_counter()
        found = plain.history(indicator, bars)
        self._spent(name, begun)
        return found

    def evaluate(
        self, resolved: ResolvedEvaluator, columns: tuple[Column, ...], bars: int
    ) -> Notes:
        """The evaluator's notes at each bar."""
        name = f"evaluator {resolved.evaluator.name}"
        if name not in self.interpreted:
            try:
                if self._is_new(name, resolved.evaluator.function):
                    some, few = _few(columns, bars)
                    one = compiled.evaluate(resolved, some, few)
                    self._hold(
                        name, resolved.evaluator.function, one, plain.evaluate(resolved, some, few)
                    )
                if name not in self.interpreted:
                    return compiled.evaluate(resolved, columns, bars)
            except (SubsetError, NumbaError, ArithmeticError, IndexError, ValueError) as error:
                self.interpreted[name] = _line(error)
        begun = time.perf_counter()
        found = plain.evaluate(resolved, columns, bars)
        self._spent(name, begun)
        return found

    def lines(self) -> list[str]:
        """One for each that ran interpreted: why, and what that has cost."""
        return [
            f"{name} ran interpreted ({self.seconds.get(name, 0.0):.1f} s): {why}"
            for name, why in sorted(self.interpreted.items())
        ]

    def _is_new(self, name: str, function: Any) -> bool:
        if is_shipped(function):
            return False
        if _held.get(function):
            self.interpreted[name] = _held[function]
        return function not in _held

    def _hold(self, name: str, function: Any, one: Values, other: Values) -> None:
        same = np.array_equal(one[1], other[1]) and np.array_equal(
            one[0][..., one[1]].view(np.int64), other[0][..., other[1]].view(np.int64)
        )
        _held[function] = "" if same else OTHER_VALUES
        if not same:
            self.interpreted[name] = OTHER_VALUES

    def _spent(self, name: str, begun: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


def _few(columns: tuple[Column, ...], bars: int) -> tuple[tuple[Column, ...], int]:
    """The last bars, which have all their inputs if any have."""
    first = max(0, bars - SAMPLE)
    return tuple(each._replace(rows=each.rows[first:]) for each in columns), bars - first


def _line(error: BaseException) -> str:
    return " ".join(f"{error}".split())[:200] or type(error).__name__


class Known(NamedTuple):
    """What is computed once per symbol and used by all engines, and by later runs over the same."""

    lanes: Lanes
    bars: dict[Granularity, Bars]
    histories: dict[tuple[Granularity, str], History]
    rows: dict[tuple[Granularity, frozenset[Granularity]], tuple[dict[Granularity, Ints], int]]
    notes: dict[tuple[Granularity, str], tuple[Any, Notes]]  # of the newest tunables


def known_of(lanes: Lanes) -> Known:
    """Nothing is computed yet."""
    return Known(lanes, {each: lane.bars() for each, lane in lanes.items()}, {}, {}, {})


class Given(NamedTuple):
    """An engine's signals in one symbol, as columns; a Signal is made when somebody reads it."""

    symbol: Symbol
    engine: ResolvedEngine
    close_ms: Ints
    score: Floats
    price: Floats  # at the close
    reach: Floats  # of STOP_ATR there; 0 where the engine has no levels

    def signal(self, row: int) -> Signal:
        """Without notes, reason and inputs: those explain, nothing decides by them."""
        engine, config = self.engine, self.engine.config
        close_ms, price = int(self.close_ms[row]), float(self.price[row])
        score, reach = float(self.score[row]), float(self.reach[row])
        direction = 1.0 if score > 0 else -1.0
        side = "long" if score > 0 else "short"
        stop = price - direction * config.stop_atr * reach if config.stop_atr > 0 else None
        return Signal(
            id=digest(engine.name, engine.hash, engine.version, self.symbol, str(close_ms), side),
            symbol=self.symbol,
            side=side,  # type: ignore[arg-type]
            strength=min(1.0, abs(score)),
            source=engine.name,
            granularity=engine.granularity,
            close_ms=close_ms,
            expires_ms=close_ms + config.freshness_s * 1_000,
            stop=stop,
            targets=[price + direction * each * reach for each in config.target_atr],
            reason="",
            inputs=[],
            config=engine.hash,
            code="",
        )


def given_by(known: Known, engines: Sequence[ResolvedEngine], ways: Ways) -> list[Given]:
    """One symbol's signals by engine, engines by name.

    Where a lane that an engine reads isn't there, there are none of its base.
    """
    if not known.lanes:
        return []
    symbol = next(iter(known.lanes.values())).symbol
    made: list[Given] = []
    for base in sorted({engine.granularity for engine in engines}):
        of_base = [engine for engine in engines if engine.granularity == base]
        read = frozenset(granularity for engine in of_base for granularity in engine.inputs())
        if not read <= known.lanes.keys():
            continue
        made += [
            _of_engine(known, symbol, engine, read, ways)
            for engine in of_base
            if not engine.config.symbols or symbol in engine.config.symbols
        ]
    made.sort(key=lambda each: each.engine.name)
    return made


def signals_of(lanes: Lanes, engines: Sequence[ResolvedEngine], ways: Ways) -> list[Signal]:
    """One symbol's signals of all engines, by close, then engine (see Given.signal)."""
    given = given_by(known_of(lanes), engines, ways)
    made = [each.signal(row) for each in given for row in range(len(each.close_ms))]
    made.sort(key=lambda each: (each.close_ms, each.source))
    return made


def _of_engine(
    known: Known,
    symbol: Symbol,
    engine: ResolvedEngine,
    read: frozenset[Granularity],
    ways: Ways,
) -> Given:
    base = engine.granularity
    bars = known.bars[base]
    place = (base, read)
    if place not in known.rows:
        known.rows[place] = _rows(known, known.lanes[base], _closes(bars, base), read)
    rows, count = known.rows[place]
    closes, close = _closes(bars, base)[:count], np.asarray(bars.close)[:count]
    notes = tuple(_notes(known, engine, each, rows, count, ways) for each in engine.evaluators)
    levels = engine.config.stop_atr > 0 or bool(engine.config.target_atr)
    atr = _history(known, base, STOP_ATR, ways) if levels else None
    found = compiled.engine_signals(engine, notes, closes, close, atr, interval_ms(base), -1)
    bar = found.bars
    reach = np.zeros(len(bar)) if atr is None else atr.values[0, bar]
    return Given(symbol, engine, closes[bar], found.scores, close[bar], reach)


def _closes(bars: Bars, base: Granularity) -> Ints:
    return np.asarray(bars.open_ms) + interval_ms(base)


def _notes(
    known: Known,
    engine: ResolvedEngine,
    resolved: ResolvedEvaluator,
    rows: Mapping[Granularity, Ints],
    count: int,
    ways: Ways,
) -> Notes:
    """The evaluator's notes; those of the last run, where it is tuned as it was then."""
    base, name = engine.granularity, resolved.evaluator.name
    made_of = (resolved.evaluator, resolved.tunables, count)
    before = known.notes.get((base, name))
    if before is not None and before[0] == made_of:
        return before[1]
    columns = tuple(
        Column(
            _history(known, indicator.on or base, indicator, ways),
            rows[indicator.on or base],
        )
        for indicator in resolved.evaluator.inputs.values()
    )
    notes = ways.evaluate(resolved, columns, count)
    known.notes[base, name] = made_of, notes
    return notes


def _rows(
    known: Known, base: Lane, closes: Ints, granularities: frozenset[Granularity]
) -> tuple[dict[Granularity, Ints], int]:
    """Bars of the exact slots by granularity, and how many closes can be evaluated.

    All engines of one base wait for what one of them reads, as in the live fold.
    """
    rows = {base.granularity: np.arange(len(closes))}
    count = len(closes)
    for granularity in by_length(set(granularities) - {base.granularity}):
        rows[granularity], possible = exact_rows(base, closes, known.lanes[granularity])
        count = min(count, possible)
    return {granularity: each[:count] for granularity, each in rows.items()}, count


def _history(known: Known, granularity: Granularity, indicator: Indicator, ways: Ways) -> History:
    place = (granularity, indicator.key)
    if place not in known.histories:
        known.histories[place] = ways.history(indicator, known.bars[granularity])
    return known.histories[place]
