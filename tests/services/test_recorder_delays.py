"""What the recorder says of delays: into the ledger, and from a signal to its order."""

from typing import Any

from chandler.core.events import Event, Symbol
from chandler.core.trading.events import OrderAccepted
from chandler.streams.reading.placed import Placed
from services.declaration import Metrics
from services.recorder import delays
from services.recorder.delays import LEDGER, ORDER, VENUE, Delays
from services.recorder.service import SERVICE
from tests.services.ledgering import requested, signalled

NOW_MS = 1_700_000_000_000


def accepted(order: str) -> OrderAccepted:
    return OrderAccepted(
        id=order, account="one", agent="one", symbol=Symbol("AUSDT"), venue_id="1", at=1
    )


class Watched:
    """Delays with the time at hand, and what they came to."""

    def __init__(self) -> None:
        self.metrics = Metrics("recorder", SERVICE.metrics)
        self.delays = Delays(self.metrics, lambda: NOW_MS / 1_000)

    def took(self, *written: tuple[int, Event]) -> None:
        self.delays.took(
            [
                Placed("any", 0, at, NOW_MS + ms, event, b"")
                for at, (ms, event) in enumerate(written)
            ]
        )

    def figures(self, name: str) -> tuple[float, float]:
        """(how many, their sum in seconds)"""
        lines = self.metrics.text().decode().splitlines()
        found: dict[str, Any] = dict(line.split(" ", 1) for line in lines if line[0] != "#")
        return float(found[f"{name}_count"]), round(float(found[f"{name}_sum"]), 6)


def test_each_event_is_as_late_as_its_record_is_old():
    watched = Watched()

    watched.took((-2_500, signalled(1)), (-500, requested("a")))

    assert watched.figures(LEDGER) == (2, 3.0)


def test_an_order_counts_from_its_signal_whichever_is_read_first():
    watched = Watched()

    watched.took((-1_000, signalled(1)), (-750, requested("a", cause="signal-1")))
    watched.took((-100, requested("b", cause="signal-2")), (-90, requested("c", cause="signal-2")))
    assert watched.figures(ORDER) == (1, 0.25)
    watched.took((-200, signalled(2)))

    assert watched.figures(ORDER) == (3, 0.46)


def test_the_venue_s_word_counts_from_the_signal_whichever_is_read_first():
    watched = Watched()

    watched.took((-900, requested("a", cause="signal-1")), (-700, accepted("a")))
    assert watched.figures(VENUE) == (0, 0.0)
    watched.took((-1_000, signalled(1)), (-650, accepted("a")))

    assert watched.figures(VENUE) == (1, 0.3)


def test_the_venue_s_word_on_what_no_signal_opened_counts_from_nothing():
    watched = Watched()

    watched.took(
        (-1_000, signalled(1)),
        (-900, requested("a", action="close", cause="signal-1")),
        (-800, accepted("a")),
        (-800, accepted("b")),
    )

    assert watched.figures(VENUE) == (0, 0.0)


def test_what_closes_or_adds_or_was_asked_for_by_a_person_has_no_signal_to_count_from():
    watched = Watched()

    watched.took(
        (-1_000, signalled(1)),
        (-900, requested("a", action="close", cause="signal-1")),
        (-900, requested("b", action="add", cause="signal-1")),
        (-900, requested("c", cause="command-1")),
    )

    assert watched.figures(ORDER) == (0, 0.0)


def test_what_waits_for_its_signal_is_bounded(monkeypatch):
    monkeypatch.setattr(delays, "KEPT_MAX", 2)
    watched = Watched()
    orders = [(-100 + n, requested(f"o{n}", cause=f"signal-{n}")) for n in range(3)]

    watched.took(*orders)
    watched.took(*((-200, signalled(n)) for n in range(3)))

    assert watched.figures(ORDER)[0] == 2
