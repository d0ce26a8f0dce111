"""A backtest: candles in, trades and equity out, by the live core.

Dense: every engine at every close, compiled. Sparse: the folds of executor and positions, where
something happens. Knows nothing of Kafka or files: it takes arrays and records.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np

from chandler.core.desk.config import Desk
from chandler.core.engine import ResolvedEngine
from chandler.core.events import FundingRate, Instrument, Signal, Symbol
from chandler.core.granularity import Granularity, by_length, interval_ms
from chandler.core.hashing import digest
from chandler.core.market.surge import Settings
from chandler.replay.dense.lanes import Ints, Lane, Lanes, longer
from chandler.replay.dense.signals import Ways, signals_of
from chandler.replay.result import Curve, Floats, Origin, Result
from chandler.replay.sparse.agent import Course, Entry, Simulation, entries_of
from chandler.replay.sparse.books import curve_of, trades_of
from chandler.replay.sparse.guard import Guarded, guarded
from chandler.replay.sparse.market import Market
from chandler.replay.sparse.prices import Prices, of_candles

Progress = Callable[[str, int, int], None]  # part, done, of how many


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried: engines and agents, resolved."""

    profile: str
    engines: Sequence[ResolvedEngine]
    desks: Sequence[Desk]  # shards of paper money
    guard: Settings | None  # of the pump guard; None: there is none
    retry_ms: int  # after which an exit that nobody took is asked for again
    code: str


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What happened. `prices`: of tickers; without them each shortest candle becomes four."""

    lanes: Mapping[Symbol, Lanes]
    instruments: Mapping[Symbol, Sequence[Instrument]]
    funding: Mapping[Symbol, Sequence[FundingRate]] = {}
    prices: Mapping[Symbol, Prices] | None = None
    entries: Sequence[Entry] = ()  # external signals and commands, in the order of things
    source: str = "candles"
    begin_ms: int = -1  # signals and commands up to it are not taken: nobody traded yet


def backtest(
    setting: Setting,
    past: Past,
    *,
    threads: int = 2,
    progress: Progress | None = None,
    bars: bool = True,
) -> Result:
    """Runs it. `bars`: the result holds candles for pictures."""
    told = progress or (lambda part, done, of: None)
    clock = _Clock()
    notes: list[str] = []
    lanes = {each: _completed(of, setting.engines, notes) for each, of in past.lanes.items()}
    prices = past.prices
    if prices is None:
        prices = {each: of_candles(shortest(of)) for each, of in lanes.items() if of}
        notes.append(_assumption(lanes))
    clock.lap("prices")
    ways = Ways()
    signals = _dense(setting, lanes, ways, threads, told)
    notes += ways.lines()
    clock.lap("dense")
    market = Market(
        prices,
        past.instruments,
        past.funding,
        _guard(setting, lanes, prices),
        early=past.prices is None,
    )
    entries = sorted([*entries_of(signals), *past.entries], key=lambda each: each[:5])
    entries = [each for each in entries if each.at > past.begin_ms]
    courses = _sparse(setting, market, entries, span(lanes)[1], told)
    clock.lap("sparse")
    found = _result(setting, past, lanes, prices, courses)
    clock.lap("books")
    return msgspec.structs.replace(
        found,
        signals=dict(Counter(each.source for of in signals.values() for each in of)),
        bars={each: _picture(shortest(of)) for each, of in lanes.items() if of} if bars else {},
        notes=notes,
        timings=clock.laps,
    )


class _Clock:
    """Seconds by part."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._begun = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._begun = now - self._begun, now


def _result(
    setting: Setting,
    past: Past,
    lanes: Mapping[Symbol, Lanes],
    prices: Mapping[Symbol, Prices],
    courses: Sequence[Course],
) -> Result:
    """What came of it, without what is for people alone."""
    from_ms, to_ms = span(lanes)
    at_ms = _times(lanes)
    curves = {each.agent.name: curve_of(each, at_ms, prices) for each in courses}
    return Result(
        origin=Origin(
            profile=setting.profile,
            config=digest(
                *(engine.hash for engine in setting.engines), *(desk.hash for desk in setting.desks)
            ),
            code=setting.code,
            candles=sum(len(lane.open_ms) for of in past.lanes.values() for lane in of.values()),
            ticks=sum(len(each.at) for each in prices.values()),
            source=past.source,
            from_tickers=past.prices is not None,
            digest=digest_of(courses, curves),
        ),
        from_ms=from_ms,
        to_ms=to_ms,
        at_ms=at_ms,
        curves=curves,
        trades=sorted(
            (trade for each in courses for trade in trades_of(each)),
            key=lambda trade: (trade.opened_ms, trade.symbol, trade.agent),
        ),
        fills=sorted(
            (fill for each in courses for fill in each.fills),
            key=lambda fill: (fill.at, fill.symbol, fill.agent, fill.trade),
        ),
        events=[event for each in courses for event in each.events],
        refusals={each.agent.name: dict(each.refusals) for each in courses},
        signals={},
        benchmarks=_benchmarks(at_ms, prices),
        bars={},
        notes=[],
        timings={},
    )


