"""Two courses of the same session: what differs, what a late input explains, what money it is."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from chandler.core.events import Event, Symbol
from chandler.core.trading.events import BalanceChanged, FundingPaid, OrderFilled
from chandler.replay.difference import Late, Shard, compare

SHARDS = {0: Shard(frozenset({"trend"}), 0, 1_000)}


def fill(order: str, at: int, **changes: Any) -> OrderFilled:
    made = OrderFilled(
        id=order,
        trade=f"{order}-0",
        account="trend",
        agent="trend",
        symbol=Symbol("AUSDT"),
        position="p",
        leg="entry",
        action="open",
        side="long",
        price=Decimal("1.5"),
        size=Decimal(4),
        fee=Decimal("0.0036"),
        done=True,
        leverage=2,
        source="scalper",
        at=at,
    )
    return replace(made, **changes)


def balance(at: int, change: str, after: str = "0") -> BalanceChanged:
    return BalanceChanged(
        account="trend",
        agent="trend",
        kind="fill",
        change=Decimal(change),
        balance=Decimal(after),
        cause="",
        at=at,
    )


def test_what_comes_after_the_last_watermark_is_not_compared() -> None:
    recorded: list[Event] = [fill("a", 10), balance(10, "99.5")]
    computed: list[Event] = [*recorded, fill("b", 1_001), balance(1_001, "-9.5")]

    found = compare(recorded, computed, SHARDS, [])

    assert found.line == "fills=1 differing=0 explained=0 pnl_difference=0"
    assert found.well


def test_two_changes_at_one_time_come_to_the_same_in_either_order() -> None:
    """They stand in two partitions: which of them was read last was taken for the balance."""
    start = balance(0, "100", "100")
    recorded: list[Event] = [fill("a", 10), start, balance(10, "-1", "99"), balance(10, "3", "102")]
    computed: list[Event] = [
        fill("a", 10),
        start,
        balance(10, "3", "103"),
        balance(10, "-1", "102"),
    ]

    assert compare(recorded, computed, SHARDS, []).well
    assert compare(recorded[::-1], computed, SHARDS, []).well


def test_a_fill_that_differs_by_its_last_digit_differs() -> None:
    recorded: list[Event] = [fill("a", 10), fill("c", 12), balance(10, "99.50")]
    other = fill("a", 10, size=Decimal("4.0000001"))
    computed: list[Event] = [other, fill("b", 11), balance(10, "99.25")]

    found = compare(recorded, computed, SHARDS, [])

    assert (found.fills, found.differing, found.well) == (3, 3, False)
    assert found.pnl_difference == Decimal("0.25")
    assert found.lines == [
        "trend AUSDT entry at 10: size is '4', computed '4.0000001'",
        "trend AUSDT entry at 11: computed, and not recorded",
        "trend AUSDT entry at 12: recorded, and not computed",
    ]


def test_a_late_input_explains_what_comes_after_it_and_nothing_before() -> None:
    mine, other = frozenset({"trend"}), frozenset({"scalper"})
    late = [Late(mine, 20, "late Signal"), Late(other, 5, "late Signal")]

    found = compare([], [fill("a", 10), fill("b", 30)], SHARDS, late)

    assert (found.differing, found.explained) == (1, {"late Signal": 1})
    assert found.line.endswith("late_Signal=1")


def test_funding_at_a_rate_that_came_late_explains_the_balance() -> None:
    """Nobody waits for rates: the session paid the one before, and its balance differed by that."""

    def paid(rate: str, amount: str) -> list[Event]:
        funding = FundingPaid(
            account="trend",
            agent="trend",
            symbol=Symbol("AUSDT"),
            position="p",
            rate=Decimal(rate),
            mark=Decimal(1),
            size=Decimal(4),
            amount=Decimal(amount),
            settled_ms=20,
            at=21,
        )
        return [fill("a", 10), funding, balance(21, amount)]

    found = compare(paid("0.01", "0.04"), paid("0.02", "0.08"), SHARDS, [])
    other = compare(paid("0.01", "0.04"), paid("0.01", "0.08"), SHARDS, [])

    assert (found.differing, found.explained) == (0, {"late FundingRate": 1})
    assert (other.explained, other.pnl_difference) == ({}, Decimal("0.04"))
    assert found.well
    assert not other.well


def test_payments_of_an_agent_that_is_explained_already_explain_nothing() -> None:
    paid = FundingPaid(
        account="trend",
        agent="trend",
        symbol=Symbol("AUSDT"),
        position="p",
        rate=Decimal("0.01"),
        mark=Decimal(1),
        size=Decimal(4),
        amount=Decimal("0.04"),
        settled_ms=20,
        at=21,
    )
    before = Late(frozenset({"trend"}), 5, "late Signal")

    found = compare([fill("a", 10), paid], [fill("b", 10)], SHARDS, [before])

    assert found.explained == {"late Signal": 2}


def test_nothing_to_compare_is_not_well() -> None:
    assert not compare([], [], SHARDS, []).well
