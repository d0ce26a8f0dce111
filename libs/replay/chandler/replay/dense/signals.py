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
from chandler.replay.dense.engines import Column, Found, Notes
from chandler.replay.dense.indicators import History
from chandler.replay.dense.lanes import Ints, Lane, Lanes, exact_rows
from chandler.replay.dense.native import SubsetError, is_shipped

SAMPLE = 400  # bars on which a plug-in's compiled form is held against its interpreted one


class Ways:
    """Which functions run interpreted, why, and what that has cost."""

    def __init__(self) -> None:
        self.interpreted: dict[str, str] = {}  # name → why, one line
        self.seconds: dict[str, float] = {}
        self._checked: set[str] = set()

    def history(self, indicator: Indicator, bars: Bars) -> History:
        """The indicator's values at each bar."""
        name = f"indicator {indicator.key}"
        if name not in self.interpreted:
            try:
                if self._is_new(name, indicator.step):
                    some: Any = [column[:SAMPLE] for column in bars]
                    one = indicators.history(indicator, Bars(*some))
                    self._hold(name, one, plain.history(indicator, Bars(*some)))
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
                    self._hold(name, one, plain.evaluate(resolved, some, few))
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
        if is_shipped(function) or name in self._checked:
            return False
        self._checked.add(name)
        return True

    def _hold(self, name: str, one: History | Notes, other: History | Notes) -> None:
        same = np.array_equal(one[1], other[1]) and np.array_equal(
            one[0][..., one[1]].view(np.int64), other[0][..., other[1]].view(np.int64)
        )
        if not same:
            self.interpreted[name] = "compiled it gives other values: does it look back too far?"

    def _spent(self, name: str, begun: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


def _few(columns: tuple[Column, ...], bars: int) -> tuple[tuple[Column, ...], int]:
    """The last bars, which have all their inputs if any have."""
    first = max(0, bars - SAMPLE)
    return tuple(each._replace(rows=each.rows[first:]) for each in columns), bars - first


def _line(error: BaseException) -> str:
    return " ".join(f"{error}".split())[:200] or type(error).__name__


class Symbols(NamedTuple):
    """What is computed once per symbol and used by all engines."""

    lanes: Lanes
    bars: Mapping[Granularity, Bars]
    histories: dict[tuple[Granularity, str], History]


def signals_of(lanes: Lanes, engines: Sequence[ResolvedEngine], ways: Ways) -> list[Signal]:
    """One symbol's signals of all engines, by close, then engine.

    Without notes, reason and inputs: those explain, nothing decides by them. Where a lane that an
    engine reads isn't there, there are none of its base.
    """
    if not lanes:
        return []
    symbol = next(iter(lanes.values())).symbol
    known = Symbols(lanes, {each: lane.bars() for each, lane in lanes.items()}, {})
    made: list[Signal] = []
    for base in {engine.granularity for engine in engines}:
        of_base = [engine for engine in engines if engine.granularity == base]
        read = {granularity for engine in of_base for granularity in engine.inputs()}
        if not read <= lanes.keys():
            continue
        bars = known.bars[base]
        closes = np.asarray(bars.open_ms) + interval_ms(base)
        rows, count = _rows(known, lanes[base], closes, read)
        for engine in sorted(of_base, key=lambda each: each.name):
            if not engine.config.symbols or symbol in engine.config.symbols:
                made += _of_engine(known, symbol, engine, closes[:count], rows, ways)
    made.sort(key=lambda each: (each.close_ms, each.source))
    return made


def _of_engine(
    known: Symbols,
    symbol: Symbol,
    engine: ResolvedEngine,
    closes: Ints,
    rows: Mapping[Granularity, Ints],
    ways: Ways,
) -> list[Signal]:
    bars, count = known.bars[engine.granularity], len(closes)
    notes = []
    for resolved in engine.evaluators:
        columns = tuple(
            Column(
                _history(known, indicator.on or engine.granularity, indicator, ways),
                rows[indicator.on or engine.granularity],
            )
            for indicator in resolved.evaluator.inputs.values()
        )
        notes.append(ways.evaluate(resolved, columns, count))
    levels = engine.config.stop_atr > 0 or bool(engine.config.target_atr)
    atr = _history(known, engine.granularity, STOP_ATR, ways) if levels else None
    found = compiled.engine_signals(
        engine,
        tuple(notes),
        closes,
        np.asarray(bars.close)[:count],
        atr,
        interval_ms(engine.granularity),
        -1,
    )
    return _made(symbol, engine, found, closes, bars, atr)


def _rows(
    known: Symbols, base: Lane, closes: Ints, granularities: set[Granularity]
) -> tuple[dict[Granularity, Ints], int]:
    """Bars of the exact slots by granularity, and how many closes can be evaluated.

    All engines of one base wait for what one of them reads, as in the live fold.
    """
    rows = {base.granularity: np.arange(len(closes))}
    count = len(closes)
    for granularity in by_length(granularities - {base.granularity}):
        rows[granularity], possible = exact_rows(base, closes, known.lanes[granularity])
        count = min(count, possible)
    return {granularity: each[:count] for granularity, each in rows.items()}, count


def _history(known: Symbols, granularity: Granularity, indicator: Indicator, ways: Ways) -> History:
    place = (granularity, indicator.key)
    if place not in known.histories:
        known.histories[place] = ways.history(indicator, known.bars[granularity])
    return known.histories[place]


def _made(
    symbol: Symbol,
    engine: ResolvedEngine,
    found: Found,
    closes: Ints,
    bars: Bars,
    atr: History | None,
) -> list[Signal]:
    config = engine.config
    made = []
    for bar, score in zip(found.bars.tolist(), found.scores.tolist(), strict=True):
        close_ms, price = int(closes[bar]), float(bars.close[bar])
        reach = 0.0 if atr is None else float(atr.values[0, bar])
        direction = 1.0 if score > 0 else -1.0
        side = "long" if score > 0 else "short"
        stop = price - direction * config.stop_atr * reach if config.stop_atr > 0 else None
        made.append(
            Signal(
                id=digest(engine.name, engine.hash, engine.version, symbol, str(close_ms), side),
                symbol=symbol,
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
        )
    return made
