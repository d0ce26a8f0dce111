"""Records in the order of things, without Kafka: cut anywhere, a successor goes on as it was."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.desk.live.inputs import AccountOpened
from chandler.core.events import Event, Signal, event_at
from chandler.core.trading.events import ExitRequested, ExitsOut
from chandler.streams.codec import encode
from chandler.streams.exact.arrived import Arrived
from chandler.streams.exact.fetched import OrderKept, Taken
from chandler.streams.exact.intake import BUFFER_MAX, Watermarks
from chandler.streams.exact.order import Ordered
from chandler.streams.exact.restore import Offsets
from tests.streams.desk.cluster import exit_of, row, signal, ticker, tickers_out
from tests.streams.exact_cluster import START_MS

PARTS = {"tickers": (0,), "signals": (0,), "matrix": (0,), "exits": (0,), "commands": (0,)}
WAITED = ("tickers", "signals", "exits")
MINUTE = 60_000


def record(topic: str, offset: int, event: Event | None) -> Taken:
    at = event_at(event) if event is not None else -1
    return Taken(topic, 0, offset, 0, event, at, "", b"" if event is None else encode(event))


def story() -> list[Taken]:
    """Three minutes of one symbol: tickers, signals with their rows, exits."""
    logs: dict[str, list[Event]] = {topic: [] for topic in PARTS}
    for minute in range(1, 4):
        at = minute * MINUTE
        logs["tickers"] += [ticker("A", at - 20), ticker("B", at), ticker("A", at)]
        logs["tickers"].append(tickers_out(at)[1])
        logs["signals"] += [signal("A", at, 0.1), signal("B", at, 0.9)]
        logs["matrix"] += [row("A", at, "long"), row("B", at, "long")]
        logs["exits"] += [exit_of("A", at), exit_of("B", at - 20)]
        logs["exits"].append(ExitsOut(partition=0, at=START_MS + at))
    return [
        record(topic, offset, event)
        for topic, events in logs.items()
        for offset, event in enumerate(events)
    ]


def name(event: Event | None) -> str:
    kind = type(event).__name__
    assert event is not None
    at = event.due_ms if isinstance(event, ExitRequested) else event_at(event)
    return f"{kind} {getattr(event, 'symbol', '')} {at - START_MS}"


CANONICAL = [
    text
    for at in (MINUTE, 2 * MINUTE, 3 * MINUTE)
    for text in (
        f"Ticker A {at - 20}",
        f"ExitRequested B {at - 20}",
        f"Ticker A {at}",
        f"Ticker B {at}",
        f"Signal B {at}",
        f"Signal A {at}",
        f"ExitRequested A {at}",
    )
]


def begun() -> Ordered:
    """All that is waited for has said that it is out up to 0."""
    order = Ordered(PARTS, WAITED)
    order.feed(record("tickers", 0, tickers_out(0)[1]))
    order.feed(record("matrix", 0, row("A", 0)))
    order.feed(record("matrix", 1, row("B", 0)))
    order.feed(record("exits", 0, ExitsOut(partition=0, at=START_MS)))
    assert order.begin()
    return order


def shifted(taken: Taken) -> Taken:
    """Behind what begun() has read."""
    first = {"tickers": 1, "matrix": 2, "exits": 1}.get(taken.topic, 0)
    return taken._replace(offset=taken.offset + first)


def take_all(order: Ordered) -> list[str]:
    found = []
    while (turn := order.take()) is not None:
        assert not turn.late
        found.append(name(turn.taken.event))
        order.passed(turn.taken)
    return found


@given(st.randoms(use_true_random=False), st.sets(st.integers(0, 40), max_size=4))
def test_the_order_of_things_survives_any_arrival_and_any_restart(random, cuts):
    log: dict[str, list[Taken]] = {topic: [] for topic in PARTS}
    for taken in map(shifted, story()):
        log[taken.topic].append(taken)
    order, found = begun(), []
    steps = 0
    while any(order.read(topic, 0) < end(log, topic) for topic in (*WAITED, "matrix")):
        topic = random.choice(
            [topic for topic in (*WAITED, "matrix") if order.read(topic, 0) < end(log, topic)]
        )
        position = max(order.read(topic, 0), 0)
        order.feed(next(each for each in log[topic] if each.offset == position))
        found += take_all(order)
        order.advance()
        steps += 1
        if steps in cuts:
            order = successor(order, log)
            found += take_all(order)

    assert found == CANONICAL


def end(log: dict[str, list[Taken]], topic: str) -> int:
    return log[topic][-1].offset + 1


def successor(order: Ordered, log) -> Ordered:
    """Reads again from the first record that was not taken, up to where the other had read."""
    kept = msgspec.json.decode(msgspec.json.encode(order.kept()), type=OrderKept)
    again = Ordered(PARTS, WAITED, kept)
    for topic in log:
        low, read = again.low(topic, 0), order.read(topic, 0)
        for each in log[topic]:
            if low <= each.offset < read:
                again.feed(each)
    return again


def test_nothing_is_taken_before_all_that_was_read_is_read_again():
    order = begun()
    order.feed(record("tickers", 1, ticker("A", 10)))
    order.feed(record("signals", 0, signal("A", MINUTE)))
    kept = order.kept()
    again = Ordered(PARTS, WAITED, kept)
    again.feed(record("signals", 0, signal("A", MINUTE)))
    behind = again.is_behind
    again.feed(record("tickers", 1, ticker("A", 10)))

    assert behind
    assert not again.is_behind
    assert again.low("tickers", 0) == 1


def test_a_lane_that_had_read_far_ahead_reads_all_of_it_again():
    """It was paused with a full buffer while it waited for the rest: it stood still for ever."""
    strategy = Watermarks(("tickers", "orders"))
    lane = strategy.lane(0, Offsets(next={}))
    out = record("tickers", 0, tickers_out(BUFFER_MAX + 9)[1])  # the lane waits for orders alone
    ahead = [out] + [
        record("tickers", number, ticker("A", number)) for number in range(1, BUFFER_MAX + 9)
    ]
    for each in ahead:
        lane.feed(each)
    paused = lane.full("tickers")
    again = strategy.lane(0, lane.offsets(Offsets(next={})))
    for each in ahead[:-1]:
        again.feed(each)
    said = again.waits()
    nearly = again.full("tickers")
    again.feed(ahead[-1])

    assert paused
    assert not nearly
    assert set(said) == {"tickers", "orders"}
    assert again.full("tickers")
    assert "what was read before" not in str(again.waits())


def test_nothing_is_taken_before_what_is_expected_is_read():
    """A shard that was away took an hour's tickers before the funding rates of that hour."""
    order = begun()
    order.expects("commands", 0, 7)
    behind = order.is_behind
    order.reached("commands", 0, 6)
    nearly = order.is_behind
    order.reached("commands", 0, 7)

    assert behind
    assert nearly
    assert not order.is_behind


