"""Asks a port whether a Kafka that can take work is behind it, in a few bytes of its protocol."""

import contextlib
import os
import socket
import struct
from pathlib import Path

METADATA_API, METADATA_VERSION = 3, 1
NO_TOPICS = struct.pack(">i", 0)
CORRELATION = 7
NO_CLIENT_ID = -1
LISTENING = "0A"  # in /proc/net/tcp


def answers(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """True once the broker is registered: its metadata then name at least one broker."""
    request = (
        struct.pack(">hhih", METADATA_API, METADATA_VERSION, CORRELATION, NO_CLIENT_ID) + NO_TOPICS
    )
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = _exactly(connection, 12)  # size, correlation, number of brokers
    except OSError:
        return False
    if len(head) < 12:
        return False
    _size, correlation, brokers = struct.unpack(">iii", head)
    return bool(correlation == CORRELATION and brokers >= 1)


def free(port: int) -> bool:
    """Whether a server could listen there, on loopback."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listener(port: int) -> str:
    """Who listens there, as far as this user may see: "process 4711 (java)"."""
    sockets = set()
    for table in ("tcp", "tcp6"):
        file = Path(f"/proc/net/{table}")
        lines = file.read_text().splitlines()[1:] if file.is_file() else []
        for fields in (line.split() for line in lines):
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{fields[9]}]")
    for folder in sorted(Path("/proc").glob("[0-9]*/fd")):
        if sockets & _held(folder):
            name = (folder.parent / "comm").read_text().strip()
            return f"process {folder.parent.name} ({name})"
    return "a process of another user"


def _held(folder: Path) -> set[str]:
    held = set()
    with contextlib.suppress(OSError):  # another user's, or just gone
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # the one that lists is gone by now
                held.add(os.readlink(folder / name))
    return held


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            break
        received += piece
    return received
