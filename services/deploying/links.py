"""What the declarations don't say of a service's surroundings: ports, links outside of Kafka, size.

Reads and writes are the declaration's own. Requests are what 200 symbols took at the venue's
own pace (docs/sizing.md), of memory with a fourth more; limits are for backfills and bursts.
"""

from typing import Literal, NamedTuple

from chandler.streams.settings import (
    PORT_ALERTS,
    PORT_BASE_DEFAULT,
    PORT_GATEWAY,
    PORT_METRICS,
    PORT_SIMULATOR,
    PORT_TELEGRAM,
)
from services.topology import INSTANCE_STRIDE, ORDER

POSTGRES = "postgres"
OUTSIDE = "outside"  # the venue, Telegram: HTTPS to anywhere
PORT_KAFKA = 9092
PORT_POSTGRES = 5432


class Size(NamedTuple):
    """Of one pod."""

    cpu_request: str = "50m"
    memory_request: str = "128Mi"
    cpu_limit: str = "1"
    memory_limit: str = "384Mi"


class Around(NamedTuple):
    """A service's place among the others."""

    asks: tuple[str, ...] = ()  # whom it calls, besides Kafka: services, POSTGRES, OUTSIDE
    listens: int | None = None  # port offset of what it serves, besides its health
    data: Literal["lost", "kept"] = "lost"  # whether its data directory outlasts the pod
    shards: bool = False  # pods with names of their own: an account's, or a share of the symbols
    size: Size = Size()


AROUND: dict[str, Around] = {
    "simulator": Around(
        listens=PORT_SIMULATOR, data="kept", size=Size("50m", "288Mi", "1", "512Mi")
    ),
    "ingest": Around(asks=("simulator", OUTSIDE), size=Size("150m", "192Mi")),
    "pump_guard": Around(size=Size("100m")),
    "executor": Around(
        asks=("simulator", OUTSIDE), shards=True, size=Size("200m", "192Mi", "1", "512Mi")
    ),
    "positions": Around(shards=True, size=Size("200m")),
    "market": Around(size=Size("50m", "192Mi", "1", "512Mi")),
    "recorder": Around(asks=(POSTGRES,), data="kept"),
    "telegram_stand_in": Around(listens=PORT_TELEGRAM),
    "notifier": Around(
        asks=("telegram_stand_in", POSTGRES, OUTSIDE),
        listens=PORT_ALERTS,
        size=Size("100m", "288Mi", "1", "640Mi"),
    ),
    "gateway": Around(
        asks=(POSTGRES,),
        listens=PORT_GATEWAY,
        data="kept",  # passwords, keys
        size=Size("200m", "320Mi", "1", "640Mi"),
    ),
}


def around(service: str) -> Around:
    """A service that isn't named has nothing around it but Kafka."""
    return AROUND.get(service, Around())


def offset(service: str) -> int:
    """Of its health and metrics, from the port base."""
    return PORT_METRICS + ORDER.index(service)


def port(service: str) -> int:
    """Where its health and metrics are, in a container."""
    return PORT_BASE_DEFAULT + offset(service)


def served(service: str) -> int | None:
    """Where it answers others, in a container."""
    listens = around(service).listens
    return None if listens is None else PORT_BASE_DEFAULT + listens


def callers(service: str) -> list[str]:
    """Services that ask it, besides over Kafka."""
    return [name for name in ORDER if service in around(name).asks]


def host(service: str) -> str:
    """Its name among containers and pods: pump-guard."""
    return service.replace("_", "-")


def ports() -> dict[str, object]:
    """What the image's health check has to know."""
    return {
        "base": PORT_BASE_DEFAULT,
        "stride": INSTANCE_STRIDE,
        "offsets": {service: offset(service) for service in ORDER},
    }
