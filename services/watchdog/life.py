"""Whether a service's last life ended well: a small file in the data directory says it.

Its text is how a life ended, nothing while it lasts; its time is the last beat. A file, and not
topic `infra`: there a service can't tell its predecessor from a neighbour that lives, and nobody
writes down when a process died. Where the data directory does not outlast a crash, nothing is said,
rather than something wrong. (It outlasts one in a container that is restarted, not in a new one.)
"""

import contextlib
import fcntl
import os
import time
from typing import NamedTuple

from chandler.streams.settings import Installation

FOLDER = "lives"
WELL = "well"
BEAT_S = 1.0
TEXT_MAX = 1_000  # bytes
UNSAID = "ended without a word (killed, out of memory, or with its machine)"


class Before(NamedTuple):
    """A life that did not end well."""

    until_ms: int  # wall time of its last beat, or of its end
    why: str  # "ended with exit 1: StateError"

    def recovered(self, now_ms: int) -> str:
        """What a successor says that works again."""
        return f"{max(0, now_ms - self.until_ms) / 1_000:.0f} s after it {self.why}"


class Life:
    """One life of `name`: `begin`, `beat`, `end`. A directory that can't be written keeps none."""

    def __init__(self, installation: Installation, name: str) -> None:
        self._path = installation.data / FOLDER / name
        self._file = -1  # descriptor, locked while it lives; the lock goes with the process
        self._beat_at = 0.0  # monotonic

    def begin(self) -> Before | None:
        """Begins; the life before it, where that did not end well."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            known = self._path.exists()
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another of this name lives
                os.close(file)
                return None
            self._file = file
            before = _before(file) if known else None
            self._write("")
            return before
        return None

    def beat(self) -> None:
        """Says that it lives, once in BEAT_S however often it is called."""
        now = time.monotonic()
        if self._file < 0 or now - self._beat_at < BEAT_S:
            return
        self._beat_at = now
        with contextlib.suppress(OSError):
            os.utime(self._file)

    def end(self, how: str = WELL) -> None:
        """Ends it. `how`: as `why` of Before, or WELL."""
        if self._file < 0:
            return
        with contextlib.suppress(OSError):
            self._write(how)
        os.close(self._file)
        self._file = -1

    def _write(self, text: str) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)
        os.utime(self._file)  # truncating what is empty changes no time


def _before(file: int) -> Before | None:
    text = os.pread(file, TEXT_MAX, 0).decode(errors="replace")
    if text == WELL:
        return None
    return Before(os.fstat(file).st_mtime_ns // 1_000_000, text or UNSAID)
