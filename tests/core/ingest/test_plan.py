"""Which symbols, which shards, and where each lane begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.events import Symbol
from chandler.core.granularity import Granularity, interval_ms, slot_open
from chandler.core.ingest.plan import backfill_start, most_traded, resumed, shards, starts

M5, H1, H4 = Granularity("5m"), Granularity("1H"), Granularity("4H")
NOW = 1_700_012_345_678


def test_the_most_traded_come_in_order_of_name_and_ties_go_by_name() -> None:
    volumes = {Symbol("B"): 2.0, Symbol("C"): 2.0, Symbol("A"): 1.0, Symbol("D"): 9.0}

    assert most_traded(volumes, 2) == ["B", "D"]


def test_two_hundred_symbols_are_four_connections() -> None:
    symbols = [Symbol(f"SYN{number}USDT") for number in range(200)]

    planned = shards(symbols, 50, 4, 250)

    assert [len(each) for each in planned] == [50, 50, 50, 50]
    assert [symbol for each in planned for symbol in each] == symbols


def test_a_connection_never_has_more_channels_than_it_may() -> None:
    symbols = [Symbol(f"SYN{number}USDT") for number in range(10)]

    assert {len(each) for each in shards(symbols, 50, 4, 20)} == {5}
    with pytest.raises(ValueError, match="channels_per_connection_max"):
        shards(symbols, 50, 4, 3)


@given(
    st.dictionaries(st.sampled_from([M5, H1, H4]), st.integers(0, 10**9), max_size=3),
    st.integers(1, 300),
)
def test_each_granularity_begins_at_or_before_the_slot_of_the_shorter_ones(
    ages: dict[Granularity, int], backfill: int
) -> None:
    wanted = {each: backfill_start(NOW, each, backfill) for each in (M5, H1, H4)}
    earliest = {each: slot_open(NOW - age, each) for each, age in ages.items()}

    begin = starts(wanted, earliest, NOW)

    assert all(start % interval_ms(each) == 0 for each, start in begin.items())
    assert begin[H1] <= slot_open(begin[M5], H1)
    assert begin[H4] <= slot_open(begin[H1], H4)


def test_what_is_out_goes_on_and_a_new_granularity_begins_afresh() -> None:
    assert resumed({M5: 300_000, H4: 0}, {M5: 0, H1: 0}) == {M5: 600_000, H1: 0}
