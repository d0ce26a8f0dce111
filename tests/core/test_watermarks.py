"""The merge by watermarks: one order of things whatever the arrival, and nothing dropped."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.events import MatrixRow, Signal, Symbol
from chandler.core.granularity import Granularity
from chandler.core.watermarks import CloseMarks, Merge, Merged, Place, ShardMarks
from chandler.core.watermarks.marks import NOBODY, UNKNOWN

RANKS = {"tickers": 1, "signals": 5, "exits": 6}
WAITED = dict.fromkeys(RANKS, (0, 1))


def place(at: int, topic: str, symbol: str = "A", name: str = "") -> Place:
    return Place(at, RANKS.get(topic, 4), 0.0, symbol, name)


def merge(kept: Merged | None = None) -> Merge[str]:
    return Merge(WAITED, RANKS, kept)


def everything_out(merged: Merge[str], at: int) -> None:
    for topic, partitions in WAITED.items():
        for partition in partitions:
            merged.note(topic, partition, at)


def taken(merged: Merge[str]) -> list[str]:
    found = []
    while (one := merged.take()) is not None:
        found.append(one[1])
    return found


def test_an_event_waits_for_every_input_whose_events_could_come_before_it():
    merged = merge()
    merged.put("tickers", 0, 0, place(10, "tickers"), "tick")
    before = merged.take()
    everything_out(merged, 9)
    held = {(each.topic, each.partition) for each in merged.held()}
    for partition in (0, 1):
        merged.note("tickers", partition, 10)

    assert before is None
    assert held == {("tickers", 0), ("tickers", 1)}  # others' events of 10 come after a tick's
    assert taken(merged) == ["tick"]
    assert merged.advance() == 9


def test_what_comes_after_its_place_has_passed_gets_the_next_one_and_is_late():
    merged = merge()
    everything_out(merged, 100)
    assert merged.take() is None
    assert merged.advance() == 100
    merged.put("exits", 0, 7, place(50, "exits"), "exit")
    everything_out(merged, 200)
    found = merged.take()

    assert found is not None
    assert (found[0].place.at, found[0].late) == (101, True)
    assert merged.advance() == 200


def test_a_closed_window_goes_on_until_the_input_says_something_new():
    merged = merge()
    everything_out(merged, 10)
    for partition in (0, 1):
        merged.note("tickers", partition, 99)
        merged.note("signals", partition, 99)
    merged.note("exits", 1, 99)
    merged.put("tickers", 0, 0, place(50, "tickers"), "first")
    merged.put("tickers", 0, 1, place(60, "tickers"), "second")
    assert merged.take() is None
    (held,) = merged.held()
    merged.close(held)
    first = merged.take()
    merged.note("exits", 0, 20)
    waiting = merged.take()
    merged.note("exits", 0, 59)

    assert (held.topic, held.partition, held.mark) == ("exits", 0, 10)
    assert first is not None
    assert waiting is None
    assert taken(merged) == ["second"]


def test_a_gate_holds_its_own_events_and_one_silence_excuses_all_that_lag():
    merged = merge()
    everything_out(merged, 100)
    for symbol in "ABC":
        merged.open(symbol, 10)
        merged.put("signals", 0, ord(symbol), place(50, "signals", symbol), symbol, gate=symbol)
    assert merged.take() is None
    (held,) = merged.held()
    merged.close(held)
    after = taken(merged)
    merged.open("B", 55)
    merged.put("signals", 0, 1, place(60, "signals", "B"), "again", gate="B")

    assert (held.gate, held.mark) == ("A", 10)
    assert after == ["A", "B", "C"]
    assert merged.take() is None


def test_an_event_from_far_ahead_is_not_waited_for():
    merged = merge()
    everything_out(merged, 1_000)
    merged.advance()
    merged.put("commands", 0, 0, place(10**12, "commands"), "from 2001", gate="")
    everything_out(merged, 1_001)
    found = merged.take()

    assert found is not None
    assert (found[0].place.at, found[0].late) == (1_001, True)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(sorted(RANKS)),
        st.integers(0, 1),
        st.integers(1, 30),
        st.sampled_from("ABC"),
        st.sampled_from(["", "same"]),
    ),
    max_size=40,
)


@given(EVENTS, st.randoms(use_true_random=False), st.integers(0, 60))
def test_the_order_is_the_same_whatever_the_arrival_and_wherever_it_is_cut(events, random, cut):
    """Each partition says its events up to a time and then that they are out, in any order.

    Two fills of one ticker and agent have one place: the second was once taken for late, and lost
    where a restart came between them.
    """
    named = [
        (topic, partition, place(at, topic, symbol, name), f"{number:03}")
        for number, (topic, partition, at, symbol, name) in enumerate(events)
    ]
    steps = arrivals(named, random)
    merged = merge()
    found: list[str] = []
    fetched: list[tuple[str, int, int, Place, str]] = []
    for topic, partition, offset, said in steps:
        if isinstance(said, int):
            merged.note(topic, partition, said)
        else:
            fetched.append((topic, partition, offset, said[2], said[3]))
            merged.put(topic, partition, offset, said[2], said[3])
        while (one := merged.take()) is not None:
            assert not one[0].late
            found.append(one[1])
            if len(found) == cut:
                merged = restored(merged, fetched)
        merged.advance()

    expected = sorted(
        (at, topic, partition, offset, name) for topic, partition, offset, at, name in fetched
    )
    assert found == [name for *_, name in expected]


def arrivals(named, random):
    """(topic, partition, offset, an event or a watermark), interleaved over partitions."""
    queues = {}
    for topic, partitions in WAITED.items():
        for partition in partitions:
            mine = [each for each in named if each[:2] == (topic, partition)]
            queue, offset = [], 0
            for first, end in ((0, 10), (10, 20), (20, 31)):
                part = [each for each in mine if first <= each[2].at < end]
                random.shuffle(part)
                for each in part:
                    queue.append((topic, partition, offset, each))
                    offset += 1
                queue.append((topic, partition, -1, end - 1))
            queues[topic, partition] = queue
    steps = []
    while any(queues.values()):
        key = random.choice([key for key, queue in queues.items() if queue])
        steps.append(queues[key].pop(0))
    return steps


def restored(merged: Merge[str], fetched) -> Merge[str]:
    """A successor that has all records fetched again, in their order."""
    kept = msgspec.json.decode(msgspec.json.encode(merged.kept()), type=Merged)
    again = merge(kept)
    for topic, partition, offset, at, name in fetched:
        if not again.was_taken(topic, partition, offset, at):
            again.put(topic, partition, offset, at, name)
    return again


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50)), max_size=30))
def test_what_several_writers_have_said_is_what_the_slowest_has(said):
    marks = ShardMarks()
    newest: dict[int, int] = {}
    for shard, at in said:
        marks.note(shard, 3, at)
        newest[shard] = max(at, newest.get(shard, UNKNOWN))

    assert marks.at == (min(newest.values()) if len(newest) == 3 else UNKNOWN)


def row(symbol: str, close: int, verdict: str = "below threshold") -> MatrixRow:
    return MatrixRow(
        symbol=Symbol(symbol),
        granularity=Granularity("1m"),
        close_ms=close * 60_000,
        notes={},
        absent={},
        verdicts={"engine": verdict},
        inputs=[],
        config="",
        code="",
    )


def signal(symbol: str, close: int) -> Signal:
    return Signal(
        id="s",
        symbol=Symbol(symbol),
        side="long",
        strength=0.5,
        source="engine",
        granularity=Granularity("1m"),
        close_ms=close * 60_000,
        expires_ms=0,
        reason="",
        inputs=[],
        config="",
        code="",
    )


def test_a_close_is_out_when_each_symbol_has_its_row_and_each_row_its_signal():
    marks = CloseMarks()
    nobody = marks.at
    marks.row(row("A", 1), 0)
    marks.row(row("B", 1), 0)
    one = marks.at
    marks.row(row("A", 2), 0)
    half = marks.at
    marks.row(row("B", 2, "long"), 0)
    unsignalled = marks.at
    marks.signal(signal("B", 2), 0)

    assert nobody == NOBODY
    assert (one, half, unsignalled) == (119_999, 119_999, 119_999)
    assert marks.at == 179_999


def test_a_signal_may_come_before_its_row_and_marks_come_back_as_they_were():
    marks = CloseMarks()
    marks.row(row("A", 1), 0)
    marks.signal(signal("A", 2), 0)
    again = msgspec.json.decode(msgspec.json.encode(marks), type=CloseMarks)
    again.row(row("A", 2, "long"), 0)

    assert again.at == 179_999


def test_a_symbol_that_has_gone_is_waited_for_again_once_it_has_caught_up():
    marks = CloseMarks()
    marks.row(row("A", 5), 0)
    marks.row(row("GONE", 1), 0)
    marks.forget(5 * 60_000)
    without = marks.at
    clock = 5 * 60_000
    marks.row(row("GONE", 2), clock)
    lagging = marks.at
    marks.row(row("GONE", 4), clock)
    behind = marks.at
    marks.row(row("A", 6), clock)

    assert without == lagging == 6 * 60_000 - 1
    assert behind == 6 * 60_000 - 1
    marks.row(row("GONE", 5), clock)
    assert marks.at == 6 * 60_000 - 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["row", "forget", "kept"]), st.integers(0, 4), st.integers(0, 2)),
        max_size=60,
    )
)
def test_the_watermark_of_signals_is_the_least_of_all_slots_whatever_came(
    steps: list[tuple[str, int, int]],
) -> None:
    """It was made anew from all slots at every row: a quarter of the executor's time at a close."""
    marks = CloseMarks()
    newest = dict.fromkeys(range(5), 0)

    for what, which, missed in steps:
        if what == "row":
            newest[which] += 300_000
            marks.row(row_of(f"S{which}", newest[which], signalled=missed == 1), clock=0)
        elif what == "forget":
            marks.forget(newest[which])
        else:
            marks = msgspec.json.decode(msgspec.json.encode(marks), type=CloseMarks)
        least = [close + 300_000 - 1 for close in marks.closes.values()]
        assert marks.at == min(least, default=NOBODY)


def row_of(symbol: str, close_ms: int, *, signalled: bool) -> MatrixRow:
    return MatrixRow(
        symbol=Symbol(symbol),
        granularity=Granularity("5m"),
        close_ms=close_ms,
        notes={},
        absent={},
        verdicts={"scalper": "long"} if signalled else {},
        inputs=[],
        config="",
        code="",
    )
