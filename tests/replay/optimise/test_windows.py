"""Walk-forward windows: nothing is in two of them that must not be, and nothing is left out."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chandler.core.granularity import DAY_MS, HOUR_MS
from chandler.replay.optimise.windows import Split, WindowError, split

FROM_MS = 1_704_067_200_000
PERIODS = st.tuples(
    st.integers(0, 100).map(lambda n: FROM_MS + n * 300_000), st.integers(4, 400)
).map(lambda each: (each[0], each[0] + each[1] * DAY_MS))
CUTS = st.fixed_dictionaries(
    {
        "folds": st.integers(1, 12),
        "hold_out": st.sampled_from([0.0, 0.1, 0.2, 0.5]),
        "purge_ms": st.sampled_from([0, HOUR_MS, DAY_MS, 3 * DAY_MS]),
        "rolling": st.booleans(),
    }
)


def made(period: tuple[int, int], cut: dict[str, Any]) -> Split:
    try:
        return split(*period, **cut)
    except WindowError:
        assume(False)
        raise


@given(PERIODS, CUTS)
def test_a_test_window_comes_after_its_train_window_and_the_purge_gap(period, cut):
    found = made(period, cut)

    for fold in found.folds:
        assert fold.train.from_ms < fold.train.to_ms
        assert fold.test.from_ms == fold.train.to_ms + cut["purge_ms"]
        assert fold.test.from_ms < fold.test.to_ms


@given(PERIODS, CUTS)
def test_test_windows_do_not_overlap_and_cover_all_but_the_gaps(period, cut):
    found = made(period, cut)
    first, last = found.folds[0], found.folds[-1]

    for before, after in zip(found.folds, found.folds[1:], strict=False):
        assert before.test.to_ms + cut["purge_ms"] == after.test.from_ms
    assert first.train.from_ms == found.in_sample.from_ms == period[0]
    assert last.test.to_ms == found.in_sample.to_ms


@given(PERIODS, CUTS)
def test_what_is_held_out_comes_after_all_that_a_trial_reads(period, cut):
    found = made(period, cut)

    if not cut["hold_out"]:
        assert found.hold_out is None
        assert found.in_sample.to_ms == period[1]
        return
    assert found.hold_out is not None
    assert found.hold_out.to_ms == period[1]
    assert found.hold_out.from_ms == found.in_sample.to_ms + cut["purge_ms"]
    assert all(each.to_ms <= found.in_sample.to_ms for each in found.windows())
    share = (period[1] - found.in_sample.to_ms) / (period[1] - period[0])
    assert share == pytest.approx(cut["hold_out"], abs=HOUR_MS / (period[1] - period[0]))


@given(PERIODS, CUTS)
def test_train_windows_grow_or_roll(period, cut):
    found = made(period, cut)

    begins = [fold.train.from_ms for fold in found.folds]
    if cut["rolling"]:
        assert begins == [period[0], *(fold.train.to_ms for fold in found.folds[:-1])]
    else:
        assert set(begins) == {period[0]}


@pytest.mark.parametrize(
    "cut",
    [
        {"folds": 4, "hold_out": 0.2, "purge_ms": DAY_MS},
        {"folds": 40, "hold_out": 0.0, "purge_ms": 0},
        {"folds": 1, "hold_out": 0.1, "purge_ms": DAY_MS},
    ],
)
def test_a_period_that_is_too_short_says_what_to_do(cut):
    with pytest.raises(WindowError, match=r"is too short for .* take more candles, fewer --folds"):
        split(FROM_MS, FROM_MS + 4 * DAY_MS, **cut)
