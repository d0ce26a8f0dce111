"""Who needs the embedded Kafka, and for how long: starts it, repairs it, ends it with the last one.

Everything that changes something happens under one file lock of the data directory.
"""

import asyncio
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from chandler.streams.embedded import broker, processes
from chandler.streams.embedded.broker import Process, Status
from chandler.streams.embedded.configuration import Layout
from chandler.streams.embedded.errors import (
    DiskError,
    InUseError,
    StartError,
    UnreachableError,
)
from chandler.streams.embedded.jars import class_path
from chandler.streams.embedded.probe import answers
from chandler.streams.settings import PORT_KAFKA, Installation

LOCK_S_MAX = 900.0  # the first one may be downloading
POLL_S = 0.05
KEPT = "kept"  # the lease of `kafka start`: no process holds it
BROKERS_ANSWER_S_MAX = 15.0

Progress = Callable[[str], None]


def install(progress: Progress | None = None) -> None:
    """Downloads what Kafka needs and this machine lacks; nothing the second time."""
    class_path(progress or _silent)


def ensure_running(
    installation: Installation,
    progress: Progress | None = None,
    *,
    only_if_leased: bool = False,
) -> None:
    """Returns when Kafka takes work: starts it, or starts it again if it died.

    With CHANDLER_BROKERS it only asks them. `only_if_leased` is for those who repair in the
    background: they must not start anew what the last user has just ended.
    An EmbeddedKafkaError is one line for people.
    """
    if not installation.embedded:
        _check_brokers(installation)
        return
    layout = Layout(installation)
    process = broker.current(layout)
    if process is not None and _ours(installation, process) and _ready(process):
        return
    with _locked(layout, progress):
        if only_if_leased and not _needed(layout):
            return
        _start_unless_running(installation, layout, progress)


def keep_running(installation: Installation, progress: Progress | None = None) -> None:
    """As ensure_running, and it stays when the last one leaves, until `stop`."""
    if not installation.embedded:
        _check_brokers(installation)
        return
    layout = Layout(installation)
    with _locked(layout, progress):
        _start_unless_running(installation, layout, progress)
        layout.leases.mkdir(exist_ok=True)
        (layout.leases / KEPT).touch()


def stop(installation: Installation) -> bool:
    """Ends the embedded Kafka, whoever uses it; False if none ran."""
    if not installation.embedded:
        return False
    layout = Layout(installation)
    if not layout.folder.is_dir():
        return False
    with _locked(layout, None):
        (layout.leases / KEPT).unlink(missing_ok=True)
        return _stop(layout)


def status(installation: Installation) -> Status:
    """What is there now; asks nobody but the files."""
    layout = Layout(installation)
    process = broker.current(layout) if installation.embedded else None
    return Status(
        running=process is not None,
        pid=process.pid if process else None,
        port=process.port if process else installation.port(PORT_KAFKA),
        data_bytes=broker.bytes_on_disk(layout.records),
    )


def alive(installation: Installation) -> bool:
    """Whether the embedded broker's process is there; cheap, for those who look often."""
    return broker.current(Layout(installation)) is not None


def users(installation: Installation) -> list[int]:
    """Processes that hold a lease and live."""
    return sorted(
        {pid for pid, started, _ in _holders(Layout(installation)) if started is not None}
    )


@contextmanager
def lease(installation: Installation, progress: Progress | None = None) -> Iterator[None]:
    """Kafka runs for as long as one is held; the last one to leave ends it.

    A lease dies with its process. One process may hold several.
    """
    if not installation.embedded:
        _check_brokers(installation)
        yield
        return
    layout = Layout(installation)
    pid = os.getpid()
    mine = layout.leases / f"{pid}-{processes.started(pid)}-{os.urandom(4).hex()}"
    with _locked(layout, progress):
        layout.leases.mkdir(exist_ok=True)
        mine.touch()
        try:
            _start_unless_running(installation, layout, progress)
        except BaseException:  # Ctrl-C too: what was about to start must not stay
            _leave(layout, mine)
            raise
    try:
        yield
    finally:
        with _locked(layout, None):
            _leave(layout, mine)


