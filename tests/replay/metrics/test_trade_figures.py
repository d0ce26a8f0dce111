"""Figures of trades, and how a result is taken apart."""

from decimal import Decimal

import msgspec
import pytest

from chandler.core.granularity import DAY_MS, HOUR_MS
from chandler.replay.metrics import measure
from chandler.replay.metrics.trades import figures
from chandler.replay.result import Trade
from tests.replay.results import FROM_MS, changed, made

END_MS = FROM_MS + 10 * HOUR_MS


def trade(opened_h, closed_h, realised, fees="0", funding="0", **fields):
    """Opened and closed at hours of the period; closed_h=None: still open."""
    return Trade(
        **{"agent": "a", "symbol": "BTCUSDT", "side": "long", "source": "e", "reason": "stop"}
        | fields,
        id=f"{opened_h}-{closed_h}",
        opened_ms=FROM_MS + opened_h * HOUR_MS,
        closed_ms=0 if closed_h is None else FROM_MS + closed_h * HOUR_MS,
        entered=Decimal(100), exited=Decimal(100), size=Decimal(1), leverage=1, adds=0,
        realised=Decimal(realised), fees=Decimal(fees), funding=Decimal(funding), order="o",
    )  # fmt: skip


def of(*trades, mean=1_000.0):
    return figures(trades, mean, FROM_MS, END_MS)


def test_wins_and_losses_are_after_fees_and_funding():
    found = of(trade(0, 1, "10", "1", "-0.5"), trade(1, 2, "0.5", "1"), trade(2, 3, "-4", "1"))

    assert (found.trades, found.wins, found.losses) == (3, 1, 2)
    assert (found.pnl, found.gained, found.lost) == (
        Decimal("4.0"),
        Decimal("9.5"),
        Decimal("-5.5"),
    )
    assert found.win_rate == pytest.approx(1 / 3)
    assert found.profit_factor == pytest.approx(9.5 / 5.5)
    assert found.average == pytest.approx(4 / 3)
    assert (found.average_win, found.average_loss) == (9.5, -2.75)
    assert (found.best, found.worst) == (Decimal("9.5"), Decimal(-5))
    assert (found.fees, found.funding) == (3, Decimal("-0.5"))
    assert (found.notional, found.turnover) == (600, 0.6)
    assert found.holding_ms == HOUR_MS


def test_no_trades_have_no_rates():
    found = of()

    assert (found.trades, found.pnl, found.losing_streak) == (0, 0, 0)
    assert (found.win_rate, found.profit_factor, found.average, found.best) == (None,) * 4
    assert (found.holding_ms, found.time_open, found.turnover) == (None, 0.0, 0.0)


def test_without_a_loss_there_is_no_profit_factor():
    found = of(trade(0, 1, "10"))

    assert (found.profit_factor, found.average_loss, found.win_rate) == (None, None, 1.0)


def test_a_streak_is_counted_in_the_order_of_closing_and_ended_by_nothing_won():
    found = of(
        trade(0, 9, "-1"), trade(1, 2, "-1"), trade(2, 3, "-1"), trade(3, 4, "0"), trade(4, 5, "-1")
    )

    assert found.losing_streak == 2


def test_what_is_still_open_is_told_apart():
    found = of(trade(0, 1, "10"), trade(8, None, "-3", "1", reason=""))

    assert (found.trades, found.pnl) == (1, 10)
    assert (found.open_trades, found.open_pnl) == (1, -4)
    assert found.fees == 1
    assert found.time_open == pytest.approx(0.3)


def test_time_open_counts_what_overlaps_once():
    assert of(trade(0, 4, "1"), trade(1, 2, "1"), trade(3, 5, "1")).time_open == 0.5


def test_the_portfolio_is_the_sum_of_its_agents():
    result = made(days=40)
    found = measure(result)

    assert list(found.agents) == ["steady", "bold"]
    assert found.portfolio.performance.start == 20_000.0
    assert found.portfolio.performance.end == pytest.approx(
        sum(each.performance.end for each in found.agents.values())
    )
    assert found.portfolio.trades.pnl == sum(each.trades.pnl for each in found.agents.values())
    assert list(found.benchmarks) == ["BTCUSDT", "universe"]


def test_each_breakdown_has_all_trades():
    result = made(days=40)
    found = measure(result)

    assert set(found.breakdowns) == {"engine", "symbol", "month", "reason", "side"}
    for groups in found.breakdowns.values():
        assert sum(each.trades + each.open_trades for each in groups.values()) == len(result.trades)
        assert sum(each.fees for each in groups.values()) == found.portfolio.trades.fees


def test_a_trade_closed_at_midnight_belongs_to_the_month_that_ends():
    result = made(days=60, trades=0)
    month = 31 * 24
    result = changed(result, trades=[trade(0, month, "1"), trade(0, month + 1, "1")])

    assert list(measure(result).breakdowns["month"]) == ["2024-01", "2024-02"]


@pytest.mark.parametrize(
    "result",
    [
        made(days=3, trades=0),
        made(days=3, agents=(), symbols=0),
        made(days=1, trades=4),
        made(days=0, agents=("a",), trades=0, symbols=1),
    ],
    ids=["no trades", "no agents", "one day", "no time"],
)
def test_what_is_not_there_is_null_and_never_infinite(result):
    text = msgspec.json.encode(measure(result)).decode()

    assert "NaN" not in text
    assert "nfinity" not in text
    assert result.to_ms - result.from_ms in (0, DAY_MS, 3 * DAY_MS)
