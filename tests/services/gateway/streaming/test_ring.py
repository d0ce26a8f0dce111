"""The newest events, bounded, by number and by place."""

from services.gateway.streaming.telling.ring import Entry, Ring
from services.gateway.streaming.telling.said import Said

SAID = Said("order_update", "orders", b"")


def all_of(said: Said) -> bool:
    return True


def filled(count: int, entries_max: int = 100, bytes_max: int = 10**6) -> Ring:
    """Numbers 2, 4, 6 … at offsets 0, 1, 2 … of orders:0."""
    ring = Ring(entries_max, bytes_max)
    ring.begin({"orders:0": 0, "signals:0": 5})
    for offset in range(count):
        ring.passed("orders:0", offset)
        ring.add(Entry(2 * (offset + 1), SAID, "orders:0", offset, b"f%d" % offset))
    return ring


def test_what_came_after_a_number_is_told_in_order_a_part_at_a_time():
    ring = filled(5)

    assert ring.since(4, all_of, 2) == ([b"f2", b"f3"], 8)
    assert ring.since(8, all_of, 2) == ([b"f4"], 10)
    assert ring.since(10, all_of, 2) == ([], 10)


def test_what_somebody_does_not_hear_is_stepped_over():
    assert filled(5).since(4, lambda said: False, 2) == ([], 10)


def test_a_number_whose_next_has_left_is_not_reached():
    ring = filled(5, entries_max=3)

    assert not ring.reaches(3)
    assert ring.reaches(4)
    assert ring.reaches(10)


def test_the_bytes_are_bounded_too():
    ring = filled(5, bytes_max=5)

    assert ring.since(0, all_of, 10)[0] == [b"f3", b"f4"]


def test_places_are_covered_as_long_as_nothing_after_them_has_left():
    ring = filled(5, entries_max=3)

    assert not ring.covers({"orders:0": 0})
    assert ring.covers({"orders:0": 1})
    assert ring.covers({"orders:0": 1, "signals:0": 4})
    assert not ring.covers({"orders:0": 1, "signals:0": 3})


def test_what_lies_after_places_is_told():
    assert filled(5).behind({"orders:0": 2}, all_of) == [b"f3", b"f4"]


def test_a_lane_whose_place_somebody_does_not_know_is_not_told():
    assert filled(5).behind({"signals:0": 4}, all_of) == []


def test_an_empty_lane_is_told_from_its_first_record():
    assert filled(1).behind({"orders:0": -1}, all_of) == [b"f0"]


def test_a_record_that_comes_again_is_known():
    ring = filled(2)

    assert not ring.passed("orders:0", 1)
    assert ring.passed("orders:0", 2)
    assert ring.following["orders:0"] == 3
