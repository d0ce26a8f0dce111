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
from chandler.core.events import FundingRate, Instrument, Symbol
from chandler.core.granularity import Granularity, by_length, interval_ms
from chandler.core.hashing import digest
from chandler.core.market.surge import Settings
from chandler.replay.dense.lanes import Ints, Lane, Lanes, longer
from chandler.replay.dense.signals import Given, Ways, given_by, known_of
from chandler.replay.forking import forked
from chandler.replay.remarks import remarks
from chandler.replay.result import Curve, Floats, Origin, Result
from chandler.replay.sparse.agent import Course, Simulation
from chandler.replay.sparse.books import curve_of, trades_of
from chandler.replay.sparse.entries import Entry, Signals
from chandler.replay.sparse.guard import Guarded, guarded
from chandler.replay.sparse.market import Market
from chandler.replay.sparse.prices import ROWS_A_PRICE, Prices, of_candles

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


class Prepared:
    """A past made ready once, for any number of backtests over it; not for two at a time.

    Keeps what doesn't change from one to the next: prices, indicators, the guard's states.
    """

    def __init__(self, past: Past) -> None:
        self.past = past
        self.notes: list[str] = []
        self.ways = Ways()
        self.known = {symbol: known_of(lanes) for symbol, lanes in past.lanes.items()}
        self._markets: dict[Settings | None, Market] = {}
        self.prices: Mapping[Symbol, Prices]
        if past.prices is not None:
            self.prices = past.prices
        else:
            self.prices = {each: of_candles(shortest(of)) for each, of in past.lanes.items() if of}
            self.notes.append(_assumption(past.lanes))

    def read_by(self, engines: Sequence[ResolvedEngine]) -> None:
        """Adds the longer candles that the engines read, made of the shortest where they lack."""
        for symbol, known in self.known.items():
            lanes = _completed(known.lanes, engines, self.notes)
            if lanes.keys() != known.lanes.keys():
                self.known[symbol] = known_of(lanes)

    @property
    def lanes(self) -> dict[Symbol, Lanes]:
        return {symbol: known.lanes for symbol, known in self.known.items()}

    def market(self, guard: Settings | None) -> Market:
        """What decisions see, with that guard."""
        if guard not in self._markets:
            self._markets = {guard: self._market(guard)}
        return self._markets[guard]

    def _market(self, guard: Settings | None) -> Market:
        past, known, prices = self.past, self.known, self.prices
        states: Callable[[Symbol], Guarded] | None = None
        if guard is not None:
            settings = guard
            states = lambda each: guarded(settings, shortest(known[each].lanes), prices[each])  # noqa: E731
        early = past.prices is None
        return Market(prices, past.instruments, past.funding, states, early=early)


def backtest(
    setting: Setting,
    past: Past | Prepared,
    *,
    threads: int = 2,
    processes: int = 1,
    progress: Progress | None = None,
    bars: bool = True,
) -> Result:
    """Runs it. `threads` for engines, `processes` for agents: neither changes the result.

    `bars`: the result holds candles for pictures.
    """
    told = progress or (lambda part, done, of: None)
    clock = _Clock()
    ready = past if isinstance(past, Prepared) else Prepared(past)
    ready.read_by(setting.engines)
    clock.lap("prices")
    given = _dense(setting, ready, threads, told)
    clock.lap("dense")
    lanes = ready.lanes
    courses = _sparse(setting, ready, given, processes, told)
    clock.lap("sparse")
    found = _result(setting, ready, courses)
    clock.lap("books")
    counts: Counter[str] = Counter()
    for of in given.values():
        counts.update({each.engine.name: len(each.close_ms) for each in of})
    found = msgspec.structs.replace(
        found,
        signals={name: count for name, count in counts.items() if count},
        bars={each: _picture(shortest(of)) for each, of in lanes.items() if of} if bars else {},
        timings=clock.laps,
    )
    followed = {
        name: each.config.engines for of in setting.desks for name, each in of.agents.items()
    }
    notes = [*ready.notes, *ready.ways.lines(), *remarks(found, followed)]
    return msgspec.structs.replace(found, notes=notes)


