"""Every service, in the order a candle meets them, and the ports they answer on."""

import importlib.util
from typing import NamedTuple

from chandler.streams.settings import PORT_METRICS, Installation
from services.profile import Profile

ORDER = (
    "simulator",
    "ingest",
    "indicators",
    "signals",
    "pump_guard",
    "executor",
    "positions",
    "market",
    "recorder",
)
INSTANCES_MAX = 8  # workers of one service on this machine
INSTANCE_STRIDE = 16  # between the ports of a service's workers: more than there are services


class Worker(NamedTuple):
    """One process of `up`: a service, and which of its workers."""

    service: str
    instance: int

    @property
    def name(self) -> str:
        """indicators, indicators-1, indicators-2"""
        return f"{self.service}-{self.instance}" if self.instance else self.service


def exists(service: str) -> bool:
    """Whether the service is known and its module there."""
    if service not in ORDER or importlib.util.find_spec(f"services.{service}") is None:
        return False
    return importlib.util.find_spec(f"services.{service}.service") is not None


def services_of(profile: Profile) -> list[str]:
    """The services that this profile needs, in order."""
    idle = set()
    if profile.simulator is None:
        idle.add("simulator")
    if not profile.trades:
        idle.update(("executor", "positions"))
    if not profile.guarded:
        idle.add("pump_guard")
    return [name for name in ORDER if exists(name) and name not in idle]


def workers_of(profile: Profile, services: list[str] | None = None) -> list[Worker]:
    """The processes of `up`, in order."""
    return [
        Worker(service, instance)
        for service in services or services_of(profile)
        for instance in range(profile.scale.get(service, 1))
    ]


def http_port(installation: Installation, worker: Worker) -> int:
    """Where a worker's /metrics, /healthz and /readyz are."""
    place = ORDER.index(worker.service)
    return installation.port(PORT_METRICS + place + INSTANCE_STRIDE * worker.instance)
