"""The end of topic orders: whole from a time on, and bounded where it is followed for long."""

import pytest

from chandler.core.events import Event
from chandler.streams.codec import encode
from chandler.streams.reader import Record
from services.showing.orders import Tail, Wanted
from tests.services.ledgering import filled, requested
from tests.services.notifier.answering.scene import refusal

ALL = Wanted("", "", 0)


def take(tail: Tail, events: list[Event], first: int = 0, partition: int = 0) -> None:
    for offset, event in enumerate(events, first):
        key = "AAAUSDT"
        raw = encode(event)
        tail.take(Record("orders", partition, offset, 1_000 + offset, key, event, raw, {}))


def trades(count: int) -> list[Event]:
    requests = [requested(f"o{number}", number) for number in range(count)]
    return [event for each in requests for event in (each, filled(each, "100"))]


def test_a_topic_that_was_read_from_its_begin_is_whole() -> None:
    tail = Tail(ALL)
    take(tail, trades(3))

    assert tail.orders_whole_ms == tail.refusals_whole_ms == 0
    assert [each.id for each in tail.lives()] == ["o2", "o1", "o0"]
    assert {each.state for each in tail.lives()} == {"filled"}


def test_what_one_partition_does_not_reach_back_to_is_not_shown_of_another() -> None:
    """The newest of all would miss some: those that the shorter partition had in between."""
    tail = Tail(ALL)
    take(tail, trades(3))
    take(tail, [refusal("anna", "pump", "pumped")], first=3, partition=1)

    assert tail.orders_whole_ms == 1_003
    assert [each.id for each in tail.lives()] == ["o2"]
    assert len(tail.refused()) == 1


def test_only_so_many_are_kept_and_it_says_from_when_on() -> None:
    tail = Tail(ALL, kept=2)
    take(tail, trades(4))
    take(tail, [refusal("anna", "pump", str(number), seq=number) for number in range(5)], 8)

    assert [each.id for each in tail.lives()] == ["o3", "o2"]
    assert [each.detail for each in tail.refused()] == ["4", "3"]
    assert (tail.orders_whole_ms, tail.refusals_whole_ms) == (1_002 + 1, 1_010 + 1)


@pytest.mark.parametrize(("agent", "seen"), [("one", 2), ("two", 0)])
def test_orders_are_narrowed_by_agent(agent: str, seen: int) -> None:
    tail = Tail(Wanted(agent, "", 0))
    take(tail, trades(2))

    assert len(tail.lives()) == seen
