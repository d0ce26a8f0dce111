"""Ports: whether something else listens where Kafka or a service should. Ours may."""

import re
from pathlib import Path

from chandler.streams.embedded.broker import current
from chandler.streams.embedded.configuration import Layout
from chandler.streams.embedded.probe import free, listener
from chandler.streams.settings import (
    PORT_ALERTS,
    PORT_GATEWAY,
    PORT_KAFKA,
    PORT_KAFKA_CONTROLLER,
    PORT_SIMULATOR,
    PORT_TELEGRAM,
    Installation,
)
from services.topology import Worker, http_port
from services.watchdog.preflight.findings import Finding, failure, well

OWN_PORTS = {  # beside the one for health and metrics
    "simulator": PORT_SIMULATOR,
    "telegram_stand_in": PORT_TELEGRAM,
    "notifier": PORT_ALERTS,
    "gateway": PORT_GATEWAY,
}
_PROCESS = re.compile(r"process (\d+) ")


def kafka(installation: Installation) -> Finding:
    """Whether the embedded Kafka runs, or could listen."""
    running = current(Layout(installation))
    port = installation.port(PORT_KAFKA)
    if running is not None and running.port == port:
        return well("kafka", f"runs already, process {running.pid} on port {port}")
    if running is not None:
        return failure(
            "kafka",
            f"the Kafka of {installation.data} runs on port {running.port}, CHANDLER_PORT_BASE "
            f"says {port - PORT_KAFKA}",
            f"set CHANDLER_PORT_BASE={running.port - PORT_KAFKA}, or CHANDLER_DATA to another "
            "directory",
        )
    wanted = {port: "Kafka", installation.port(PORT_KAFKA_CONTROLLER): "Kafka's controller"}
    for each, use in wanted.items():
        if not free(each):
            return _taken("kafka", installation, each, use)
    return well("kafka", f"ports {', '.join(map(str, wanted))} are free")


def services(installation: Installation, workers: list[Worker]) -> list[Finding]:
    """A failure for each port that a process of another installation holds."""
    wanted: dict[int, str] = {}
    for worker in workers:
        if worker.service in OWN_PORTS:
            wanted[installation.port(OWN_PORTS[worker.service])] = worker.service
        wanted[http_port(installation, worker)] = f"{worker.name}'s health"
    ours, found = [], []
    for port, use in wanted.items():
        if free(port):
            continue
        if _is_ours(listener(port), installation):
            ours.append(port)
        else:
            found.append(_taken("ports", installation, port, use))
    if found:
        return found
    said = f"{len(wanted) - len(ours)} of {len(wanted)} ports are free"
    return [well("ports", f"{said}, {len(ours)} are our own" if ours else said)]


def _taken(what: str, installation: Installation, port: int, use: str) -> Finding:
    return failure(
        what,
        f"port {port} is taken by {listener(port)}, {use} needs it",
        f"end that, or set CHANDLER_PORT_BASE (now {installation.port_base}) to another number",
    )


def _is_ours(holder: str, installation: Installation) -> bool:
    """Whether a service of this data directory holds it: a half that runs, or one that ends."""
    found = _PROCESS.match(holder)
    if found is None:
        return False
    folder = Path(f"/proc/{found[1]}")
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
        variables = (folder / "environ").read_bytes().split(b"\0")
    except OSError:  # it is gone, or another user's
        return False
    runs_a_service = {b"services", b"run"} <= set(words)
    return runs_a_service and f"CHANDLER_DATA={installation.data}".encode() in variables
