"""What is known of services that don't answer on this machine: what they said last."""

import socket
from collections.abc import Mapping

from chandler.core.events import InfraEvent
from services.showing.readiness import NOT_RUNNING, ServiceStatus

RUNNING = ("started", "ready", "restarted", "recovered", "connection_back", "caught_up")
# What these say tells nothing of any agent: for people who may not see all agents.
OF_THE_MARKET = frozenset({"ingest", "indicators", "signals", "pump_guard", "market"})


def service_of(worker: str) -> str:
    """indicators-1 is a worker of indicators."""
    return worker.partition("-")[0]


def elsewhere(
    worker: str, here: ServiceStatus, infra: Mapping[str, InfraEvent]
) -> InfraEvent | None:
    """The newest of a service that does not answer here, and was last heard from elsewhere."""
    if here.state != NOT_RUNNING:
        return None
    event = infra.get(service_of(worker))
    if event is None or event.instance.partition(":")[0] == socket.gethostname():
        return None
    return event