def test_a_ticker_that_is_not_newer_than_its_symbols_newest_is_dropped_and_counted():
    order = begun()
    order.feed(record("tickers", 1, ticker("A", 10)))
    order.feed(record("tickers", 2, ticker("A", 10)))
    order.feed(record("tickers", 3, ticker("A", 5)))
    order.feed(record("tickers", 4, tickers_out(20)[1]))
    order.feed(record("exits", 1, ExitsOut(partition=0, at=START_MS + 20)))

    assert take_all(order) == ["Ticker A 10"]
    assert order.dropped == 2
    assert order.low("tickers", 0) == 5


@pytest.mark.parametrize(("ahead_ms_max", "late"), [(60 * MINUTE, True), (61 * MINUTE, False)])
def test_what_people_send_waits_for_a_clock_that_is_not_too_far_behind(ahead_ms_max, late):
    """A paper desk a minute behind at 60x took them at once, and refused them as `from_future`."""
    order = Ordered(PARTS, WAITED, ahead_ms_max=ahead_ms_max)
    for taken in (
        record("tickers", 0, tickers_out(0)[1]),
        record("matrix", 0, row("A", 0)),
        record("exits", 0, ExitsOut(partition=0, at=START_MS)),
    ):
        order.feed(taken)
    order.begin()
    order.feed(record("commands", 0, signal("A", 61 * MINUTE, source="me")))
    order.feed(record("tickers", 1, ticker("A", 10)))
    order.feed(record("tickers", 2, tickers_out(10)[1]))
    order.feed(record("exits", 1, ExitsOut(partition=0, at=START_MS + 10)))

    found = order.take()

    assert found is not None
    assert (name(found.taken.event).split()[0], found.late) == (
        "Signal" if late else "Ticker",
        late,
    )


def test_an_order_by_arrival_takes_what_comes_and_reads_again_what_was_not_taken():
    order = Arrived({"tickers": (0,), "signals": (0,)})
    order.feed(record("signals", 0, signal("A", MINUTE)))
    order.feed(record("tickers", 0, ticker("A", 10)))
    first = order.take()
    assert first is not None
    order.passed(first.taken)
    again = Arrived({"tickers": (0,), "signals": (0,)}, order.kept())
    again.feed(record("tickers", 0, ticker("A", 10)))
    second = again.take()

    assert isinstance(first.taken.event, Signal)
    assert (again.low("signals", 0), order.low("tickers", 0)) == (1, 0)
    assert second is not None
    assert second.at == START_MS + MINUTE  # the clock never goes back


def test_what_the_venue_says_does_not_wait_behind_what_lies_in_the_topics():
    """After a restart thousands of old signals were refused one after the other for want of an
    account, and that it had been opened stood behind all of them."""
    order = Arrived({"tickers": (0,), "signals": (0,)})
    for number in range(3):
        order.feed(record("tickers", number, ticker("A", number)))
    order.local(AccountOpened(account="demo", at=1))

    first = order.take()

    assert first is not None
    assert first.taken.topic == ""
    assert [turn.taken.offset for turn in iter(order.take, None)] == [0, 1, 2]


def test_what_nobody_heeds_goes_last_and_is_not_lost_in_a_restart():
    """At a close of 200 symbols an order waited behind the refusals of all the other signals."""
    parts = {"signals": (0,)}

    def mine(event: Event) -> bool:
        return getattr(event, "symbol", "") == "C"

    order = Arrived(parts, heeds=mine)
    for offset, symbol in enumerate("ABCA"):
        order.feed(record("signals", offset, signal(symbol, MINUTE)))
    first = order.take()
    assert first is not None
    order.passed(first.taken)

    again = Arrived(parts, order.kept(), heeds=mine)
    for offset, symbol in enumerate("ABCA"):
        again.feed(record("signals", offset, signal(symbol, MINUTE)))

    assert first.taken.offset == 2
    assert [turn.taken.offset for turn in iter(again.take, None)] == [0, 1, 3]
    assert again.low("signals", 0) == 0
