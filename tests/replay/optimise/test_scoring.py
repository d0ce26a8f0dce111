"""A window's figure: as the report's where the window is a whole result, and finite always."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chandler.core.granularity import DAY_MS, HOUR_MS
from chandler.replay.metrics import measure
from chandler.replay.optimise.scoring import (
    BEFORE_BARS,
    GREATEST,
    OBJECTIVES,
    WORST,
    bars,
    parts_of,
    score_of,
    scored,
    standing,
    value,
)
from chandler.replay.optimise.walk import walk_forward
from chandler.replay.optimise.windows import Fold, Window
from tests.replay.results import FROM_MS, changed, made

CURVES = st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=0, max_size=60)


@pytest.mark.parametrize("objective", ["sharpe", "sortino", "return", "profit_factor"])
def test_over_a_whole_result_a_window_is_what_the_report_says(objective):
    result = made(days=40, trades=120)
    whole = Window(result.from_ms, result.to_ms)
    figures = measure(result).portfolio
    reported = {
        "sharpe": figures.performance.sharpe,
        "sortino": figures.performance.sortino,
        "return": figures.performance.total_return,
        "profit_factor": figures.trades.profit_factor,
    }

    found = scored(result, [whole], objective, DAY_MS).values[0]

    assert found == pytest.approx(reported[objective], rel=1e-12)


def test_a_window_knows_nothing_of_what_is_outside_of_it():
    result = made(days=30)
    window = Window(FROM_MS + 5 * DAY_MS, FROM_MS + 20 * DAY_MS)
    curves = {
        name: changed(
            curve,
            equity=np.where(result.at_ms > window.to_ms, curve.equity * 7.0, curve.equity),
        )
        for name, curve in result.curves.items()
    }
    other = changed(result, curves=curves)

    for objective in OBJECTIVES:
        one, two = (scored(each, [window], objective, HOUR_MS) for each in (result, other))
        assert one.values == two.values


@given(CURVES, st.sampled_from(OBJECTIVES), st.sampled_from([HOUR_MS, DAY_MS]))
@example(equity=[0.0, 0.0, 0.0, 5e-324, 1.0], objective="sharpe", step_ms=HOUR_MS)
def test_a_value_is_finite_and_bounded_whatever_the_curve(equity, objective, step_ms):
    at_ms = FROM_MS + HOUR_MS * np.arange(1, len(equity) + 1, dtype=np.int64)
    window = Window(FROM_MS + 3 * HOUR_MS, FROM_MS + 50 * HOUR_MS)

    found = value(objective, at_ms, np.array(equity), 10_000.0, [], window, step_ms)

    assert math.isfinite(found)
    assert -GREATEST <= found <= GREATEST


def test_a_trial_that_hardly_trades_is_worse_than_any_that_does():
    assert score_of([GREATEST] * 8, 0, 1) == WORST
    assert score_of([GREATEST] * 8, 19, 20) == WORST
    assert score_of([-GREATEST] * 8, 20, 20) > WORST


def test_each_part_of_the_sample_counts_once():
    """Train windows that grow hold the first part again and again."""
    assert score_of([1.0, 2.0, 50.0, 3.0, 70.0, 6.0], 20, 20) == 3.0


def test_walk_forward_takes_the_best_of_the_train_window_into_the_test_window():
    folds = [
        Fold(train=Window(0, 1), test=Window(1, 2)),
        Fold(train=Window(0, 2), test=Window(2, 3)),
    ]
    trials = {4: [2.0, 1.0, 1.0, 9.0], 2: [2.0, -1.0, 3.0, 0.5], 7: [1.0, 5.0, 0.0, 0.0]}

    walk = walk_forward(folds, trials)

    assert [(each.trial, each.train, each.test) for each in walk.folds] == [
        (2, 2.0, -1.0),
        (2, 3.0, 0.5),
    ]
    assert [each.best_test for each in walk.folds] == [5.0, 9.0]
    assert walk.efficiency == pytest.approx(-0.5 / 5.0)
    assert walk_forward(folds, {}).efficiency is None


def test_there_is_no_efficiency_where_the_trains_gained_nothing_to_speak_of():
    """`efficiency=-9.695` was the quotient by a train mean near 0."""
    folds = [Fold(train=Window(0, 1), test=Window(1, 2))]

    def efficiency(train, test):
        return walk_forward(folds, {0: [train, test]}).efficiency

    assert (efficiency(-2.0, -1.0), efficiency(0.0, 1.0)) == (None, None)
    assert (efficiency(0.1, -0.9695), efficiency(0.1, 3.0)) == (None, None)
    assert (efficiency(2.0, -4.0), efficiency(2.0, 1.0)) == (-2.0, 0.5)


def test_a_bar_is_the_middle_of_what_came_to_a_look_once_enough_have():
    few = [[float(number)] for number in range(BEFORE_BARS - 1)]
    reached = [[float(number), 2.0 * number] for number in range(BEFORE_BARS)]

    assert bars(few, 2) == [None, None]
    assert bars([*reached, [100.0]], 2) == [5.0, 10.0]


def test_the_standing_after_all_parts_is_the_score():
    result = made(days=40, trades=120)
    windows = [
        Window(FROM_MS + 10 * DAY_MS * part, FROM_MS + 10 * DAY_MS * (part + 1))
        for part in range(4)
    ]
    found = scored(result, windows, "return", DAY_MS)

    parts = len(parts_of(windows))
    assert standing(result, windows, parts, "return", DAY_MS) == score_of(found.values, 120, 1)
    assert standing(result, windows, 1, "return", DAY_MS) == found.values[0]
