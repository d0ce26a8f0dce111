"""A service's log lines as events of topic `logs`: best effort, bounded, as clean as the log.

Logging never waits for Kafka: a line is queued where it is said, by whatever thread, and a task of
the loop hands what is there to the background. Of a flood some lines go, and it says how many.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Literal

from chandler.core.events import LogLine
from chandler.streams.telemetry.infra import Infra
from chandler.streams.telemetry.logs import said, secrets_of

CHARACTERS_MAX = 500  # of a line
LINES_MAX = 50  # in a second
QUEUE_MAX = 500  # that wait for the loop
MOVE_S = 0.25
# What the Kafka client says while it can't send would be one more thing to send.
UNSAID = frozenset({"aiokafka", "kafka", "asyncio"})

_Level = Literal["info", "warning", "error"]


class LogLines(logging.Handler):
    """Turns records from INFO up into events; `taken` empties it. No method waits."""

    def __init__(
        self,
        service: str,
        instance: str,
        secrets: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(logging.INFO)
        self._service = service
        self._instance = instance
        self._secrets = secrets
        self._clock = clock
        self._lines: deque[LogLine] = deque()
        self._second = -1  # of the clock
        self._count = 0  # lines in it
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".", 1)[0] in UNSAID:
            return
        self._turn()
        if self._count >= LINES_MAX or len(self._lines) >= QUEUE_MAX:
            self._left_out += 1
            return
        try:
            text = said(record, self._secrets)
        except Exception:
            return  # arguments that don't fit the message: the log itself has said so
        self._count += 1
        self._put(_level(record.levelno), text, round(record.created * 1_000))

    def taken(self, *, last: bool = False) -> list[LogLine]:
        """What was said since the last call. `last`: the count of lines left out, too."""
        self.acquire()
        try:
            self._turn(last=last)
            lines = list(self._lines)
            self._lines.clear()
        finally:
            self.release()
        return lines

    def _turn(self, *, last: bool = False) -> None:
        """A new second begins: what was left out in the one before is said."""
        second = int(self._clock())
        if second == self._second and not last:
            return
        self._second, self._count = second, 0
        if self._left_out and len(self._lines) <= QUEUE_MAX:
            text = f"{self._left_out} lines are left out here: more than {LINES_MAX} in a second"
            self._left_out = 0
            self._put("warning", text, time.time_ns() // 1_000_000)

    def _put(self, level: _Level, text: str, at: int) -> None:
        self._lines.append(
            LogLine(
                service=self._service,
                instance=self._instance,
                level=level,
                text=text.replace("\n", " ")[:CHARACTERS_MAX],
                at=at,
            )
        )


def _level(number: int) -> _Level:
    if number >= logging.ERROR:
        return "error"
    return "warning" if number >= logging.WARNING else "info"


@contextlib.asynccontextmanager
async def published_logs(teller: Infra) -> AsyncIterator[LogLines]:
    """Publishes what this process logs while the block runs, beside what `teller` tells."""
    handler = LogLines(teller.service, teller.instance, secrets_of(os.environ))

    def move(*, last: bool = False) -> None:
        for line in handler.taken(last=last):
            teller.background.send("logs", line.service, line, again=False)

    async def moving() -> None:
        while True:
            await asyncio.sleep(MOVE_S)
            move()

    logging.getLogger().addHandler(handler)
    task = asyncio.create_task(moving(), name="logs")
    try:
        yield handler
    finally:
        logging.getLogger().removeHandler(handler)
        task.cancel()
        move(last=True)
