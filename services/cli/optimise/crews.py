"""Who makes the trials: this process, processes of this machine, or workers over the topics.

The one that asks talks to Optuna alone; a crew is given trials and tells what came of them.
"""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from chandler.core.events import TrialTold
from services.cli.optimise.trying import Task, Trier

Notes = Callable[[str], None]
Bars = Sequence[float | None]
Given = tuple[int, Sequence[str], Bars]

DEATHS_MAX = 2  # of processes, by one trial, before it is refused
END_S = 5.0


class Crew(Protocol):
    """Makes up to `size` trials at once."""

    size: int

    def give(self, number: int, changes: Sequence[str], bars: Bars = ()) -> None:
        """Takes a trial on; at most `size` are under way."""

    def take(self) -> list[TrialTold]:
        """Waits for the next that are made; may give none after a while."""

    def close(self) -> None:
        """Ends it; what is under way is lost."""


class Alone:
    """This very process."""

    size = 1

    def __init__(self, task: Task) -> None:
        self._trier = Trier(task)
        self._given: list[Given] = []

    def give(self, number: int, changes: Sequence[str], bars: Bars = ()) -> None:
        self._given.append((number, changes, bars))

    def take(self) -> list[TrialTold]:
        found = [self._trier(*given) for given in self._given]
        self._given.clear()
        return found

    def close(self) -> None:
        self._given.clear()


class Processes:
    """Processes of this machine: each is started once and keeps the candles.

    One that dies is replaced, and its trial made again.
    """

    def __init__(self, task: Task, size: int, notes: Notes) -> None:
        self.size = size
        self._task, self._notes = task, notes
        self._context: Any = multiprocessing.get_context("spawn")
        self._idle: list[tuple[Connection, Any]] = []
        self._busy: dict[Connection, tuple[Any, Given]] = {}
        self._deaths: dict[int, int] = {}
        for _ in range(size):
            self._idle.append(self._started())

    def give(self, number: int, changes: Sequence[str], bars: Bars = ()) -> None:
        connection, process = self._idle.pop()
        given = (number, list(changes), list(bars))
        self._busy[connection] = (process, given)
        # A process that has died meanwhile is found out by `take`.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(given)

    def take(self) -> list[TrialTold]:
        found = []
        for one in wait(list(self._busy)):
            assert isinstance(one, Connection)
            process, given = self._busy.pop(one)
            try:
                answer = one.recv()
            except (EOFError, ConnectionResetError):
                found += self._died(one, process, given)
                continue
            if isinstance(answer, BaseException):
                raise answer
            self._idle.append((one, process))
            found.append(answer)
        return found

    def close(self) -> None:
        every = [*self._idle, *((one, process) for one, (process, *_) in self._busy.items())]
        for connection, process in every:
            connection.close()
            process.terminate()
        for _, process in every:
            process.join(END_S)
            if process.is_alive():
                process.kill()
                process.join()
        self._idle.clear()
        self._busy.clear()

    def _died(self, connection: Connection, process: Any, given: Given) -> list[TrialTold]:
        number = given[0]
        connection.close()
        process.join()
        self._deaths[number] = self._deaths.get(number, 0) + 1
        self._idle.append(self._started())
        said = f"the process of trial {number} died (exit status {process.exitcode})"
        if self._deaths[number] < DEATHS_MAX:
            self._notes(f"{said}: another one makes it again")
            self.give(*given)
            return []
        task = self._task
        told = TrialTold(
            study=task.study,
            run="",
            number=number,
            refused=f"{DEATHS_MAX} processes died of it (exit status {process.exitcode})",
            code=task.code,
            data=task.data,
        )
        return [told]

    def _started(self) -> tuple[Connection, Any]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, self._task), daemon=True)
        process.start()
        theirs.close()
        return ours, process


def work(connection: Connection, task: Task) -> None:
    """A process's life: makes what it is given until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the asking one's affair
    trier = Trier(task)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            number, changes, bars = connection.recv()
            try:
                answer: TrialTold | Exception = trier(number, changes, bars)
            except Exception as error:  # the asking one raises it
                answer = error
            connection.send(answer)
