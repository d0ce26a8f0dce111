"""How long things took, from when Kafka got the records: into the ledger, from signal to order."""

import time
from collections.abc import Callable, Sequence

from chandler.core.events import Signal
from chandler.core.trading.events import OrderRequested
from chandler.streams.reading.placed import Placed
from services.declaration import Metrics

KEPT_MAX = 5_000  # signals, and orders whose signal hasn't come yet
LEDGER = "chandler_recorder_ledger_delay_seconds"
ORDER = "chandler_recorder_signal_to_order_seconds"


class Delays:
    """Observes each event once, when it is in the ledger.

    Topics have no order among them: one that is read before its signal waits for it.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._clock = clock
        self._signals: dict[str, int] = {}  # id → when it was written, ms
        self._orders: dict[str, list[int]] = {}  # id of the cause → when they were written, ms

    def took(self, records: Sequence[Placed]) -> None:
        """Takes in a batch that is in the ledger."""
        now_ms = self._clock() * 1_000
        for record in records:
            self._metrics.observe(LEDGER, max(0.0, now_ms - record.written_ms) / 1_000)
            match record.event:
                case Signal(id=cause):
                    self._signals[cause] = record.written_ms
                    for written_ms in self._orders.pop(cause, ()):
                        self._ordered(record.written_ms, written_ms)
                case OrderRequested(action="open", cause=cause):
                    if (signalled := self._signals.get(cause)) is not None:
                        self._ordered(signalled, record.written_ms)
                    else:
                        self._orders.setdefault(cause, []).append(record.written_ms)
        _bound(self._signals)
        _bound(self._orders)

    def _ordered(self, signal_ms: int, order_ms: int) -> None:
        self._metrics.observe(ORDER, max(0, order_ms - signal_ms) / 1_000)


def _bound(kept: dict[str, int] | dict[str, list[int]]) -> None:
    """Forgets the oldest: an order by hand has no signal that could come."""
    for cause in list(kept)[: max(0, len(kept) - KEPT_MAX)]:
        del kept[cause]
