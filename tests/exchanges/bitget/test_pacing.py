"""Budgets and waits, on a clock of their own."""

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.exchanges.bitget.pacing import Backoff, Budget


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.at += seconds


@given(
    most=st.integers(2, 50),
    period_s=st.floats(0.01, 100),
    pauses=st.lists(st.just(0.0) | st.floats(0, 3), min_size=1, max_size=80),
)
def test_no_window_holds_more_than_the_budget(
    most: int, period_s: float, pauses: list[float]
) -> None:
    clock, taken = Clock(), []

    async def take_all() -> None:
        budget = Budget(most, period_s, now=clock.now, sleep=clock.sleep)
        for pause in pauses:
            clock.at += pause * period_s
            await budget.take()
            taken.append(clock.at)

    asyncio.run(take_all())

    for first in range(len(taken)):
        inside = [at for at in taken[first:] if at - taken[first] < period_s * (1 - 1e-6)]
        assert len(inside) <= most


async def test_who_waits_alone_is_not_kept_behind_a_crowd() -> None:
    """Twenty pages of one symbol's backfill and one gap of another: the gap is second."""
    clock, order = Clock(), []
    budget = Budget(20, 1.0, burst=1, now=clock.now, sleep=clock.sleep)

    async def caller(name: str, requests: int) -> None:
        for _ in range(requests):
            await budget.take()
            order.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(caller("backfill", 20))
        tasks.create_task(caller("gap", 1))

    assert order.index("gap") <= 2


async def test_nobody_goes_while_the_budget_is_on_hold() -> None:
    clock = Clock()
    budget = Budget(20, 1.0, now=clock.now, sleep=clock.sleep)

    budget.hold(7.0)
    await budget.take()

    assert clock.at == pytest.approx(1007.0)


async def test_a_cancelled_caller_does_not_block_the_next() -> None:
    clock, stuck = Clock(), asyncio.Event()

    async def never(seconds: float) -> None:
        await stuck.wait()

    budget = Budget(2, 1.0, burst=1, now=clock.now, sleep=never)
    await budget.take()
    waiting = asyncio.create_task(budget.take())
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.wait({waiting})
    clock.at += 5
    await budget.take()

    assert budget.waiting == 0


@given(st.integers(1, 10_000), st.integers(0, 2**32))
def test_a_backoff_stays_within_its_bounds(failures: int, seed: int) -> None:
    backoff = Backoff(first_s=0.5, most_s=30.0, floor_s=0.1)

    wait = backoff.wait_s(failures, Random(seed))

    assert 0.25 <= wait <= 30.0
    assert backoff.scaled(1000.0).wait_s(failures, Random(seed)) >= 0.1
