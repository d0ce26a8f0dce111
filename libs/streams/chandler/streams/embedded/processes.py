"""Processes by number and start time, so that a number given out again is not taken for the old."""

import contextlib
import os
import signal
import time
from pathlib import Path

POLL_S = 0.02


def started(pid: int) -> int | None:
    """When the process began, in the kernel's ticks since boot; None if it is gone or a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # if it is our own child and dead, let it go
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        threads = len(os.listdir(f"/proc/{pid}/task"))
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name, in brackets, may hold spaces
    # A killed process is a zombie at once, but has its ports until its last thread is gone.
    return None if fields[0] in "ZX" and threads <= 1 else int(fields[19])


def end(pid: int, started_at: int, *, patience_s: float) -> None:
    """SIGTERM, then SIGKILL after `patience_s`; returns when the process is gone."""
    _send(pid, signal.SIGTERM)
    if not _gone(pid, started_at, patience_s):
        _send(pid, signal.SIGKILL)
        _gone(pid, started_at, patience_s)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _gone(pid: int, started_at: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while started(pid) == started_at:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
