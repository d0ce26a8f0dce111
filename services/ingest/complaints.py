"""What is wrong with the input: a line, a metric and a dead letter; each bounded."""

import logging
import time
from collections.abc import Callable

from chandler.core.events import DeadLetter
from chandler.streams.telemetry.metrics import Metrics
from chandler.streams.writing import Record, Sender

LIMITED = "venue limits us"  # a cause
PERIOD_S = 60.0
LINES_MAX = 1  # of one cause in a period
LETTERS_MAX = 100  # of one cause in a period
RAW_MAX = 4_096  # characters


class Complaints:
    """Everything is counted; of one cause only the first ones of a period are told at length."""

    def __init__(
        self,
        log: logging.Logger,
        metrics: Metrics,
        sender: Sender,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._metrics = metrics
        self._sender = sender
        self._monotonic = monotonic
        self._seen: dict[str, tuple[float, int]] = {}  # cause → start of its period, how many

    def tell(self, cause: str, detail: str, raw: str = "", *, letter: bool = True) -> None:
        """`cause` is short and stable; `letter` False for what is no message that was lost."""
        self._metrics.add("chandler_ingest_rejected_total", cause=cause)
        now = self._monotonic()
        since, count = self._seen.get(cause, (-PERIOD_S, 0))
        if now - since >= PERIOD_S:
            since, told, count = now, count, 0
            if told > LINES_MAX:
                self._log.info("%s: %d times in %g s", cause, told, PERIOD_S)
        self._seen[cause] = (since, count + 1)
        if count < LINES_MAX:
            self._log.warning("%s: %s", cause, detail)
        if letter and count < LETTERS_MAX:
            event = DeadLetter(source="ingest", cause=cause, detail=detail, raw=raw[:RAW_MAX])
            self._sender.send(Record("dead-letters", "ingest", event))
