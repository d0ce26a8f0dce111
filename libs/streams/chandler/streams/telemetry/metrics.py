"""A service's Prometheus metrics: made from what it declares; an undeclared one is an error.

Each service's names begin with chandler_<service>_. The registry belongs to the process.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A Prometheus metric that a service exports."""

    name: str  # chandler_<service>_…
    kind: Literal["counter", "gauge", "histogram"]
    doc: str
    labels: tuple[str, ...] = ()
    known: tuple[str, ...] = ()  # values of its one label that are there from the start, at 0


def standard(service: str) -> tuple[Metric, ...]:
    """What every service exports beside its own; the runner fills them from its health."""
    return (
        Metric(name=f"chandler_{service}_ready", kind="gauge", doc="1 if ready, else 0"),
        Metric(name=f"chandler_{service}_lag_records", kind="gauge", doc="records not yet taken"),
        Metric(
            name=f"chandler_{service}_age_seconds",
            kind="gauge",
            doc="wall time since the newest record that was taken; -1 before the first",
        ),
    )


class Metrics:
    """Counts, sets and observes by name. Without a service (in a test) it drops everything."""

    def __init__(self, service: str = "", declared: Iterable[Metric] = ()) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        if not service:
            return
        ProcessCollector(registry=self._registry)
        for metric in declared:
            self._declare(metric)

    def _declare(self, metric: Metric) -> None:
        prefix = f"chandler_{self._service}_"
        if not metric.name.startswith(prefix):
            raise ValueError(f"metric {metric.name} of {self._service} must begin with {prefix}")
        if metric.known and (metric.kind != "counter" or len(metric.labels) != 1):
            raise ValueError(f"metric {metric.name}: only a counter with one label knows values")
        if metric.kind == "counter":
            counter = Counter(metric.name, metric.doc, metric.labels, registry=self._registry)
            for value in metric.known:
                counter.labels(value)  # rate() sees no rise where nothing was before
            self._made[metric.name] = counter
        elif metric.kind == "gauge":
            self._made[metric.name] = Gauge(
                metric.name, metric.doc, metric.labels, registry=self._registry
            )
        else:
            self._made[metric.name] = Histogram(
                metric.name, metric.doc, metric.labels, registry=self._registry, buckets=BUCKETS_S
            )

    def _find(self, name: str) -> Counter | Gauge | Histogram | None:
        if not self._service:
            return None
        if name not in self._made:
            raise KeyError(f"metric {name} is not in the declaration of {self._service}")
        return self._made[name]

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Adds to a counter or a gauge."""
        found = self._find(name)
        if found is None:
            return
        child = found.labels(**labels) if labels else found
        assert isinstance(child, Counter | Gauge), f"{name} is no counter"
        child.inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Sets a gauge."""
        found = self._find(name)
        if found is None:
            return
        child = found.labels(**labels) if labels else found
        assert isinstance(child, Gauge), f"{name} is no gauge"
        child.set(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Adds an observation to a histogram; durations are in seconds."""
        found = self._find(name)
        if found is None:
            return
        child = found.labels(**labels) if labels else found
        assert isinstance(child, Histogram), f"{name} is no histogram"
        child.observe(value)

    def text(self) -> bytes:
        """What /metrics answers."""
        return generate_latest(self._registry)
