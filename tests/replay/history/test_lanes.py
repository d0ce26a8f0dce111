"""A lane grows at its end only: what is there stays, what is new joins, holes are recorded."""

import pytest

from chandler.core.events import Candle, CandleMissing, CandleSealed
from chandler.core.granularity import Granularity, interval_ms
from chandler.replay.history.checks import Wanted, examined
from chandler.replay.history.lanes import Plan, Present, joined, longer, plan
from chandler.replay.history.series import Series, candles_from
from chandler.replay.history.sheet import HistoryError, Sheet
from tests.candles import START_MS, missing, path
from tests.candles import longer as longer_of
from tests.replay.history.sheets import FIVE_MS, NOW_MS, changed, rows_of, sheet

HOUR = Granularity("1H")


def series_of(one: Sheet) -> Series:
    (series,) = examined(one, Wanted(granularity="5m"), NOW_MS).series
    return series


def present_of(series: Series, candles: list[Candle]) -> Present:
    present = Present(series)
    for candle in candles:
        present.take(candle)
    return present


def out(done: Plan) -> list[Candle]:
    return list(candles_from(done.series, done.next_ms))


def sealed(count: int) -> list[Candle]:
    return list(path(count))


def test_an_empty_lane_takes_everything() -> None:
    done = plan(series_of(sheet()), None, record_missing=False)

    assert (done.sealed, done.missing, done.same) == (48, 0, 0)
    assert out(done) == sealed(48)


def test_what_is_there_already_is_skipped_and_the_rest_joins() -> None:
    series = series_of(sheet())

    done = plan(series, present_of(series, sealed(30)), record_missing=False)

    assert (done.sealed, done.missing, done.same) == (18, 0, 30)
    assert out(done) == sealed(48)[30:]


def test_a_file_that_is_there_as_a_whole_brings_nothing() -> None:
    series = series_of(sheet(20))

    done = plan(series, present_of(series, sealed(48)), record_missing=False)

    assert (done.sealed, done.same, out(done)) == (0, 20, [])


def test_other_values_are_refused_with_both_sides() -> None:
    series = series_of(changed(sheet(), 3, volume=1.25))

    with pytest.raises(HistoryError) as raised:
        plan(series, present_of(series, sealed(30)), record_missing=False)

    text = str(raised.value)
    assert "1 candles are in candles.5m with other values, the first 2024-01-01 00:15" in text
    assert f"volume {path(4)[3].volume!r}" in text
    assert "volume 1.25" in text
    assert "CHANDLER_TOPIC_PREFIX" in text


def test_a_quote_volume_that_was_made_up_contradicts_nothing() -> None:
    series = series_of(sheet()._replace(quote_volume=None))

    done = plan(series, present_of(series, sealed(30)), record_missing=False)

    assert done.same == 30


def test_a_candle_where_the_topic_says_missing_is_refused() -> None:
    series = series_of(sheet())
    there: list[Candle] = [*path(3), missing(path(4)[3])]

    with pytest.raises(HistoryError, match="there missing at the venue"):
        plan(series, present_of(series, there), record_missing=False)


def test_older_candles_can_not_be_put_before_what_is_there() -> None:
    series = series_of(sheet())

    with pytest.raises(HistoryError, match="candles from 2024-01-01 00:50 on: older ones"):
        plan(series, present_of(series, sealed(30)[10:]), record_missing=False)


def test_holes_are_refused_or_recorded() -> None:
    series = series_of(rows_of(sheet(), [0, 1, 4, 5, 9]))

    with pytest.raises(HistoryError, match=r"5 5m candles are missing \(holes: 2\)") as raised:
        plan(series, None, record_missing=False)
    done = plan(series, None, record_missing=True)

    assert "first from 2024-01-01 00:10 to 2024-01-01 00:20" in str(raised.value)
    assert (done.sealed, done.missing) == (5, 5)
    candles = out(done)
    assert [each.open_ms for each in candles] == [each.open_ms for each in path(10)]
    assert [isinstance(each, CandleMissing) for each in candles].count(True) == 5


def test_a_hole_between_the_lane_and_the_file_counts_too() -> None:
    series = series_of(rows_of(sheet(), list(range(20, 48))))

    with pytest.raises(HistoryError, match=r"2 5m candles are missing \(holes: 1\)"):
        plan(series, present_of(series, sealed(18)), record_missing=False)


def test_a_hole_where_the_lane_is_full_is_none() -> None:
    series = series_of(rows_of(sheet(), [0, 1, 5, 20, 21]))

    done = plan(series, present_of(series, sealed(20)), record_missing=False)

    assert (done.sealed, done.missing, done.same) == (2, 0, 3)


def test_files_of_one_lane_join_in_any_order() -> None:
    parts = [rows_of(sheet(), list(range(at, at + 18))) for at in (30, 0, 15)]

    whole, repeated = joined([series_of(part) for part in parts])

    assert repeated == 6
    assert whole.open_ms.tolist() == sheet().times.tolist()


def test_files_that_contradict_each_other_are_refused() -> None:
    first, second = sheet(), changed(sheet(), 7, volume=1.0)

    with pytest.raises(HistoryError, match="there twice with other values"):
        joined([series_of(first), series_of(second)])


def test_longer_candles_are_cores_and_whole() -> None:
    series = series_of(rows_of(sheet(60), list(range(5, 55))))

    made = longer(series, None, HOUR, None)

    assert made is not None
    expected: list[CandleSealed] = longer_of(path(60), "1H")[1:4]
    assert list(candles_from(made, expected[0].open_ms)) == expected


def test_a_slot_with_a_hole_makes_no_longer_candle() -> None:
    series = series_of(rows_of(sheet(36), [*range(14), *range(15, 36)]))

    made = longer(series, None, HOUR, None)

    assert made is not None
    assert made.open_ms.tolist() == [START_MS, START_MS + 2 * interval_ms(HOUR)]


def test_what_is_out_completes_the_longer_slot_that_a_file_begins_in() -> None:
    series = series_of(rows_of(sheet(48), list(range(18, 48))))
    there = present_of(series, sealed(18))

    made = longer(series, there, HOUR, START_MS)

    assert made is not None
    assert list(candles_from(made, START_MS + 12 * FIVE_MS)) == longer_of(path(48), "1H")[1:]
