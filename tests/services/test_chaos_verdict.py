"""The reckoning of a chaos run waits for what the executor only asks for at a pace."""

from decimal import Decimal

from chandler.replay.audit.reckoning import Reckoning
from services.cli.chaos.verdict import even


def found(difference):
    return Reckoning(3, 3, 0, 0, 0, 0, Decimal(difference), [])


async def test_funding_that_is_booked_later_is_no_difference():
    """Found by a run: bills of the last mark were asked for after the comparison."""
    answers = iter([found("2.45"), found("1.18"), found("0")])

    async def compare():
        return next(answers)

    assert (await even(compare, within_s=600.0, again_s=0.0)).well


async def test_a_difference_that_stays_is_told():
    async def compare():
        return found("2.45")

    assert (await even(compare, within_s=0.0)).difference == Decimal("2.45")