def _start_unless_running(
    installation: Installation, layout: Layout, progress: Progress | None
) -> None:
    process = broker.current(layout)
    if process is None:
        broker.start(installation, layout, progress or _silent)
        return
    if not _ours(installation, process):
        raise InUseError(
            f"the Kafka of {installation.data} runs on port {process.port}, but CHANDLER_PORT_BASE "
            f"says {installation.port_base}: set it to {process.port - PORT_KAFKA}, or set "
            "CHANDLER_DATA to another directory"
        )
    deadline = time.monotonic() + broker.START_S_MAX
    while not _ready(process):
        if not process.alive:
            broker.start(installation, layout, progress or _silent)
            return
        if time.monotonic() > deadline:
            raise StartError(
                f"Kafka (process {process.pid}) runs but has not answered for "
                f"{broker.START_S_MAX:.0f} s: look into {layout.log}, `chandler kafka stop` ends it"
            )
        time.sleep(POLL_S)


def _ours(installation: Installation, process: Process) -> bool:
    return process.port == installation.port(PORT_KAFKA)


def _ready(process: Process) -> bool:
    return answers("127.0.0.1", process.port)


def _stop(layout: Layout) -> bool:
    process = broker.current(layout)
    if process is None:
        layout.process.unlink(missing_ok=True)
        return False
    broker.stop(process, layout)
    return True


def _leave(layout: Layout, mine: Path) -> None:
    mine.unlink(missing_ok=True)
    if not _needed(layout):
        _stop(layout)


def _needed(layout: Layout) -> bool:
    """Whether anyone is left; leases of dead processes are cleared away."""
    for _, started, file in _holders(layout):
        if started is None:
            (layout.leases / file).unlink(missing_ok=True)
    return layout.leases.is_dir() and bool(list(layout.leases.iterdir()))


def _holders(layout: Layout) -> list[tuple[int, int | None, str]]:
    """Process, its start (None: it is gone) and file name of each lease of a process."""
    found = []
    names = sorted(os.listdir(layout.leases)) if layout.leases.is_dir() else []
    for name in names:
        if name == KEPT:
            continue
        pid, started, _ = name.split("-")
        lives = processes.started(int(pid)) == int(started)
        found.append((int(pid), int(started) if lives else None, name))
    return found


@contextmanager
def _locked(layout: Layout, progress: Progress | None) -> Iterator[None]:
    with _lock_file(layout) as lock:
        deadline = time.monotonic() + LOCK_S_MAX
        told = False
        while not _taken(lock.fileno()):
            if time.monotonic() > deadline:
                raise InUseError(
                    f"another process has held {layout.lock} for {LOCK_S_MAX:.0f} s: expected it "
                    "to start or end Kafka in that time, end it and try again"
                )
            if not told and progress is not None:
                progress("waiting for another process that starts or ends Kafka")
            told = True
            time.sleep(POLL_S)
        yield


def _lock_file(layout: Layout) -> IO[str]:
    try:
        layout.folder.mkdir(parents=True, exist_ok=True)
        return layout.lock.open("a")
    except OSError as error:
        raise DiskError(
            f"{layout.folder} can't be written ({error.strerror}): expected a directory of this "
            "user, set CHANDLER_DATA to another"
        ) from error


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _silent(_: str) -> None:
    """Nobody wants to know."""


def _check_brokers(installation: Installation) -> None:
    """In a thread of its own, so that it can be called where a loop runs."""
    failure: list[BaseException] = []

    def ask() -> None:
        try:
            asyncio.run(_ask(installation))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=ask, name="ask-brokers")
    with _hearing() as heard:
        thread.start()
        thread.join()
    if failure:
        said = heard.last or str(failure[0])
        reason = " ".join(said.split()) or type(failure[0]).__name__
        raise UnreachableError(
            f"no Kafka answers at {installation.brokers} ({reason}): check CHANDLER_BROKERS and "
            "the CHANDLER_KAFKA_* settings of its security"
        ) from failure[0]


class _Heard(logging.Handler):
    """The client raises only that it found nobody; why not, it says in its log."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


@contextmanager
def _hearing() -> Iterator[_Heard]:
    heard, log = _Heard(), logging.getLogger("aiokafka")
    before = log.level  # commands show nothing of it
    log.addHandler(heard)
    log.setLevel(logging.WARNING)
    try:
        yield heard
    finally:
        log.setLevel(before)
        log.removeHandler(heard)


async def _ask(installation: Installation) -> None:
    from chandler.streams.clients import admin
    from chandler.streams.lifetime import close, start

    client = admin(installation)
    try:
        async with asyncio.timeout(BROKERS_ANSWER_S_MAX):
            await start(client)
    finally:
        await close(client)
