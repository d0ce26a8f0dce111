"""simulator: the exchange for the demo, the tests and chaos, on a loopback port."""

from services.declaration import Metric, Service
from services.simulator.edge import run

SERVICE = Service(
    name="simulator",
    kind="edge",
    doc="plays recorded candles as the venue's WebSocket and REST, faults on demand",
    reads=(),
    writes=(),
    metrics=(
        Metric(name="chandler_simulator_connections", kind="gauge", doc="open connections"),
        Metric(
            name="chandler_simulator_subscriptions",
            kind="gauge",
            doc="channels that are listened to, over all connections",
        ),
        Metric(name="chandler_simulator_time_seconds", kind="gauge", doc="the venue's time"),
        Metric(
            name="chandler_simulator_speed_ratio",
            kind="gauge",
            doc="venue seconds per wall second",
        ),
        Metric(
            name="chandler_simulator_events_total",
            kind="counter",
            doc="frames written, ticks, connections and how they ended, REST requests",
            labels=("event",),
        ),
    ),
    run=run,
)
