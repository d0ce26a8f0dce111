"""How long things took, from when Kafka got the records: into the ledger, from signal to order."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from chandler.core.events import Signal
from chandler.core.trading.events import OrderAccepted, OrderRequested
from chandler.streams.reading.placed import Placed
from services.declaration import Metrics

KEPT_MAX = 5_000  # signals, requests, and what waits for a signal that hasn't come yet
LEDGER = "chandler_recorder_ledger_delay_seconds"
ORDER = "chandler_recorder_signal_to_order_seconds"
VENUE = "chandler_recorder_signal_to_venue_seconds"


class Delays:
    """Observes each event once, when it is in the ledger.

    Topics have no order among them: what is read before its signal waits for it.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._clock = clock
        self._signals: dict[str, int] = {}  # id → when it was written, ms
        self._causes: dict[str, str] = {}  # id of a request → of the signal that opens it
        self._waiting: dict[str, list[tuple[str, int]]] = {}  # signal → (metric, written, ms)

    def took(self, records: Sequence[Placed]) -> None:
        """Takes in a batch that is in the ledger."""
        now_ms = self._clock() * 1_000
        for record in records:
            self._metrics.observe(LEDGER, max(0.0, now_ms - record.written_ms) / 1_000)
            match record.event:
                case Signal(id=cause):
                    self._signals[cause] = record.written_ms
                    for metric, written_ms in self._waiting.pop(cause, ()):
                        self._came(metric, cause, written_ms)
                case OrderRequested(action="open", id=order, cause=cause):
                    self._causes[order] = cause
                    self._came(ORDER, cause, record.written_ms)
                case OrderAccepted(id=order) if order in self._causes:
                    self._came(VENUE, self._causes.pop(order), record.written_ms)
        for kept in (self._signals, self._causes, self._waiting):
            _bound(kept)

    def _came(self, metric: str, cause: str, written_ms: int) -> None:
        """Something that follows from a signal: observed once its signal is known."""
        if (signalled := self._signals.get(cause)) is None:
            self._waiting.setdefault(cause, []).append((metric, written_ms))
        else:
            self._metrics.observe(metric, max(0, written_ms - signalled) / 1_000)


def _bound(kept: dict[str, Any]) -> None:
    """Forgets the oldest: an order by hand has no signal that could come."""
    for each in list(kept)[: max(0, len(kept) - KEPT_MAX)]:
        del kept[each]
