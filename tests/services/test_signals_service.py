"""The declarations of indicators and signals, and how slow evaluators are reported."""

import logging

import pytest

from chandler.streams.catalogue import BY_NAME
from chandler.streams.telemetry.metrics import Metrics
from services.declaration import Service
from services.indicators.service import SERVICE as INDICATORS
from services.signals.service import SERVICE as SIGNALS
from services.signals.service import timed
from tests.planted import mood, raising


@pytest.mark.parametrize("service", [INDICATORS, SIGNALS], ids=lambda each: each.name)
def test_a_stage_writes_only_to_topics_that_name_it_as_their_writer(service: Service) -> None:
    for name in service.writes:
        assert set(BY_NAME[name].writers) & {service.name, "all"}, name
    assert set(service.reads) <= set(BY_NAME)
    assert f"state.{service.name}" in service.writes


def ticking(*seconds: float) -> list[float]:
    """What the clock shows at the beginning and end of each call."""
    return list(seconds)


def test_a_slow_evaluator_is_reported_once_a_minute_and_its_note_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown = ticking(0.0, 1.0, 2.0, 3.0, 4.0, 4.01, 70.0, 71.0)
    metrics = Metrics("signals", SIGNALS.metrics)
    invoke = timed(metrics, logging.getLogger("signals"), lambda: shown.pop(0))

    notes = [invoke(mood, {"rsi": 65.0, "middle": 50.0}) for _ in range(4)]

    assert notes == [0.25] * 4
    assert [record.getMessage() for record in caplog.records] == [
        "evaluator mood took 1000 ms, expected at most 50: every signal waits for it, "
        "make it faster"
    ] * 2
    counted = b'chandler_signals_slow_notes_total{evaluator="mood"} 3.0'
    assert counted in metrics.text()


def test_a_slow_evaluator_that_raises_is_reported_too(caplog: pytest.LogCaptureFixture) -> None:
    shown = ticking(0.0, 1.0)
    invoke = timed(Metrics(), logging.getLogger("signals"), lambda: shown.pop(0))

    with pytest.raises(ZeroDivisionError):
        invoke(raising, {"rsi": 65.0})

    assert "evaluator raising took 1000 ms" in caplog.text
