"""Keeps the raw frames of the last hour in files, a file for each five minutes, bounded."""

import logging
import time
from pathlib import Path
from typing import BinaryIO

KEEP_S = 3_600.0
FILE_S = 300.0
FILE_BYTES_MAX = 256 * 1024 * 1024  # of one file; what comes after it in that time is not kept


class Frames:
    """Lines of `received at, Unix ms` TAB `frame`; one recorder for each connection."""

    def __init__(self, folder: Path, shard: int, log: logging.Logger) -> None:
        self._folder = folder
        self._prefix = f"shard-{shard}-"
        self._log = log
        self._file: BinaryIO | None = None
        self._until = 0.0
        self._bytes = 0
        self._wall_at_zero = time.time() - time.monotonic()

    def take(self, at_monotonic: float, raw: bytes) -> None:
        """Writes one frame. A disk that is full ends the recording, with a line."""
        at = self._wall_at_zero + at_monotonic
        try:
            if self._file is None or at >= self._until:
                self._rotate(at)
            if self._file is None or self._bytes > FILE_BYTES_MAX:
                return
            self._bytes += self._file.write(b"%d\t%s\n" % (int(at * 1_000), raw))
        except OSError as error:
            self._log.error("raw frames are not recorded any more: %s", error.strerror)
            self._until = float("inf")
            self._file = None

    def _rotate(self, at: float) -> None:
        if self._until == float("inf"):
            return
        self.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(self._folder.glob(f"{self._prefix}*.frames")):
            if old.stat().st_mtime < at - KEEP_S:
                old.unlink()
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        self._file = (self._folder / f"{self._prefix}{name}.frames").open("ab")
        self._bytes = 0
        self._until = at + FILE_S

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
