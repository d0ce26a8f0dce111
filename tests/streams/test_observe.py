"""What a stage tells of how long its outputs took, from the first record that led to them."""

import logging
from types import SimpleNamespace

import pytest

from chandler.core.events import Symbol
from chandler.core.stage import Output
from chandler.core.trading.events import PumpState
from chandler.streams.codec import encode
from chandler.streams.exact import StageObserver, stage_metrics
from chandler.streams.exact.fetched import BEGAN, Taken, decoded
from chandler.streams.telemetry.metrics import Metric, Metrics

TOOK = Metric(name="chandler_signals_took_seconds", kind="histogram", doc="took")
PUMP = PumpState(symbol=Symbol("AUSDT"), at=1, kind="heartbeat", pump="none")
WRITTEN_MS = 1_700_000_000_000


def taken(*headers: tuple[str, bytes]) -> Taken:
    return decoded(
        "pumps",
        SimpleNamespace(
            value=encode(PUMP), partition=0, offset=7, timestamp=WRITTEN_MS, headers=headers
        ),
    )


def test_a_record_began_when_the_first_one_that_led_to_it_was_written() -> None:
    began = taken(("in", b"candles.5m/0/3"), (BEGAN, str(WRITTEN_MS - 250).encode()))

    assert began.began_ms == WRITTEN_MS - 250
    assert taken(("in", b"candles.5m/0/3")).began_ms == WRITTEN_MS


@pytest.mark.parametrize("value", [b"", b"soon", b"-1"])
def test_a_header_that_is_no_time_says_nothing(value: bytes) -> None:
    assert taken((BEGAN, value)).began_ms == WRITTEN_MS


def test_what_is_timed_counts_from_its_beginning_to_its_commit() -> None:
    metrics = Metrics("signals", (*stage_metrics("signals"), TOOK))
    observer = StageObserver(
        "signals",
        metrics,
        logging.getLogger("signals"),
        timed={"signals": TOOK.name},
        clock=lambda: WRITTEN_MS / 1_000,
    )
    cause = taken((BEGAN, str(WRITTEN_MS - 250).encode()))

    observer.published([(Output(topic, "AUSDT", PUMP), cause) for topic in ("signals", "matrix")])

    text = metrics.text().decode()
    assert f"{TOOK.name}_count 1.0" in text
    assert f"{TOOK.name}_sum 0.25" in text
