"""Metrics: what is declared is exported, what isn't is an error."""

import pytest

from chandler.streams.telemetry.metrics import Metric, Metrics

SEEN = Metric(name="chandler_ingest_seen_total", kind="counter", doc="seen", labels=("symbol",))
AGE = Metric(name="chandler_ingest_age", kind="gauge", doc="age")
TOOK = Metric(name="chandler_ingest_took_seconds", kind="histogram", doc="took")


def test_declared_metrics_are_exported() -> None:
    metrics = Metrics("ingest", (SEEN, AGE, TOOK))
    metrics.add(SEEN.name, 2, symbol="BTCUSDT")
    metrics.set(AGE.name, 1.5)
    metrics.observe(TOOK.name, 0.02)

    text = metrics.text().decode()

    assert 'chandler_ingest_seen_total{symbol="BTCUSDT"} 2.0' in text
    assert "chandler_ingest_age 1.5" in text
    assert 'chandler_ingest_took_seconds_bucket{le="0.025"} 1.0' in text


def test_a_metric_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(KeyError, match="not in the declaration of ingest"):
        Metrics("ingest", (AGE,)).set("chandler_ingest_other", 1)


def test_a_metric_of_another_service_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="must begin with chandler_signals_"):
        Metrics("signals", (AGE,))


def test_without_a_service_everything_is_dropped() -> None:
    metrics = Metrics()
    metrics.add("whatever", symbol="BTCUSDT")

    assert metrics.text() == b""


def test_values_that_are_known_are_there_before_anything_happened() -> None:
    """Where a series begins with its first event, rate() and increase() see no rise."""
    seen = Metric(
        name=SEEN.name, kind="counter", doc="seen", labels=("symbol",), known=("BTCUSDT",)
    )

    text = Metrics("ingest", (seen,)).text().decode()

    assert 'chandler_ingest_seen_total{symbol="BTCUSDT"} 0.0' in text


def test_a_metric_without_a_label_knows_no_values() -> None:
    with pytest.raises(ValueError, match="only a counter with one label"):
        Metrics("ingest", (Metric(name=AGE.name, kind="gauge", doc="age", known=("a",)),))
