"""Work over processes: in its order, with its errors, and a killed process is said."""

import os
import signal
import subprocess
import sys

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


PARENT = """
import os, signal, time
from chandler.replay.forking import forked

def run(number):
    print(os.getpid(), flush=True)
    if number == 1:
        os.kill(os.getppid(), signal.SIGKILL)
    return bytes(10_000_000)

list(forked(run, 2, 2))
"""


def test_processes_end_with_a_parent_that_was_killed() -> None:
    """They waited for ever: each holds open itself what it writes to."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        said = parent.stdout.read()  # to its end: nobody holds it open any more

    assert parent.returncode == -signal.SIGKILL
    assert 1 <= len(said.split()) <= 2
