"""Whatever the socket does, the candles that go out are the venue's, in order, each once."""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.events import Candle, CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity, interval_ms, slot_open
from chandler.core.ingest.lane import GRACE_MS
from chandler.core.ingest.sequence import Push, Sequence
from chandler.core.ingest.trust import Trust
from tests.core.ingest.venue import ALL, BEGIN, H1, M5, M15, Table

BTC = Symbol("BTCUSDT")
SLOTS = 30  # of the base, in one run
WHAT = (
    *("push", "push", "lose", "repeat", "delay", "late"),
    *("snapshot", "ask", "recent", "publish", "restart"),
)


class Step(NamedTuple):
    """One thing that happens: time passes, then the socket or REST speaks, or we restart."""

    what: str  # one of WHAT
    granularity: Granularity
    seconds: int


steps = st.lists(
    st.builds(
        Step,
        what=st.sampled_from(
            [
                "push",
                "push",
                "lose",
                "repeat",
                "delay",
                "late",
                "snapshot",
                "ask",
                "recent",
                "publish",
                "restart",
            ]
        ),
        granularity=st.sampled_from(ALL),
        seconds=st.sampled_from([0, 1, 20, 100, 200, 300, 700, 4000]),
    ),
    max_size=60,
)
gaps = st.frozensets(
    st.tuples(st.just(M5), st.integers(0, SLOTS).map(lambda i: BEGIN + i * 300_000))
    | st.tuples(st.just(M15), st.integers(0, 10).map(lambda i: BEGIN + i * 900_000))
    | st.tuples(st.just(H1), st.integers(0, 2).map(lambda i: BEGIN + i * 3_600_000)),
    max_size=6,
)


class Run:
    """A sequence, the venue that it listens to, and what went out."""

    def __init__(self, table: Table, *, never: bool = True, always: bool = False) -> None:
        self.table = table
        self.now = BEGIN + 1_000
        self.trust = Trust(dict.fromkeys(ALL, 1), always=always, never=never)
        self.out: list[Candle] = []
        self.delayed: list[Push] = []
        self.sequence = Sequence(BTC, {each: slot_open(BEGIN, each) for each in ALL})

    def step(self, step: Step) -> None:
        self.now += step.seconds * 1_000
        row = self.table.at(step.granularity, self.now)
        rows = [row] if row else []
        push = Push(step.granularity, rows, self.now, snapshot=False)
        match step.what:
            case "push":
                self.take(push)
            case "repeat":
                self.take(push)
                self.take(push)
            case "delay":
                self.delayed.append(push)
            case "late" if self.delayed:
                self.take(self.delayed.pop())
            case "snapshot":
                history = self.table.finished(step.granularity, self.now - 7_200_000, self.now)
                self.take(Push(step.granularity, [*history, *rows], self.now, snapshot=True))
            case "ask":
                for ask in self.sequence.asks(self.now):
                    self.sequence.answer(self.table.answer(ask, self.now))
            case "recent":
                for ask in self.sequence.asks(self.now):
                    self.sequence.answer(self.table.recent(ask, self.now))
            case "publish":
                self.publish()
            case "restart":
                starts = {each: lane.cursor for each, lane in self.sequence.lanes.items()}
                self.sequence = Sequence(BTC, starts)
        self.trust.tick(self.now)

    def take(self, push: Push) -> None:
        self.sequence.take(push, self.now, self.trust)

    def publish(self) -> None:
        ready = self.sequence.ready(7)
        self.out += [each.candle for each in ready]
        self.sequence.sent({each.candle.granularity: each.candle.open_ms for each in ready})

    def finish(self) -> None:
        """REST answers until nothing is open."""
        self.now = max(self.now, BEGIN + SLOTS * 300_000 + 4_000_000) + GRACE_MS
        for _ in range(100):
            for ask in self.sequence.asks(self.now):
                self.sequence.answer(self.table.recent(ask, self.now))
            self.publish()
            if not self.sequence.asks(self.now):
                break
        while self.sequence.ready(1):
            self.publish()


