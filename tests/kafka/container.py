"""Kafka in a container, told the same as the embedded one: for CHANDLER_TEST_KAFKA=container."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from chandler.streams.embedded.configuration import server_properties
from chandler.streams.settings import PORT_KAFKA, installation

IMAGE = "apache/kafka:4.3.0"
RECORDS = Path("/tmp/records")
START_S_MAX = 120


@contextmanager
def running_container(port_base: int) -> Iterator[str]:
    """Its address, while it runs; the port on this machine is the installation's."""
    settings = installation({"CHANDLER_PORT_BASE": str(port_base)})
    port = settings.port(PORT_KAFKA)
    container = DockerContainer(IMAGE).with_bind_ports(port, port)
    for line in server_properties(settings, RECORDS).splitlines():
        name, _, value = line.partition("=")
        if name == "listeners":  # in there loopback is the container's own
            value = value.replace("127.0.0.1", "0.0.0.0")
        container.with_env(f"KAFKA_{name.upper().replace('.', '_')}", value)
    container.waiting_for(
        LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(START_S_MAX)
    )
    with container:
        yield f"127.0.0.1:{port}"
