from chandler.core.granularity import Granularity
from chandler.core.resample import Bar, resample, resample_by

FIVE_MS = 300_000


def bar(slot: int, volume: float = 1.0, price: float = 10.0) -> Bar:
    return Bar(slot * FIVE_MS, price, price + slot, price - slot, price + 0.5, volume, volume * 10)


def test_an_hour_has_the_first_open_the_extremes_and_the_last_close() -> None:
    rows = [bar(slot) for slot in range(24)]

    hours = resample(rows, Granularity("1H"))

    assert [row.open_ms for row in hours] == [0, 3_600_000]
    assert hours[0] == Bar(0, 10.0, 21.0, -1.0, 10.5, 12.0, 120.0)


def test_volumes_are_summed_from_left_to_right() -> None:
    volumes = [0.1, 0.2, 0.3, 1e16, 1.0, -1e16]

    (joined,) = resample([bar(i, volume) for i, volume in enumerate(volumes)], Granularity("1H"))

    expected = 0.0
    for volume in volumes:
        expected += volume
    assert joined.volume == expected


def test_a_slot_with_holes_is_made_of_what_is_there_and_an_empty_one_is_left_out() -> None:
    rows = [bar(3), bar(5), bar(24)]

    hours = resample(rows, Granularity("1H"))

    assert [(row.open_ms, row.volume) for row in hours] == [(0, 2.0), (7_200_000, 1.0)]


def test_an_anchor_moves_the_slots() -> None:
    rows = [bar(slot) for slot in range(6)]

    bars = resample_by(rows, 4 * FIVE_MS, 2 * FIVE_MS)

    assert [row.open_ms for row in bars] == [-2 * FIVE_MS, 2 * FIVE_MS]


def test_nothing_resamples_to_nothing() -> None:
    assert resample([], Granularity("1D")) == []
