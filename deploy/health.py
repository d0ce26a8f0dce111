"""The image's health check: asks the service that runs as process 1 whether it is ready.

Standard library only, and nothing of ours: it is run every few seconds. With a port as its
argument it looks whether somebody listens there. 0: ready, or no service; 1: not ready.
"""

import http.client
import json
import os
import socket
import sys
from pathlib import Path

PORTS = Path(__file__).with_name("ports.json")
COMMAND_LINE = Path("/proc/1/cmdline")
WAIT_S = 5.0


def service_of(words: list[str]) -> str:
    """The service of `… run NAME …`; "" for any other command."""
    after = words[words.index("run") + 1 :] if "run" in words else []
    return after[0] if after else ""


def port_of(service: str, environ: dict[str, str]) -> int | None:
    """Where it answers; None for a name that is no service's."""
    ports = json.loads(PORTS.read_text())
    if service not in ports["offsets"]:
        return None
    base = int(environ.get("CHANDLER_PORT_BASE") or ports["base"])
    instance = int(environ.get("CHANDLER_INSTANCE") or 0)
    return int(base + ports["offsets"][service] + ports["stride"] * instance)


def is_ready(port: int) -> bool:
    """Whether /readyz says so."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=WAIT_S).close()
    except OSError:
        return False
    return True


def main(arguments: list[str], environ: dict[str, str]) -> int:
    """The exit status."""
    if arguments:
        return 0 if is_open(int(arguments[0])) else 1
    words = COMMAND_LINE.read_bytes().decode(errors="replace").split("\0")
    port = port_of(service_of(words), environ)
    return 0 if port is None or is_ready(port) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))