def shortest(lanes: Lanes) -> Lane:
    """The lane of the shortest granularity."""
    return lanes[by_length(set(lanes))[0]]


def span(lanes: Mapping[Symbol, Lanes]) -> tuple[int, int]:
    """From the first open to the last close of the shortest candles, ms; 0, 0 without any."""
    chosen = [shortest(of) for of in lanes.values() if of]
    chosen = [each for each in chosen if len(each.open_ms)]
    if not chosen:
        return 0, 0
    return min(int(each.open_ms[0]) for each in chosen), max(each.end_ms for each in chosen)


def digest_of(courses: Sequence[Course], curves: Mapping[str, Curve]) -> str:
    """One hash over all fills and balances: the same wherever and however it was computed."""
    encode = msgspec.json.Encoder().encode
    parts = []
    for course in sorted(courses, key=lambda each: each.agent.name):
        plain = [msgspec.structs.replace(fill, v=1) for fill in course.fills]
        parts.append(digest(course.agent.name, *(encode(fill) for fill in plain)))
        parts.append(str(curves[course.agent.name].balance))
    return digest(*parts)


def _completed(lanes: Lanes, engines: Sequence[ResolvedEngine], notes: list[str]) -> Lanes:
    """With the longer candles that the engines read, made of the shortest where they lack."""
    if not lanes:
        return lanes
    found: dict[Granularity, Lane] = dict(lanes)
    base = shortest(lanes)
    for engine in engines:
        for granularity in engine.inputs():
            shorter = interval_ms(base.granularity) < interval_ms(granularity)
            if granularity not in found and shorter:
                found[granularity] = longer(base, granularity)
                said = f"{granularity} candles were made of {base.granularity} ones"
                if said not in notes:
                    notes.append(said)
    return found


def _assumption(lanes: Mapping[Symbol, Lanes]) -> str:
    names = sorted({shortest(of).granularity for of in lanes.values() if of})
    return (
        f"prices: four of each {'/'.join(names)} candle (open, the nearer extreme, the farther "
        "one, close); bid, ask and mark are the last price"
    )


def _dense(
    setting: Setting,
    lanes: Mapping[Symbol, Lanes],
    ways: Ways,
    threads: int,
    told: Progress,
) -> dict[Symbol, list[Signal]]:
    done = 0
    found: dict[Symbol, list[Signal]] = {}
    names = list(lanes)
    if names:  # what is compiled, is compiled once
        found[names[0]] = signals_of(lanes[names[0]], setting.engines, ways)

    def run(symbol: Symbol) -> tuple[Symbol, list[Signal]]:
        return symbol, signals_of(lanes[symbol], setting.engines, ways)

    with ThreadPoolExecutor(threads) as pool:
        for symbol, signals in pool.map(run, names[1:]):
            found[symbol] = signals
            done += 1
            told("engines", done + 1, len(names))
    return found


def _guard(
    setting: Setting, lanes: Mapping[Symbol, Lanes], prices: Mapping[Symbol, Prices]
) -> Callable[[Symbol], Guarded] | None:
    settings = setting.guard
    if settings is None:
        return None
    return lambda symbol: guarded(settings, shortest(lanes[symbol]), prices[symbol])


def _sparse(
    setting: Setting, market: Market, entries: Sequence[Entry], to_ms: int, told: Progress
) -> list[Course]:
    agents = [(desk, name) for desk in setting.desks for name in desk.agents]
    courses = []
    for number, (desk, name) in enumerate(agents):
        simulation = Simulation(desk, name, market, retry_ms=setting.retry_ms)
        courses.append(simulation.run(entries, to_ms))
        told("agents", number + 1, len(agents))
    return courses


def _times(lanes: Mapping[Symbol, Lanes]) -> Ints:
    """Closes of the shortest candles, of all symbols."""
    chosen = [shortest(of) for of in lanes.values() if of]
    if not chosen:
        return np.zeros(0, np.int64)
    step = min(interval_ms(each.granularity) for each in chosen)
    first, last = span(lanes)
    return np.arange(first - first % step + step, last + 1, step, dtype=np.int64)


def _benchmarks(at_ms: Ints, prices: Mapping[Symbol, Prices]) -> dict[str, Floats]:
    """1.0 held from the start: of BTC where it is there, and of all symbols alike."""
    values: dict[Symbol, Floats] = {}
    for symbol, each in prices.items():
        if not len(each.at):
            continue
        rows = np.searchsorted(each.at, at_ms, "right") - 1
        known = each.last[~each.odd]
        if len(known):
            values[symbol] = each.last[np.maximum(rows, 0)] / float(known[0])
    found = {name: values[Symbol(name)] for name in ("BTCUSDT",) if Symbol(name) in values}
    if values:
        found["universe"] = np.mean(list(values.values()), axis=0)
    return found


def _picture(lane: Lane) -> dict[str, Any]:
    bars = lane.bars()
    return {
        "granularity": lane.granularity,
        "open_ms": np.asarray(bars.open_ms),
        "open": np.asarray(bars.open),
        "high": np.asarray(bars.high),
        "low": np.asarray(bars.low),
        "close": np.asarray(bars.close),
    }
