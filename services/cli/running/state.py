"""What `up` leaves in the data directory while it runs: its locks, its processes and ports.

Each half has its own; `up` of both holds both locks.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from chandler.streams.settings import Installation
from services.cli.config import write_private
from services.layers import ConfigurationError
from services.topology import Half

HALVES: tuple[Half, Half] = ("trading", "telegram")


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """One process of `up`."""

    name: str
    service: str
    instance: int
    port: int
    pid: int | None


class UpState(msgspec.Struct, frozen=True, kw_only=True):
    """up.json; up-trading.json and up-telegram.json of the halves."""

    pid: int  # of `up` itself
    half: Half = "both"
    profile: str
    started_ms: int  # wall time
    port_base: int
    workers: list[WorkerState]

    @property
    def runs(self) -> bool:
        """Whether its `up` still does."""
        try:
            os.kill(self.pid, 0)
        except PermissionError:
            return True
        except OSError:
            return False
        return True


def command_of(half: Half) -> str:
    """What a person types for it."""
    return "up" if half == "both" else f"up {half}"


def write_state(installation: Installation, state: UpState) -> None:
    """Replaces the half's file."""
    text = msgspec.json.format(msgspec.json.encode(state)).decode() + "\n"
    write_private(_file(installation, state.half), text)


def states(installation: Installation) -> list[UpState]:
    """What every `up` here has left, of those that were killed too."""
    found = []
    for half in ("both", *HALVES):
        try:
            raw = _file(installation, half).read_bytes()
            found.append(msgspec.json.decode(raw, type=UpState))
        except (OSError, msgspec.MsgspecError):
            continue
    return found


def running(installation: Installation, half: Half = "both") -> UpState | None:
    """That of an `up` that still runs this half, or with "both" any of them; None if none does."""
    return next(
        (
            each
            for each in states(installation)
            if each.runs and (half == "both" or each.half in ("both", half))
        ),
        None,
    )


@contextlib.contextmanager
def only_one(installation: Installation, half: Half = "both") -> Iterator[None]:
    """Holds the half's lock, or both; ConfigurationError if another `up` has it."""
    installation.data.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        for each in HALVES if half == "both" else (half,):
            lock = stack.enter_context((installation.data / f"up-{each}.lock").open("a+"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError(_taken(installation, each)) from None
        # Of one that was killed: it can't run while we hold a lock of its own.
        for stale in {"both": ("both", *HALVES)}.get(half, ("both", half)):
            _file(installation, stale).unlink(missing_ok=True)
        try:
            yield
        finally:
            _file(installation, half).unlink(missing_ok=True)


def _taken(installation: Installation, half: Half) -> str:
    state = running(installation, half)
    who = f"`{command_of(state.half)}` (process {state.pid})" if state else "another `up`"
    return (
        f"{who} runs the {half} half in {installation.data}: end it, or set CHANDLER_DATA and "
        "CHANDLER_PORT_BASE for a second system"
    )


def _file(installation: Installation, half: str) -> Path:
    return installation.data / ("up.json" if half == "both" else f"up-{half}.json")
