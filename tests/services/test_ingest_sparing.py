"""Looking at every lane takes a share of the time, however many there are."""

import pytest

from services.ingest.sparing import Sparing


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize("cost_s", [0.0005, 0.2])
def test_what_is_costly_takes_a_tenth_of_the_time(cost_s: float) -> None:
    """With 1,000 symbols each of REST's answers was followed by a look that took longer than it."""
    clock, looked_s = Clock(), 0.0
    looking = Sparing(clock)
    while clock.now_s < 100.0:
        clock.now_s += 0.001
        if looking.due:
            with looking.taken():
                clock.now_s += cost_s
            looked_s += cost_s

    assert looked_s / clock.now_s == pytest.approx(0.1, abs=0.02)


def test_what_costs_nothing_may_always_be_done() -> None:
    clock = Clock()
    looking = Sparing(clock)
    with looking.taken():
        pass

    assert looking.due
