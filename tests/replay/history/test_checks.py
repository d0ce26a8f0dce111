"""A candle file's faults: each has one line that says what to do, and other symbols go on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.indicators.compute import check
from chandler.core.resample import typical_quote_volume
from chandler.replay.history.checks import Examined, Wanted, examined
from chandler.replay.history.impossible import possible, wrong_with
from chandler.replay.history.series import typical_quote_volumes
from chandler.replay.history.sheet import HistoryError, Named, Sheet, Unread
from tests.candles import START_MS, path
from tests.replay.history.sheets import FIVE_MS, NOW_MS, changed, rows_of, sheet


def looked_at(one: Sheet, wanted: Wanted | None = None, now_ms: int = NOW_MS) -> Examined:
    return examined(one, wanted or Wanted(), now_ms)


def fault_of(one: Sheet, now_ms: int = NOW_MS) -> str:
    found = looked_at(one, now_ms=now_ms)
    assert found.series == []
    (fault,) = found.faults
    assert "\n" not in fault.line
    return fault.text


def notes_of(found: Examined) -> list[str]:
    return [note.text for note in found.notes]


def test_whole_rows_come_out_as_they_are() -> None:
    found = looked_at(sheet())

    (series,) = found.series
    assert (found.faults, found.notes) == ([], [])
    assert (series.symbol, series.granularity, series.typical) == ("BTCUSDT", "5m", False)
    assert [bar.open_ms for bar in series.bars()] == [each.open_ms for each in path(48)]
    assert [bar.quote_volume for bar in series.bars()] == [each.quote_volume for each in path(48)]


@pytest.mark.parametrize(
    ("factor", "unit"), [(1 / 1000, "seconds"), (1000, "microseconds"), (10**6, "nanoseconds")]
)
def test_other_units_are_taken_and_said(factor: float, unit: str) -> None:
    whole = sheet()
    times = whole.times // 1000 if factor < 1 else whole.times * int(factor)

    found = looked_at(whole._replace(times=times))

    assert found.series[0].open_ms.tolist() == whole.times.tolist()
    assert notes_of(found) == [f"its times are {unit}: converted to milliseconds"]


@pytest.mark.parametrize("times", [np.arange(1, 49), np.arange(48) * 10**9 + 10**17])
def test_times_that_nothing_counts_in_are_refused(times: "np.typing.NDArray[np.int64]") -> None:
    with pytest.raises(HistoryError, match="expected seconds, milliseconds"):
        looked_at(sheet()._replace(times=times.astype(np.int64)))


def test_times_of_two_units_are_refused() -> None:
    one = sheet()
    times = one.times.copy()
    times[24:] *= 1000

    with pytest.raises(HistoryError, match="all in one unit"):
        looked_at(one._replace(times=times))


def test_unsorted_rows_are_sorted_and_said() -> None:
    found = looked_at(rows_of(sheet(), [*range(20, 48), *range(20)]))

    assert found.series[0].open_ms.tolist() == sheet().times.tolist()
    assert notes_of(found) == ["rows of 1 symbols were not in order: sorted"]


def test_the_same_row_again_is_dropped_and_counted() -> None:
    found = looked_at(rows_of(sheet(), [*range(48), 3, 4]))

    assert len(found.series[0].open_ms) == 48
    assert "2 rows of 1 symbols were there again" in notes_of(found)[1]


def test_the_same_slot_with_other_values_is_refused_with_both() -> None:
    one = changed(rows_of(sheet(), [*range(48), 3]), 48, volume=7.5)

    text = fault_of(one)

    assert "1 candles are there twice with other values, the first 2024-01-01 00:15" in text
    assert "volume 7.5" in text


def test_the_candle_that_is_not_over_is_left_out() -> None:
    found = looked_at(sheet(), now_ms=START_MS + 48 * FIVE_MS - 1)

    assert len(found.series[0].open_ms) == 47
    assert notes_of(found) == ["the last candle of 1 symbols is not over yet: left out"]


def test_more_of_the_future_is_refused() -> None:
    text = fault_of(sheet(), now_ms=START_MS + 40 * FIVE_MS)

    assert "8 candles are of the future, the first 2024-01-01 03:20" in text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"high": 0.5}, "high 0.5 is below low "),
        ({"open": 1e9}, "is below open 1000000000.0"),
        ({"low": 1e9, "high": 1e10}, "low 1000000000.0 is above open "),
        ({"close": math.nan}, "close is empty or NaN"),
        ({"open": math.inf}, "open inf is above 1e+30"),
        ({"volume": -1.0}, "volume -1.0 is below 0"),
        ({"quote_volume": -1.0}, "quote volume -1.0 is below 0"),
        ({"quote_volume": math.nan}, "quote volume is empty or NaN"),
        ({"low": 0.0}, "low 0.0 is not above 0"),
        ({"open": -1.0, "low": -1.0}, "open -1.0 is not above 0"),
    ],
)
def test_what_no_candle_can_be_is_refused_with_what_is_wrong(
    values: dict[str, float], expected: str
) -> None:
    """One bad row of hundreds made the fault ask whether the columns were in another order."""
    text = fault_of(changed(sheet(), 5, **values))

    assert "1 of 48 candles can't be, the first 2024-01-01 00:25 whose " in text
    assert expected in text
    assert text.endswith(": correct it or leave the row out")


def test_swapped_columns_are_guessed_where_most_candles_say_so() -> None:
    one = sheet()
    opened, high, low, close = one.prices
    swapped = one._replace(prices=(opened, low, high, close))

    assert "columns in another order" in fault_of(swapped)
    assert "columns" not in fault_of(changed(one, 5, high=0.5))


def test_a_cell_that_is_no_number_is_a_fault_of_its_symbol_with_its_row_and_time() -> None:
    """One `abc` kept every symbol of the file out, and nothing said where it stood."""
    one = sheet(symbols=("AAAUSDT", "BBBUSDT", "CCCUSDT"))
    bad = Unread("close", np.array([53, 55, 101]), ["abc", "n.a.", "-"], "a number such as 0.5")

    found = looked_at(one._replace(unread=(bad,)))

    assert [series.symbol for series in found.series] == ["AAAUSDT"]
    assert [fault.symbol for fault in found.faults] == ["BBBUSDT", "CCCUSDT"]
    assert found.faults[0].text == (
        "column close has 'abc' in row 54 (2024-01-01 00:25) and 1 more: expected a number such "
        "as 0.5, correct it or leave the row out"
    )
    assert found.faults[1].cause == "column close has '-' in row 102 (2024-01-01 00:25)"


@pytest.mark.parametrize(
    ("shift", "expected"),
    [(60_000, "48 of 48 times are off the grid of 5m"), (FIVE_MS - 1, "these are close times")],
)
def test_times_off_the_grid_are_refused(shift: int, expected: str) -> None:
    one = sheet()

    assert expected in fault_of(one._replace(times=one.times + shift))


def test_a_faulty_symbol_is_named_and_the_others_go_on() -> None:
    one = changed(sheet(symbols=("AAAUSDT", "bbb/usdt", "CCCUSDT")), 100, low=-1.0)

    found = looked_at(one)

    assert [series.symbol for series in found.series] == ["AAAUSDT"]
    assert [fault.symbol for fault in found.faults] == ["bbb/usdt", "CCCUSDT"]
    assert "expected capital letters and digits" in found.faults[0].text


def test_only_one_symbol_is_taken_where_it_is_asked_for() -> None:
    one = sheet(symbols=("AAAUSDT", "BBBUSDT"))

    assert [each.symbol for each in looked_at(one, Wanted(symbol="BBBUSDT")).series] == ["BBBUSDT"]
    with pytest.raises(HistoryError, match="no row of NOPEUSDT: it has AAAUSDT BBBUSDT"):
        looked_at(one, Wanted(symbol="NOPEUSDT"))


def test_a_file_that_says_no_symbol_needs_the_option() -> None:
    one = sheet(named=Named("", ""))

    with pytest.raises(HistoryError, match="give --symbol BTCUSDT"):
        looked_at(one)
    assert looked_at(one, Wanted(symbol="XUSDT")).series[0].symbol == "XUSDT"


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (sheet(named=Named("BTCUSDT", "1h")), "its name says 1H, its rows are 5m apart"),
        (sheet(named=Named("BTCUSDT", "2h")), "unknown granularity '2h'"),
        (sheet(1), "give --granularity 5m"),
        (rows_of(sheet(), list(range(0, 48, 2))), "10m apart, which is no granularity"),
        (sheet(0), "no candles in it"),
    ],
)
def test_a_granularity_that_can_not_be_told_is_refused(one: Sheet, expected: str) -> None:
    with pytest.raises(HistoryError, match=expected):
        looked_at(one)


def test_a_granularity_that_was_said_counts_more_than_the_rows() -> None:
    found = looked_at(rows_of(sheet(), list(range(0, 48, 2))), Wanted(granularity="5m"))

    assert (found.series[0].granularity, len(found.series[0].open_ms)) == ("5m", 24)


def test_longer_candles_are_not_taken_for_shorter_ones_with_holes() -> None:
    """With --missing they would have gone out as such, for ever."""
    with pytest.raises(HistoryError, match="these are 15m candles, leave the option out"):
        looked_at(rows_of(sheet(), list(range(0, 48, 3))), Wanted(granularity="5m"))


def test_a_quote_volume_that_is_not_there_is_made_as_core_makes_it() -> None:
    found = looked_at(sheet()._replace(quote_volume=None))

    assert found.series[0].typical
    assert [bar.quote_volume for bar in found.series[0].bars()] == [
        typical_quote_volume(bar.high, bar.low, bar.close, bar.volume)
        for bar in found.series[0].bars()
    ]
    assert notes_of(found) == ["no quote volume: made of volume and prices"]
    assert found.notes[0].minor


numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(st.tuples(numbers, numbers, numbers, numbers, numbers))
def test_rows_are_judged_as_core_judges_them(row: tuple[float, float, float, float, float]) -> None:
    try:
        check(*row)
        right = True
    except ValueError:
        right = False

    assert possible(np.array([[*row, 1.0]])).tolist() == [right]


@given(st.tuples(*(st.one_of(numbers, st.floats(-1.0, 3.0)) for _ in range(6))))
def test_of_whatever_can_not_be_a_candle_something_wrong_is_named(row: tuple[float, ...]) -> None:
    if not possible(np.array([row])).all():
        what, _ = wrong_with(list(row))

        assert " is " in what


@given(st.lists(st.floats(0.0, 1e12), min_size=4, max_size=4))
def test_typical_quote_volumes_are_cores_to_the_last_bit(row: list[float]) -> None:
    high, low, close, volume = (np.array([each]) for each in row)

    made = typical_quote_volumes(high, low, close, volume)

    assert made.tolist() == [typical_quote_volume(*row)]
