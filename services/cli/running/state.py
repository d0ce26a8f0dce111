"""What `up` leaves in the data directory while it runs: its lock, its processes and ports."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

import msgspec

from chandler.streams.settings import Installation
from services.cli.config import write_private
from services.layers import ConfigurationError


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """One process of `up`."""

    name: str
    service: str
    instance: int
    port: int
    pid: int | None


class UpState(msgspec.Struct, frozen=True, kw_only=True):
    """up.json."""

    pid: int  # of `up` itself
    profile: str
    started_ms: int  # wall time
    port_base: int
    workers: list[WorkerState]


def write_state(installation: Installation, state: UpState) -> None:
    """Replaces up.json."""
    text = msgspec.json.format(msgspec.json.encode(state)).decode() + "\n"
    write_private(installation.data / "up.json", text)


def read_state(installation: Installation) -> UpState | None:
    """up.json of an `up` that still runs; None if there is none."""
    file = installation.data / "up.json"
    try:
        state = msgspec.json.decode(file.read_bytes(), type=UpState)
        os.kill(state.pid, 0)
    except (OSError, msgspec.DecodeError):
        return None
    return state


@contextlib.contextmanager
def only_one(installation: Installation) -> Iterator[None]:
    """Holds the data directory's lock; ConfigurationError if another `up` has it."""
    installation.data.mkdir(parents=True, exist_ok=True)
    with (installation.data / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = read_state(installation)
            who = f" (process {state.pid})" if state else ""
            raise ConfigurationError(
                f"another `up` runs in {installation.data}{who}: end it, or set CHANDLER_DATA and "
                "CHANDLER_PORT_BASE for a second system"
            ) from None
        try:
            yield
        finally:
            (installation.data / "up.json").unlink(missing_ok=True)
