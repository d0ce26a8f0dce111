"""Work over processes: in its order, with its errors, and a killed process is said."""

import os
import signal

import pytest

from chandler.replay.forking import WorkerError, forked


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_what_each_number_gives_comes_in_the_order_of_the_numbers(processes: int) -> None:
    seen = {"kept": 7}

    found = list(forked(lambda number: (number * number, seen["kept"]), 4, processes))

    assert found == [(0, 7), (1, 7), (4, 7), (9, 7)]


def test_what_is_raised_in_a_process_comes_through() -> None:
    def run(number: int) -> float:
        return 1 / (number - 1)

    with pytest.raises(ZeroDivisionError):
        list(forked(run, 3, 2))


def test_a_killed_process_is_told_in_one_line() -> None:
    def run(number: int) -> int:
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(WorkerError, match="was killed"):
        list(forked(run, 3, 2))
