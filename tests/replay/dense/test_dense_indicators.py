"""Compiled indicators are the interpreted ones, to the last bit."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.indicators.compute import history as interpreted
from chandler.core.indicators.registry import INDICATORS, parse_indicator
from chandler.core.indicators.spec import Bars, Indicator
from chandler.replay.dense import plain
from chandler.replay.dense.indicators import History, history
from tests.candles import path
from tests.replay.dense.candles import lane_of

WITH_PERIOD = {"donchian", "ema", "ema_slope", "highest", "lowest", "sma", "wma"}


def shipped() -> list[Indicator]:
    return [parse_indicator(f"{name}(5)" if name in WITH_PERIOD else name) for name in INDICATORS]


def bits(indicator: Indicator, found: History) -> list[Any]:
    """The values bar by bar, as bits: -0.0 isn't 0.0."""
    rows = found.values.view(np.int64).T.tolist()
    return [row if known else None for row, known in zip(rows, found.known, strict=True)]


def expected(indicator: Indicator, bars: Bars) -> list[Any]:
    found: list[Any] = []
    for value in interpreted(indicator, bars):
        numbers = value if indicator.fields else (value,)
        known = value is not None and all(map(math.isfinite, numbers))
        found.append([int(np.float64(each).view(np.int64)) for each in numbers] if known else None)
    return found


def as_lists(bars: Bars) -> Bars:
    columns: Any = [np.asarray(column).tolist() for column in bars]
    return Bars(*columns)


@pytest.mark.parametrize("indicator", shipped(), ids=lambda each: each.key)
def test_a_compiled_indicator_has_the_bits_of_the_interpreted_one(indicator: Indicator) -> None:
    bars = lane_of(path(700, seed=3)).bars()

    found = bits(indicator, history(indicator, bars))

    assert found == expected(indicator, as_lists(bars))
    assert any(found)


# Flat prices, jumps, zero volume, the smallest numbers: what guards are for.
prices = st.sampled_from([1.0, 1.0, 1.0, 1.5, 0.5, 1e-8, 3e7])
candle = st.tuples(prices, prices, prices, prices, st.sampled_from([0.0, 0.0, 1.0, 1e-9, 1e12]))


@settings(max_examples=60, deadline=None)
@given(st.lists(candle, min_size=1, max_size=90))
def test_corners_are_the_same_in_both_worlds(rows: list[tuple[float, ...]]) -> None:
    columns: Any = [
        list(range(0, 300_000 * len(rows), 300_000)),
        [row[0] for row in rows],
        [max(row[:4]) for row in rows],
        [min(row[:4]) for row in rows],
        [row[3] for row in rows],
        [row[4] for row in rows],
    ]
    arrays: Any = [np.array(columns[0], np.int64), *(np.array(each) for each in columns[1:])]

    for indicator in shipped():
        found = bits(indicator, history(indicator, Bars(*arrays)))
        assert found == expected(indicator, Bars(*columns)), indicator.key


def test_the_interpreted_way_is_the_same_too() -> None:
    bars = lane_of(path(120, seed=4)).bars()

    for indicator in shipped():
        one, other = plain.history(indicator, bars), history(indicator, bars)
        assert bits(indicator, one) == bits(indicator, other), indicator.key
