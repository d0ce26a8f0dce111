"""Returns, risk and falls of an equity curve, compared with what another library computes."""

import empyrical
import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from chandler.core.granularity import DAY_MS, HOUR_MS
from chandler.replay.metrics.days import daily
from chandler.replay.metrics.performance import performance
from tests.replay.results import FROM_MS

YEAR = {"annualization": 365}


def of_days(closes, start=100.0):
    """The performance of one sample a day, at its end."""
    at_ms = FROM_MS + DAY_MS * np.arange(1, len(closes) + 1, dtype=np.int64)
    return performance(at_ms, np.array(closes, dtype=float), start, FROM_MS)


def theirs(closes, start=100.0):
    returns = np.diff(np.concatenate(([start], closes))) / np.concatenate(([start], closes[:-1]))
    return {
        "total_return": empyrical.cum_returns_final(returns),
        "cagr": empyrical.annual_return(returns, **YEAR),
        "volatility": empyrical.annual_volatility(returns, **YEAR),
        "sharpe": empyrical.sharpe_ratio(returns, **YEAR),
        "sortino": empyrical.sortino_ratio(returns, **YEAR),
        "calmar": empyrical.calmar_ratio(returns, **YEAR),
        "depth": empyrical.max_drawdown(returns),
    }


def agree(mine, wanted):
    ours = {name: getattr(mine, name) for name in wanted if name != "depth"}
    ours["depth"] = mine.drawdown.depth if mine.drawdown else 0.0
    for name, value in ours.items():
        if value is None:
            assert not np.isfinite(wanted[name]), name
        else:
            assert value == pytest.approx(wanted[name], rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("seed", range(5))
def test_a_year_is_measured_as_empyrical_does(seed):
    random = np.random.default_rng(seed)
    closes = 100.0 * np.cumprod(1.0 + random.normal(0.001, 0.03, 365))

    agree(of_days(closes), theirs(closes))


@given(
    arrays.arrays(
        np.float64, st.integers(2, 40), elements=st.floats(-0.3, 0.4).map(lambda x: round(x, 6))
    )
)
def test_any_days_are_measured_as_empyrical_does(returns):
    closes = 100.0 * np.cumprod(1.0 + returns)
    again = np.diff(np.concatenate(([100.0], closes)))
    if again.max() == again.min() or np.std(returns) < 1e-9:
        return  # without risk a ratio is the last bit's noise

    agree(of_days(closes), theirs(closes))


def test_a_single_day_has_a_return_and_nothing_of_a_year():
    found = of_days([103.0])

    assert found.total_return == pytest.approx(0.03)
    assert found.days == 1
    assert (found.cagr, found.volatility, found.sharpe, found.sortino, found.calmar) == (None,) * 5
    assert found.drawdown is None
    assert found.best_day.when == found.worst_day.when == "2024-01-01"


def test_a_flat_curve_has_no_ratios():
    found = of_days([100.0] * 30)

    assert (found.total_return, found.cagr, found.volatility) == (0.0, 0.0, 0.0)
    assert (found.sharpe, found.sortino, found.calmar, found.drawdown) == (None,) * 4


def test_days_without_a_loss_have_no_sortino_and_no_calmar():
    found = of_days([101.0, 103.0, 104.0])

    assert found.sharpe > 0
    assert (found.sortino, found.calmar) == (None, None)


def test_a_curve_without_samples_is_where_it_started():
    found = of_days([])

    assert (found.end, found.total_return, found.days) == (100.0, 0.0, 0)
    assert found.months == {}
    assert found.best_day is None


def test_a_loss_of_everything_leaves_no_ratio_and_no_infinity():
    found = of_days([90.0, 0.0, -5.0])

    assert found.total_return == pytest.approx(-1.05)
    assert found.drawdown.depth == pytest.approx(-1.05)
    assert (found.cagr, found.sharpe, found.best_day, found.months) == (None, None, None, {})


def test_a_growth_that_no_number_holds_is_none():
    assert of_days([1e40, 1e80]).cagr is None


def test_midnight_ends_a_day_and_a_month():
    """A month of candles ends with the close at 00:00 of the next: that is no day of its own."""
    at_ms = FROM_MS + HOUR_MS * np.arange(1, 31 * 24 + 1, dtype=np.int64)
    days, closes = daily(at_ms, np.arange(31.0 * 24))

    assert len(days) == 31
    assert closes[-1] == 31 * 24 - 1
    assert list(performance(at_ms, np.ones(31 * 24), 1.0, FROM_MS).months) == ["2024-01"]


def test_a_day_without_a_sample_repeats_the_one_before():
    at_ms = FROM_MS + DAY_MS * np.array([1, 4], dtype=np.int64)

    days, closes = daily(at_ms, np.array([1.0, 2.0]))

    assert np.diff(days).tolist() == [1, 1, 1]
    assert closes.tolist() == [1.0, 1.0, 1.0, 2.0]


def test_a_fall_has_a_peak_a_trough_and_a_recovery():
    found = of_days([110.0, 99.0, 105.0, 110.0, 108.0]).drawdown

    assert found.depth == pytest.approx(-0.1)
    assert (found.start_ms, found.trough_ms) == (FROM_MS + DAY_MS, FROM_MS + 2 * DAY_MS)
    assert found.recovered_ms == FROM_MS + 4 * DAY_MS
    assert found.duration_ms == 3 * DAY_MS


def test_a_fall_that_is_not_recovered_lasts_to_the_end():
    found = of_days([90.0, 95.0]).drawdown

    assert found.start_ms == FROM_MS
    assert found.recovered_ms is None
    assert found.duration_ms == 2 * DAY_MS


def test_a_fall_within_a_day_is_seen():
    at_ms = FROM_MS + HOUR_MS * np.arange(1, 49, dtype=np.int64)
    equity = np.full(48, 100.0)
    equity[10] = 50.0
    found = performance(at_ms, equity, 100.0, FROM_MS)

    assert found.drawdown is None
    assert found.drawdown_within is not None
    assert found.drawdown_within.depth == -0.5


def test_months_are_of_their_last_days():
    found = of_days([100.0] * 30 + [120.0] + [120.0] * 28 + [90.0])

    assert found.months == {"2024-01": pytest.approx(0.2), "2024-02": pytest.approx(-0.25)}
    assert (found.best_month.when, found.worst_month.when) == ("2024-01", "2024-02")
