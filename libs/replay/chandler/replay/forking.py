"""Work over several processes that see all that this one has: they are made by fork."""

import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar("T")

LOOK_S = 0.5

_work: list[Callable[[int], Any]] = []  # what a child finds when it is made


class WorkerError(Exception):
    """A process ended before its work: one line."""


def forked(run: Callable[[int], T], count: int, processes: int) -> Iterator[T]:
    """run(0), run(1) … run(count - 1), in that order, over so many processes.

    Here where one is enough, or where the system can't fork. What `run` raises comes through;
    WorkerError where a process is killed.
    """
    processes = min(processes, count)
    if processes < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(run, range(count))
        return
    _work.append(run)
    try:
        context = multiprocessing.get_context("fork")
        with _pool(processes, context) as pool:
            for made in pool.map(_run, range(count)):
                yield pickle.loads(made)  # noqa: S301 (our own child's)
    except BrokenProcessPool:
        raise WorkerError(
            "a process of the backtest was killed: expected it to end by itself, look whether the "
            "memory is enough, or take --processes 1"
        ) from None
    finally:
        _work.pop()


def end_with(parent: int) -> None:
    """Ends this process soon after its parent, whatever has ended that.

    What a pool's processes write to stays open in each of them: without this, they would wait for
    ever for a parent that was killed.
    """

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def _pool(processes: int, context: Any) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        processes, mp_context=context, initializer=end_with, initargs=(os.getpid(),)
    )


def _run(number: int) -> bytes:
    """In the child. Pickled here, for what can't be pickled fails there with its reason."""
    return pickle.dumps(_work[-1](number), pickle.HIGHEST_PROTOCOL)
