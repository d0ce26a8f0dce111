"""Every service, in the order a candle meets them, and the ports they answer on."""

import importlib.util
from typing import Literal, NamedTuple

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
    "telegram_stand_in",
    "notifier",
    "gateway",
)
TELEGRAM = frozenset(
    {"telegram_stand_in", "notifier", "gateway"}
)  # `up telegram`; the others: `up trading`
STOPPED_FIRST = frozenset({"executor"})  # nothing may be entered after the stop was asked for
STOPPED_LAST = frozenset({"simulator"})  # a venue answers those that still ask it
INSTANCES_MAX = 8  # workers of one service on this machine
INSTANCE_STRIDE = 16  # between the ports of a service's workers: more than there are services


Half = Literal["both", "trading", "telegram"]  # what one `up` runs


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


def half_of(service: str) -> Half:
    """Whose a service is; one that nobody knows is the trading half's to refuse."""
    return "telegram" if service in TELEGRAM else "trading"


def services_of(profile: Profile, half: Half = "both") -> list[str]:
    """The services that this profile needs, in order."""
    idle = set()
    if profile.simulator is None:
        idle.add("simulator")
    if not profile.trades:
        idle.update(("executor", "positions"))
    if not profile.guarded:
        idle.add("pump_guard")
    if not profile.telegram.stand_in:
        idle.add("telegram_stand_in")
        if not profile.users:
            idle.add("notifier")  # it would have nobody to talk to
    if not (profile.gateway.enabled and profile.users):
        idle.add("gateway")  # nobody could open it
    return [
        name
        for name in ORDER
        if exists(name) and name not in idle and half in ("both", half_of(name))
    ]


def workers_of(profile: Profile, half: Half = "both") -> list[Worker]:
    """The processes of `up`, in order."""
    return [
        Worker(service, instance)
        for service in services_of(profile, half)
        for instance in range(profile.scale.get(service, 1))
    ]


def http_port(installation: Installation, worker: Worker) -> int:
    """Where a worker's /metrics, /healthz and /readyz are."""
    place = ORDER.index(worker.service)
    return installation.port(PORT_METRICS + place + INSTANCE_STRIDE * worker.instance)