class _Clock:
    """Seconds by part."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._begun = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._begun = now - self._begun, now


def _result(
    setting: Setting, ready: Prepared, courses: Sequence[Course], *, whole: bool = True
) -> Result:
    """What came of it, without what is for people alone."""
    past, lanes, prices = ready.past, ready.lanes, ready.prices
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
            candles=sum(
                len(lane.open_ms) - int(lane.missing.sum())
                for of in past.lanes.values()
                for lane in of.values()
            ),
            ticks=sum(len(each.at) for each in prices.values())
            // (1 if past.prices is not None else ROWS_A_PRICE),
            source=past.source,
            from_tickers=past.prices is not None,
            digest=digest_of(courses, curves) if whole else "",
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
        "one, close), each for a second; bid, ask and mark are the last price"
    )


def _dense(
    setting: Setting, ready: Prepared, threads: int, told: Progress
) -> dict[Symbol, list[Given]]:
    found: dict[Symbol, list[Given]] = {}
    names = list(ready.known)

    def run(symbols: Sequence[Symbol]) -> None:
        for symbol in symbols:
            found[symbol] = given_by(ready.known[symbol], setting.engines, ready.ways)
            told("engines", len(found), len(names))

    run(names[:1])  # what is compiled, is compiled once
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(run, [names[1 + each :: threads] for each in range(threads)]):
            pass
    return found


def _sparse(
    setting: Setting,
    ready: Prepared,
    given: Mapping[Symbol, Sequence[Given]],
    processes: int,
    told: Progress,
) -> list[Course]:
    agents = [(desk, name) for desk in setting.desks for name in desk.agents]
    signals = Signals(given, ready.past.begin_ms)
    to_ms = span(ready.lanes)[1]

    def run(number: int) -> tuple[Any, ...]:
        course = _course(setting, ready, signals, *agents[number], to_ms)
        return course[1:]  # an agent's trading mode can't leave its process

    courses = []
    for number, of_agent in enumerate(forked(run, len(agents), processes)):
        desk, name = agents[number]
        courses.append(Course(desk.agents[name], *of_agent))
        told("agents", number + 1, len(agents))
    return courses


def _course(
    setting: Setting, ready: Prepared, signals: Signals, desk: Desk, agent: str, to_ms: int
) -> Course:
    simulation, entries = _simulation(setting, ready, signals, desk, agent, to_ms)
    return simulation.run(entries, to_ms)


def _simulation(
    setting: Setting, ready: Prepared, signals: Signals, desk: Desk, agent: str, to_ms: int
) -> tuple[Simulation, list[Entry]]:
    past = ready.past
    simulation = Simulation(desk, agent, ready.market(setting.guard), retry_ms=setting.retry_ms)
    others = [each for each in past.entries if each.at > past.begin_ms]
    if others or not simulation.follows_by_name:
        every = [signals.entry(place) for place in range(len(signals))]
        return simulation, sorted([*every, *others], key=lambda each: each[:5])
    entries, refused = signals.followed(simulation.why_not, to_ms)
    simulation.refusals.update(refused)
    return simulation, entries


class Running:
    """A backtest that is looked at on its way: as far as a time, then further, or no more."""

    def __init__(self, setting: Setting, ready: Prepared, *, threads: int = 2) -> None:
        ready.read_by(setting.engines)
        given = _dense(setting, ready, threads, lambda part, done, of: None)
        signals = Signals(given, ready.past.begin_ms)
        self._setting, self._ready = setting, ready
        self.end_ms = span(ready.lanes)[1]
        self._agents = [
            _simulation(setting, ready, signals, desk, name, self.end_ms)
            for desk in setting.desks
            for name in desk.agents
        ]

    def until(self, to_ms: int) -> Result:
        """What came of it up to a time; what its curves say of later is no result.

        Before the end it has no digest.
        """
        courses = [simulation.run(entries, to_ms) for simulation, entries in self._agents]
        return _result(self._setting, self._ready, courses, whole=to_ms >= self.end_ms)


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
