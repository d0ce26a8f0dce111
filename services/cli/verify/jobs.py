"""What each process compares: one partition of the symbols, or the desk. Any number at once."""

import asyncio
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, NamedTuple

import msgspec

from chandler.core.events import Candle, CandleMissing, CandleSealed, MatrixRow, Signal, Ticker
from chandler.core.granularity import INTERVAL_MS
from chandler.core.hashing import digest
from chandler.core.indicator_stage import config_text
from chandler.core.market.pump import stage as pump_stage
from chandler.core.positions.stage import Watching
from chandler.core.signals import matrix_configs
from chandler.core.stage import HoleError
from chandler.replay.audit.exits import Streams, Watched, audit_exits
from chandler.replay.audit.pumps import CANDLES, Guarding, audit_pumps
from chandler.replay.audit.recompute import Evaluated, audit
from chandler.replay.audit.rows import MATRIX, Rows
from chandler.replay.audit.verdict import FOR_EVER_MS, Bounds, Checked, Difference, merged
from chandler.replay.forking import end_with
from chandler.streams.settings import Installation
from services import plugins
from services.cli.desk.audit_orders import audited
from services.cli.verify.lanes import Lane, Lanes, sizes
from services.cli.verify.ran import Ran, shards_of
from services.positions.service import MARK_EVERY_MS, RETRY_MS, paper_watching
from services.profile import Profile
from services.pump_guard.service import AHEAD_MS_MAX, AHEAD_WALL_MS, boundary

POLL_S = 0.2
# Derived ones first: what they come from is then there.
DERIVED = (
    MATRIX,
    "signals",
    *(f"indicators.{granularity}" for granularity in INTERVAL_MS),
    "pumps",
    "exits",
    "positions",
    "orders",
)
TOPICS = (*DERIVED, "tickers", *(f"candles.{granularity}" for granularity in INTERVAL_MS))
READ_AGAIN = (MATRIX, "tickers", CANDLES)  # twice: for two comparisons each


class Plan(NamedTuple):
    """What is compared, and how what is on file was made."""

    installation: Installation
    profile: Profile
    bounds: Bounds
    ran: Ran


class Candles:
    """A topic's candles here, read anew by each iteration."""

    def __init__(self, lane: Iterable[Any]) -> None:
        self._lane = lane

    def __iter__(self) -> Iterator[Candle]:
        for read in self._lane:
            if isinstance(read.event, CandleSealed | CandleMissing):
                yield read.event


def run(
    plan: Plan, partitions: Sequence[int], processes: int, tell: Callable[[int], None]
) -> tuple[list[Checked], list[str]]:
    """All of it, by topic, and notes for people, each once.

    `tell`: how many records were read so far.
    """
    context = multiprocessing.get_context("spawn")
    counter, stopped = context.Value("q", 0), context.Event()
    found: list[Checked] = []
    notes: list[str] = []
    with ProcessPoolExecutor(
        max_workers=processes,
        mp_context=context,
        initializer=_begin,
        initargs=(os.getpid(), counter, stopped),
    ) as pool:
        pending: set[Future[tuple[list[Checked], list[str]]]] = {pool.submit(desk, plan)}
        pending |= {pool.submit(partition, plan, number) for number in partitions}
        try:
            while pending:
                done, pending = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
                for each in done:
                    checked, said = each.result()
                    found += checked
                    notes += said
                tell(counter.value)
        except BaseException:
            stopped.set()  # Kafka may be gone after this: nobody must go on reading
            pool.shutdown(cancel_futures=True)
            raise
    return merged(found), sorted(set(notes))


class _Shared:
    """What the processes have together."""

    counter: Any = None  # records read by all of them
    stopped: Any = None  # set: one of them failed, or Ctrl-C


class StoppedError(Exception):
    """Another process failed: this one ends, too."""


def _begin(parent: int, counter: Any, stopped: Any) -> None:
    end_with(parent)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    _Shared.counter, _Shared.stopped = counter, stopped


def _count(records: int) -> None:
    if _Shared.counter is None:
        return
    if _Shared.stopped.is_set():
        raise StoppedError
    with _Shared.counter.get_lock():
        _Shared.counter.value += records


def desk(plan: Plan) -> tuple[list[Checked], list[str]]:
    """The journal again, and topic orders explained by it: the code of `audit orders`."""
    auditor = asyncio.run(audited(plan.installation, plan.profile, plan.bounds))
    auditor.finish()
    notes = []
    if auditor.late or auditor.windows:
        notes.append(
            f"desk: {auditor.late} inputs came late, {auditor.windows} were waited for in vain: "
            "the journal says so, and was decided again as it stands"
        )
    return [auditor.desk, auditor.orders], notes


