"""A curve of balances is thinned without losing its extremes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.routes.reading.figures import curve_of
from tests.services.notifier.answering.scene import D

CHANGES = st.lists(st.integers(-50, 60), min_size=1, max_size=400)


def changes(by: list[int]) -> list[dict[str, Any]]:
    balance, rows = D(1000), []
    for number, change in enumerate(by):
        balance += change
        rows.append({"at": number, "kind": "fill", "change": D(change), "balance": balance})
    return rows


@given(CHANGES, st.integers(10, 60))
def test_extremes_and_ends_stay_and_the_bound_holds(by: list[int], points: int) -> None:
    rows = changes(by)

    curve = curve_of("anna", rows, None, 0, points)

    shown = [(each.at, each.equity) for each in curve.points]
    assert len(shown) <= points
    assert shown == sorted(shown)
    assert (shown[0][0], shown[-1][0]) == (0, len(rows) - 1)
    assert set(shown) <= {(row["at"], row["balance"]) for row in rows}
    assert {max(each for _, each in shown), min(each for _, each in shown)} == {
        max(row["balance"] for row in rows),
        min(row["balance"] for row in rows),
    }


@given(CHANGES)
def test_a_drawdown_is_below_the_best_so_far(by: list[int]) -> None:
    curve = curve_of("anna", changes(by), None, 0, 1_000)
    best = D(1000)

    for point in curve.points:
        best = max(best, point.equity)
        expected = float((best - point.equity) / best) if best > 0 else 0.0
        assert abs(point.drawdown - expected) < 1e-6
    assert curve.drawdown_max == max(point.drawdown for point in curve.points)
