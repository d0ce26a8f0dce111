"""The day's figures, by UTC days of event time."""

from typing import Any

from chandler.core.granularity import DAY_MS
from chandler.core.notices.digest import (
    GRACE_MS,
    OTHERS,
    REFUSALS_MAX,
    Days,
    Ended,
    day_notice,
    take,
)
from chandler.core.trading.events import OrdersOut
from tests.core.notices.scene import AT, VIEWER, D, closed, refusal

DAY = AT - AT % DAY_MS
NEXT = DAY + DAY_MS


def beat(at: int) -> OrdersOut:
    return OrdersOut(shard=0, shards=1, at=at)


def days_of(*events: Any) -> tuple[Days, list[Ended]]:
    days, ended = Days(), []
    for event in events:
        days, more = take(days, event)
        ended += more
    return days, ended


def test_a_day_counts_trades_wins_and_pnl_by_agent_and_engine():
    _, (day,) = days_of(
        closed(),
        closed(realised=D(-100), source="trend"),
        closed(agent="ben", realised=D(50), symbol="ETHUSDT"),
        refusal(),
        refusal(2),
        refusal(3, agent="ben", reason="pump"),
        beat(NEXT + GRACE_MS),
    )
    notice = day_notice(day, "olga", lambda agent: True)

    assert notice.head == "Day 2024-01-05 (UTC): +378, trades 3, won 2"
    assert notice.lines == [
        "anna, scalper: +476, trades 1, won 1, fees 25.5, funding -1.5",
        "anna, trend: -124, trades 1, won 0, fees 25.5, funding -1.5",
        "ben, scalper: +26, trades 1, won 1, fees 25.5, funding -1.5",
        "biggest win: +476 (anna, BTCUSDT)",
        "biggest loss: -124 (anna, BTCUSDT)",
        "refusals: 3: 2 × strength low, 1 × pump",
    ]


def test_a_viewer_gets_the_figures_of_the_named_agents_only():
    _, (day,) = days_of(closed(), closed(agent="ben"), beat(NEXT + GRACE_MS))
    notice = day_notice(day, "vera", VIEWER.sees)

    assert notice.head == "Day 2024-01-05 (UTC): +476, trades 1, won 1"
    assert not [line for line in notice.lines if "ben" in line]


def test_a_day_without_trades_says_so():
    _, (day,) = days_of(beat(DAY), beat(NEXT + GRACE_MS))

    assert day_notice(day, "olga", lambda agent: True).head == "Day 2024-01-05 (UTC): no trades"


def test_a_day_waits_for_what_belongs_to_it():
    last = closed(at=NEXT - 1)
    days, ended = days_of(beat(NEXT + GRACE_MS - 1), last)

    assert not ended
    _, (day,) = take(days, beat(NEXT + GRACE_MS))
    assert day.day.tallies[0].trades == 1


def test_what_comes_after_its_day_was_told_is_named_in_the_next_one():
    _, ended = days_of(
        beat(DAY), beat(NEXT + GRACE_MS), closed(at=NEXT - 1), beat(NEXT + DAY_MS + GRACE_MS)
    )
    notice = day_notice(ended[1], "olga", lambda agent: True)

    assert notice.lines == ["late: 1 trades or refusals of days before, in no digest"]


def test_refusals_of_no_end_of_reasons_are_counted_all_the_same():
    many = [refusal(number, reason=f"r{number}") for number in range(REFUSALS_MAX + 7)]
    _, (day,) = days_of(*many, beat(NEXT + GRACE_MS))

    assert sum(each.count for each in day.day.refusals) == len(many)
    assert day.day.refusals[-1].reason == OTHERS