def partition(plan: Plan, number: int) -> tuple[list[Checked], list[str]]:
    """One partition of all topics that are keyed by symbol."""
    lanes = Lanes(plan.installation, number, TOPICS, _count)
    try:
        found = [*series(plan, lanes), pumps(plan, lanes), *exits(plan, lanes)]
        return found, [f"older records of {topic} are gone" for topic in lanes.cut]
    finally:
        lanes.close()


def series(plan: Plan, lanes: Lanes) -> list[Checked]:
    """Indicators, matrix and signals, from candles: the code of `audit signals`."""
    loaded = plugins.load()
    engines = plugins.resolve(plan.profile, loaded)
    wanted = plugins.wanted(plan.profile, loaded).indicators
    code = plugins.code_hash(loaded)
    configs = {digest(config_text(indicators)) for indicators in wanted.values()}
    names = [MATRIX, *(f"indicators.{granularity}" for granularity in wanted)]
    rows = Rows(
        {name: iter(lanes.lane(name)) for name in names},
        code=code,
        configs=configs | set(matrix_configs(engines).values()),
        bounds=plan.bounds,
    )
    signals = Checked(topic="signals")
    candles = [Candles(lanes.lane(f"candles.{granularity}")) for granularity in wanted]
    try:
        audit(
            candles,
            [*_evaluated(lanes.lane(MATRIX))],
            [read.event for read in lanes.lane("signals") if isinstance(read.event, Signal)],
            engines,
            code=code,
            wanted=wanted,
            watch=rows,
            bounds=plan.bounds,
            checked=signals,
        )
    except HoleError as error:
        signals.wrong(Difference(topic="signals", at=0, symbol="", what=str(error)))
        return [signals]
    return [*rows.finish(), signals]


def _evaluated(lane: Lane) -> Iterator[Evaluated]:
    for read in lane:
        row = read.event
        if isinstance(row, MatrixRow):
            yield Evaluated(row.symbol, row.granularity, row.close_ms, row.config)


def pumps(plan: Plan, lanes: Lanes) -> Checked:
    """The pump guard's states, from 1m candles and tickers."""
    ran = plan.ran
    boundary_ms = boundary(plan.profile)
    guarding = Guarding(
        stage=pump_stage(
            ran.pump, heartbeat_ms=int(ran.pump.heartbeat_ms * ran.pace), boundary_ms=boundary_ms
        ),
        boundary_ms=boundary_ms,
        ahead_ms=max(AHEAD_MS_MAX, int(AHEAD_WALL_MS * ran.pace)),
        since_ms=ran.pumps_since_ms,
        whole=lanes.whole("tickers"),
        blind=ran.blind,
    )
    return audit_pumps(
        iter(lanes.lane(CANDLES)),
        iter(lanes.lane("tickers")),
        iter(lanes.lane("pumps")),
        guarding,
        bounds=plan.bounds,
    )


def exits(plan: Plan, lanes: Lanes) -> list[Checked]:
    """Exits and positions of paper money, from tickers and orders."""
    shards, known = shards_of(plan.ran, plan.profile)
    accounts = {shard.account for shard in shards if shard.kind == "live"}
    watching: Watching = msgspec.structs.replace(
        paper_watching(plan.profile, shards),
        belongs=lambda account: account not in accounts,
        mark_every_ms=round(MARK_EVERY_MS * plan.ran.pace),
        retry_ms=round(RETRY_MS * plan.ran.pace),
    )
    watched = Watched(
        watching,
        since_ms=plan.ran.exits_since_ms if known else FOR_EVER_MS,
        tickers_from_ms=0 if lanes.whole("tickers") else _first(lanes.lane("tickers")),
    )
    names = ("tickers", "orders", "exits", "positions")
    streams = Streams(*(iter(lanes.lane(name)) for name in names))
    return audit_exits(streams, watched, bounds=plan.bounds)


def _first(lane: Lane) -> int:
    """Event time of the first ticker that is kept."""
    for read in lane:
        if isinstance(read.event, Ticker):
            return read.event.at
    return FOR_EVER_MS


def size(plan: Plan, partitions: Sequence[int]) -> int:
    """How many records `tell` will be told of in the end, about."""
    records = asyncio.run(sizes(plan.installation, partitions, TOPICS))
    return sum(count * (1 + (topic in READ_AGAIN)) for topic, count in records.items())
