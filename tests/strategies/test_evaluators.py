"""The shipped evaluators: what each says where, and that none leaves [-1, 1] or the subset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.core.evaluator import Evaluator
from chandler.core.indicators.averages import MacdValue
from chandler.core.indicators.bands import BollingerValue
from chandler.core.indicators.momentum import StochasticValue
from chandler.core.indicators.trends import AdxValue, SupertrendValue
from chandler.replay.subset import violations
from chandler.strategies.evaluators import (
    band_reversion,
    bollinger_breakout,
    macd_momentum,
    rsi_reversal,
    trend_follow,
)

ALL = (band_reversion, bollinger_breakout, macd_momentum, rsi_reversal, trend_follow)
UP, DOWN = SupertrendValue(90.0, 1.0), SupertrendValue(110.0, -1.0)
WIDE = BollingerValue(90.0, 100.0, 110.0, 0.5, 0.02)
percents = st.floats(0, 100)
numbers = st.floats(-1e12, 1e12)
stochastics = st.builds(StochasticValue, percents, percents)
adxs = st.builds(AdxValue, percents, percents, percents)
bollingers = st.builds(BollingerValue, numbers, numbers, numbers, st.floats(-5, 5), st.floats(0, 3))


@pytest.mark.parametrize("evaluator", ALL, ids=lambda each: each.name)
def test_every_evaluator_keeps_to_the_compiled_subset(evaluator: Evaluator) -> None:
    assert violations(evaluator.function) == []


@pytest.mark.parametrize("evaluator", ALL, ids=lambda each: each.name)
def test_every_evaluator_says_what_its_idea_is(evaluator: Evaluator) -> None:
    assert len(evaluator.doc) > 40
    assert evaluator.tunables


@given(percents, numbers)
def test_rsi_reversal_stays_in_range(rsi: float, trend: float) -> None:
    assert -1.0 <= rsi_reversal(rsi, trend) <= 1.0


@given(st.sampled_from([UP, DOWN]), adxs, numbers)
def test_trend_follow_stays_in_range(
    trend: SupertrendValue, strength: AdxValue, higher: float
) -> None:
    assert -1.0 <= trend_follow(trend, strength, higher) <= 1.0


@given(bollingers, st.floats(0, 1e9))
def test_bollinger_breakout_stays_in_range(bands: BollingerValue, volume: float) -> None:
    assert -1.0 <= bollinger_breakout(bands, volume) <= 1.0


@given(st.builds(MacdValue, numbers, numbers, numbers), st.floats(0, 1e12))
def test_macd_momentum_stays_in_range(macd: MacdValue, atr: float) -> None:
    assert -1.0 <= macd_momentum(macd, atr) <= 1.0


@given(bollingers, stochastics, adxs)
def test_band_reversion_stays_in_range(
    bands: BollingerValue, timing: StochasticValue, trend: AdxValue
) -> None:
    assert -1.0 <= band_reversion(bands, timing, trend) <= 1.0


def test_rsi_reversal_buys_weakness_fully_only_in_an_uptrend() -> None:
    assert rsi_reversal(20.0, 0.001) > rsi_reversal(28.0, 0.001) > 0.5
    assert 0.0 < rsi_reversal(20.0, -0.001) < rsi_reversal(20.0, 0.001)
    assert rsi_reversal(80.0, -0.001) < -0.5
    assert rsi_reversal(50.0, 0.001) == 0.0


def test_trend_follow_is_silent_while_4h_disagrees() -> None:
    strong = AdxValue(45.0, 30.0, 10.0)

    assert trend_follow(UP, strong, 0.002) == 1.0
    assert trend_follow(UP, strong, -0.002) == 0.0
    assert trend_follow(UP, AdxValue(12.0, 30.0, 10.0), 0.002) == 0.0
    assert trend_follow(DOWN, AdxValue(45.0, 10.0, 30.0), -0.002) == -1.0


def test_bollinger_breakout_wants_volume_and_bands_that_were_narrow() -> None:
    above = WIDE._replace(percent=1.2)

    assert bollinger_breakout(above, 4.0) == 1.0
    assert bollinger_breakout(above, 1.0) == 0.0
    assert bollinger_breakout(above._replace(width=0.3), 4.0) == 0.0
    assert bollinger_breakout(WIDE._replace(percent=-0.1), 4.0) == -1.0
    assert bollinger_breakout(WIDE, 4.0) == 0.0


def test_macd_momentum_halves_a_bounce_below_zero_and_survives_a_dead_market() -> None:
    assert macd_momentum(MacdValue(2.0, 1.0, 1.0), 1.0) == 1.0
    assert macd_momentum(MacdValue(-2.0, -3.0, 1.0), 1.0) == 0.5
    assert macd_momentum(MacdValue(-2.0, -1.0, -1.0), 1.0) == -1.0
    assert macd_momentum(MacdValue(0.0, 0.0, 0.0), 0.0) == 0.0


def test_band_reversion_fades_the_edge_once_it_turns_and_never_a_trend() -> None:
    low, quiet = WIDE._replace(percent=0.0), AdxValue(15.0, 20.0, 20.0)
    turned, falling = StochasticValue(12.0, 8.0), StochasticValue(8.0, 12.0)

    assert band_reversion(low, turned, quiet) == 0.75
    assert band_reversion(low, falling, quiet) == 0.0
    assert band_reversion(low, turned, quiet._replace(adx=45.0)) == 0.0
    assert band_reversion(low._replace(width=0.001), turned, quiet) == 0.0
    high = WIDE._replace(percent=1.0)
    assert band_reversion(high, StochasticValue(88.0, 92.0), quiet) == -0.75
