"""The market that a decision sees: funding rates hold some time after they were seen."""

from hypothesis import given
from hypothesis import strategies as st

from chandler.core.events import FundingRate, Symbol
from chandler.core.watermarks import Market
from chandler.core.watermarks.seen import IN_FORCE_AFTER_MS

BTC = Symbol("BTCUSDT")
FIRST, SECOND, THIRD = (
    FundingRate(symbol=BTC, rate=f"0.000{n}", interval_h=8, next_ms=n, seen_at=n * 3_600_000)
    for n in (1, 2, 3)
)


def in_force(market: Market, at: int) -> FundingRate | None:
    return market.seen(BTC, at, funding=True).funding


def test_a_rate_is_in_force_some_time_after_it_was_seen() -> None:
    market = Market()
    market.take(FIRST)
    market.take(SECOND)
    begins = SECOND.seen_at + IN_FORCE_AFTER_MS

    assert in_force(market, FIRST.seen_at) is None
    assert in_force(market, begins - 1) == FIRST
    assert in_force(market, begins) == SECOND
    assert market.seen(BTC, begins).funding is None


def test_a_rate_that_arrives_late_changes_nothing_until_it_is_in_force() -> None:
    """A session paid funding by another rate than its backtest: nobody waits for rates."""
    early, late = Market(), Market()
    early.take(FIRST)
    early.take(SECOND)
    late.take(FIRST)
    before = in_force(late, SECOND.seen_at)
    late.take(SECOND)

    assert before == in_force(early, SECOND.seen_at) == FIRST
    assert in_force(late, THIRD.seen_at) == SECOND


@given(
    st.permutations([FIRST, SECOND, THIRD, FIRST]),
    st.integers(0, 5 * 3_600_000),
    st.integers(0, 3_600_000),
)
def test_neither_arrival_nor_forgetting_nor_a_restart_changes_what_is_in_force(rates, at, later):
    kept, whole = Market(), Market()
    for rate in rates:
        kept.take(rate)
        whole.take(rate)
    kept.forget(at)
    again = Market(kept.kept(at))

    seen = [each for each in (FIRST, SECOND, THIRD) if each.seen_at + IN_FORCE_AFTER_MS <= at]
    assert in_force(whole, at) == (seen[-1] if seen else None)
    assert in_force(again, at + later) == in_force(whole, at + later)
