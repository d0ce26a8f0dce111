"""What a result says of itself to people: a period that is short, agents that never traded."""

import msgspec

from chandler.core.granularity import DAY_MS
from chandler.replay.remarks import YEARLY_DAYS_MIN, remarks
from tests.replay.results import FROM_MS, changed, made

FOLLOWED = {"steady": ["scalper_5m"], "bold": []}


def idle(**fields):
    """A long period without a trade."""
    quiet = {"refusals": {}, "signals": {}} | fields
    return remarks(changed(made(days=40, trades=0), **quiet), FOLLOWED)


def test_figures_by_the_year_of_a_day_or_two_are_said_to_say_little():
    """A random walk of 33 hours had a Sharpe of 7.31 and a Calmar of 462, without a word."""
    result = changed(made(days=2), to_ms=FROM_MS + 33 * DAY_MS // 24)

    found = remarks(result, {})

    assert found == [
        "the period is 1.4 days long: below 30 days figures by the year (CAGR, Sharpe, Sortino, "
        "Calmar) say little"
    ]
    assert remarks(made(days=YEARLY_DAYS_MIN), {}) == []
    assert remarks(made(days=0, trades=0), {}) == []


def test_an_agent_that_trades_is_not_spoken_of():
    assert remarks(made(days=40), FOLLOWED) == []


def test_an_agent_whose_engines_gave_no_signal_says_so():
    """Columns of 0 stood there without a reason; signals of other engines are none of its own."""
    others = {"steady": {"engine_not_followed": 26}}

    assert idle(refusals=others, signals={"trend_1h": 26})[0] == (
        "agent steady made no trade: none of its engines (scalper_5m) gave a signal on these "
        "candles"
    )
    assert idle()[1] == "agent bold made no trade: no engine gave a signal on these candles"


def test_an_agent_that_was_refused_everything_says_why():
    refusals = {"steady": {"pump": 2, "strength_low": 7, "engine_not_followed": 26}}

    assert idle(refusals=refusals, signals={"scalper_5m": 9})[0] == (
        "agent steady made no trade: refused strength_low=7 pump=2"
    )


def test_an_agent_of_other_symbols_says_so():
    refusals = {"steady": {"symbol_not_followed": 9}}

    assert idle(refusals=refusals, signals={"scalper_5m": 9})[0] == (
        "agent steady made no trade: the 9 signals of its engines were of symbols that it doesn't "
        "follow"
    )


def test_an_agent_with_only_an_open_position_has_traded():
    result = made(days=40, trades=2)
    trades = [msgspec.structs.replace(each, closed_ms=0, reason="") for each in result.trades]

    assert remarks(changed(result, trades=trades), FOLLOWED) == []