def expected(table: Table, until: int) -> list[Candle]:
    """The truth: every slot, by close, the longest first."""
    slots = [
        (open_ms + interval_ms(each), -interval_ms(each), each, open_ms)
        for each in ALL
        for open_ms in range(
            slot_open(BEGIN, each), until - interval_ms(each) + 1, interval_ms(each)
        )
    ]
    return [candle(table, each, open_ms) for _, _, each, open_ms in sorted(slots)]


def candle(table: Table, granularity: Granularity, open_ms: int) -> Candle:
    row = table.final(granularity, open_ms)
    if row is None:
        return CandleMissing(symbol=BTC, granularity=granularity, open_ms=open_ms)
    return CandleSealed(
        symbol=BTC,
        granularity=granularity,
        open_ms=open_ms,
        open=row[1],
        high=row[2],
        low=row[3],
        close=row[4],
        volume=row[5],
        quote_volume=row[6],
    )


@settings(max_examples=150, deadline=None)
@given(steps, gaps)
def test_what_goes_out_is_the_truth_in_order_without_repeats(
    happenings: list[Step], missing: frozenset[tuple[Granularity, int]]
) -> None:
    run = Run(Table(missing))

    for happening in happenings:
        run.step(happening)
    run.finish()

    truth = expected(run.table, run.now + 10_000_000)[: len(run.out)]
    assert run.out == truth
    assert len(run.out) >= SLOTS


@settings(max_examples=150, deadline=None)
@given(steps, gaps)
def test_no_slot_is_repeated_or_stepped_over_when_the_socket_is_trusted(
    happenings: list[Step], missing: frozenset[tuple[Granularity, int]]
) -> None:
    run = Run(Table(missing), never=False, always=True)

    for happening in happenings:
        run.step(happening)
    run.finish()

    truth = expected(run.table, run.now + 10_000_000)[: len(run.out)]
    places = [(each.granularity, each.open_ms) for each in run.out]
    assert places == [(each.granularity, each.open_ms) for each in truth]


def test_a_close_sends_its_longest_candle_first() -> None:
    run = Run(Table())
    run.now = BEGIN + 3_600_000 + GRACE_MS
    run.finish()

    at_the_hour = [each.granularity for each in run.out if each.close_ms == BEGIN + 3_600_000]

    assert at_the_hour == [H1, M15, M5]


def test_a_slot_that_rest_lacks_waits_until_rest_shows_a_newer_one() -> None:
    run = Run(Table(frozenset({(M5, BEGIN)})))
    run.now = BEGIN + 300_000 + GRACE_MS
    (ask,) = run.sequence.asks(run.now)

    run.sequence.answer(run.table.answer(ask, run.now))
    before = run.sequence.ready(9)
    run.sequence.answer(run.table.recent(ask, run.now))
    after = run.sequence.ready(9)

    assert before == []
    assert [type(each.candle) for each in after] == [CandleMissing]


def test_a_row_from_the_future_is_set_aside() -> None:
    run = Run(Table())
    future = run.table.final(M5, BEGIN + 900_000)
    assert future is not None

    faults = run.sequence.take(Push(M5, [future], run.now, snapshot=False), run.now, run.trust)

    assert [fault.cause for fault in faults] == ["from the future"]
    assert run.sequence.asks(run.now) == []


def test_a_candle_that_rest_contradicts_is_corrected_and_never_sealed_again() -> None:
    run = Run(Table(), never=False, always=True)
    run.now = BEGIN + 299_000
    run.step(Step("push", M5, 0))
    run.step(Step("push", M5, 2))
    run.publish()
    run.now = BEGIN + 300_000 + GRACE_MS

    (check,) = run.sequence.checks(run.now)
    corrections = run.sequence.answer(run.table.answer(check, run.now))

    assert [each.open_ms for each in corrections] == [BEGIN]
    assert corrections[0].sealed_hash == run.out[0].hash
    assert run.sequence.checks(run.now) == []
    assert len(run.out) == 1


def test_candles_last_that_lost_what_was_committed_is_an_error() -> None:
    run = Run(Table())
    run.sequence.sent({M5: BEGIN + 300_000})

    with pytest.raises(ValueError, match="the topic lost what was committed"):
        run.sequence.sent({M5: BEGIN})
