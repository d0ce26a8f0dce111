"""The metrics of a stage: what the exact loop tells, as Prometheus counters and as log lines."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from chandler.core.events import DeadLetter
from chandler.core.stage import Output
from chandler.streams.exact.fetched import Taken
from chandler.streams.telemetry.metrics import Metric, Metrics

SAY_AGAIN_S = 60.0  # the same cause at the same place is logged once in this time
SAID_MAX = 1_000  # distinct faults that are remembered


def stage_metrics(service: str) -> tuple[Metric, ...]:
    """What every stage declares."""
    prefix = f"chandler_{service}"
    return (
        Metric(name=f"{prefix}_records_total", kind="counter", doc="records taken in"),
        Metric(name=f"{prefix}_outputs_total", kind="counter", doc="events published"),
        Metric(
            name=f"{prefix}_transaction_seconds",
            kind="histogram",
            doc="from the first record of a transaction to its commit",
        ),
        Metric(
            name=f"{prefix}_dead_letters_total",
            kind="counter",
            doc="what could not be read or done",
            labels=("cause",),
            known=("undecodable",),
        ),
        Metric(name=f"{prefix}_restarts_total", kind="counter", doc="starts anew after an error"),
    )


class StageObserver:
    """Counts what a lane reports; says each fault once a minute."""

    def __init__(
        self,
        service: str,
        metrics: Metrics,
        log: logging.Logger,
        timed: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`timed`: topic → the histogram of how long after its first cause an output is out."""
        self._prefix = f"chandler_{service}"
        self._metrics = metrics
        self._log = log
        self._timed = timed or {}
        self._clock = clock
        self._said: dict[str, float] = {}

    def committed(self, records: int, outputs: int, seconds: float) -> None:
        self._metrics.add(f"{self._prefix}_records_total", records)
        self._metrics.add(f"{self._prefix}_outputs_total", outputs)
        self._metrics.observe(f"{self._prefix}_transaction_seconds", seconds)

    def published(self, outputs: Sequence[tuple[Output, Taken]]) -> None:
        """They are committed."""
        now_ms = self._clock() * 1_000
        for output, taken in outputs if self._timed else ():
            if (name := self._timed.get(output.topic)) is not None:
                self._metrics.observe(name, max(0.0, now_ms - taken.began_ms) / 1_000)

    def dead_letter(self, letter: DeadLetter) -> None:
        self._metrics.add(f"{self._prefix}_dead_letters_total", cause=letter.cause)
        # The first word says where: a topic, a symbol, an evaluator. What follows may differ at
        # every close: an evaluator that raises at each of 200 symbols' closes is one fault.
        place = f"{letter.cause}: {letter.detail.partition(' ')[0]}"
        now = time.monotonic()
        if now - self._said.get(place, -SAY_AGAIN_S) < SAY_AGAIN_S:
            return
        if len(self._said) >= SAID_MAX:
            self._said.clear()
        self._said[place] = now
        self._log.warning("dead letter: %s: %s", letter.cause, letter.detail)

    def restarted(self, cause: str) -> None:
        self._metrics.add(f"{self._prefix}_restarts_total")
