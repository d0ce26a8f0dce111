"""The broker's process: starts it detached, finds it again, ends it. The caller holds the lock."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import msgspec

from chandler.streams.embedded import processes
from chandler.streams.embedded.configuration import Layout, format_words, java_command, write
from chandler.streams.embedded.errors import DiskError, PortTakenError, StartError
from chandler.streams.embedded.jars import Say, class_path
from chandler.streams.embedded.java import bundled_java, find_java
from chandler.streams.embedded.probe import answers, free, listener
from chandler.streams.settings import PORT_KAFKA, PORT_KAFKA_CONTROLLER, Installation

START_S_MAX = 60.0
STOP_S_MAX = 8.0  # then it is killed; its records stand either way
POLL_S = 0.05
DISK_BYTES_MIN = 500 * 1024 * 1024
_WRONG = re.compile(r" (ERROR|FATAL) |^(Error|Caused by|Exception in)|Exception: ")


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the embedded Kafka."""

    running: bool
    pid: int | None
    port: int
    data_bytes: int  # on disk


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """process.json: the broker that was started last."""

    pid: int
    started: int  # the kernel's ticks since boot
    port: int

    @property
    def alive(self) -> bool:
        return processes.started(self.pid) == self.started


def current(layout: Layout) -> Process | None:
    """The broker of this data directory, if it lives."""
    try:
        process = msgspec.json.decode(layout.process.read_bytes(), type=Process)
    except (OSError, msgspec.DecodeError):
        return None
    return process if process.alive else None


def start(installation: Installation, layout: Layout, say: Say) -> Process:
    """Starts it and waits until it takes work; an EmbeddedKafkaError says what is in the way."""
    _check_disk(installation)
    _check_ports(installation)
    java = find_java(os.environ, bundled_java())
    jars = class_path(say)
    layout.records.mkdir(parents=True, exist_ok=True)
    write(installation, layout)
    if not layout.formatted:
        say("preparing Kafka's storage")
        _format(java_command(java, jars, layout, *format_words(layout)), layout)
    say("starting Kafka")
    main = java_command(java, jars, layout, "kafka.Kafka", str(layout.properties))
    process = _spawn(main, installation.port(PORT_KAFKA), layout)
    _await(process, layout)
    return process


def stop(process: Process, layout: Layout) -> None:
    """Ends it, and returns when it is gone."""
    processes.end(process.pid, process.started, patience_s=STOP_S_MAX)
    layout.process.unlink(missing_ok=True)


def bytes_on_disk(folder: Path) -> int:
    """What the files below really take: Kafka's index files are mostly holes."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_blocks * 512
            except FileNotFoundError:  # Kafka deletes segments while we look
                continue
    return total


def _check_disk(installation: Installation) -> None:
    installation.data.mkdir(parents=True, exist_ok=True)
    left = shutil.disk_usage(installation.data).free
    if left < DISK_BYTES_MIN:
        raise DiskError(
            f"{installation.data} has {left // 1024**2} MB left, Kafka needs "
            f"{DISK_BYTES_MIN // 1024**2} MB: make room, or set CHANDLER_DATA to another disk"
        )


def _check_ports(installation: Installation) -> None:
    for offset, use in ((PORT_KAFKA, "Kafka"), (PORT_KAFKA_CONTROLLER, "Kafka's controller")):
        port = installation.port(offset)
        if not free(port):
            raise PortTakenError(
                f"port {port} is taken by {listener(port)}, {use} needs it: end that, or set "
                f"CHANDLER_PORT_BASE (now {installation.port_base}) to another range of ports"
            )


def _format(command: list[str], layout: Layout) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_S_MAX, check=False)
    if done.returncode:
        reason = _telling(done.stdout + done.stderr) or "no reason given"
        raise StartError(f"Kafka's storage can't be prepared: {reason} (see {layout.folder})")


def _spawn(command: list[str], port: int, layout: Layout) -> Process:
    """In a session of its own: Ctrl-C in our terminal doesn't reach it."""
    if layout.log.exists():  # the end of the last one may have to be explained
        layout.log.replace(layout.log_before)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    pid = os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(layout.console), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    process = Process(pid=pid, started=processes.started(pid) or 0, port=port)
    layout.process.write_bytes(msgspec.json.encode(process))
    return process


def _await(process: Process, layout: Layout) -> None:
    deadline = time.monotonic() + START_S_MAX
    while not answers("127.0.0.1", process.port):
        if not process.alive:
            layout.process.unlink(missing_ok=True)
            raise StartError(f"Kafka ended while it started: {_last_words(layout)}")
        if time.monotonic() > deadline:
            stop(process, layout)
            raise StartError(
                f"Kafka did not answer within {START_S_MAX:.0f} s: {_last_words(layout)}"
            )
        time.sleep(POLL_S)


def _last_words(layout: Layout) -> str:
    """What went wrong in its own words, and the file that has more of them."""
    for file in (layout.log, layout.console):
        told = _telling(file.read_text(errors="replace")) if file.is_file() else ""
        if told:
            return f"{told} (see {file})"
    return f"it said nothing (see {layout.console})"


def _telling(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if not line.startswith(("\tat ", "\t..."))]
    told = [line for line in lines if line]
    wrong = [line for line in told if _WRONG.search(line)]
    return (wrong or told or [""])[-1]
