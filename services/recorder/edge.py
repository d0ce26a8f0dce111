"""The file of signals: one JSON line for each signal, once by its id, whatever dies when.

Knows nothing of Kafka. Lines are what the topic holds, byte for byte.
"""

import errno
import fcntl
import hashlib
import os
from io import FileIO
from pathlib import Path
from typing import Literal

import msgspec


class RecorderError(Exception):
    """The file can't be written: one line for people."""


class _Id(msgspec.Struct):
    id: str


_id = msgspec.json.Decoder(_Id)


class SignalFile:
    """An open signals.jsonl. Opening repairs a torn last line and reads the ids that are there."""

    def __init__(self, path: Path) -> None:
        """Locks and repairs `path`; RecorderError if another recorder has it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.strange = 0  # lines of the file that are no signals: left as they are
        self.torn = 0  # bytes that were moved aside
        self._digests: dict[str, bytes] = {}
        self._file = _locked(path)
        try:
            self._read()
        except BaseException:
            self._file.close()
            raise

    @property
    def signals(self) -> int:
        """How many signals the file holds."""
        return len(self._digests)

    def append(self, lines: list[tuple[str, bytes]]) -> list[Literal["new", "known", "differs"]]:
        """Appends each (id, JSON) that isn't there yet, on disk when it returns.

        "differs": the id is there with other bytes; the first stays. RecorderError if the disk
        refuses: nothing of the batch is in the file then.
        """
        verdicts: list[Literal["new", "known", "differs"]] = []
        fresh: dict[str, bytes] = {}
        for signal_id, line in lines:
            digest = _digest(line)
            held = fresh.get(signal_id, self._digests.get(signal_id))
            verdicts.append("new" if held is None else "known" if held == digest else "differs")
            if held is None:
                fresh[signal_id] = digest
        new = [line for (_, line), verdict in zip(lines, verdicts, strict=True) if verdict == "new"]
        if new:
            self._write(b"".join(line + b"\n" for line in new))
            self._digests.update(fresh)
        return verdicts

    def close(self) -> None:
        """Gives the file and its lock back."""
        self._file.close()

    def _write(self, block: bytes) -> None:
        end = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(block) != len(block):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            raise RecorderError(
                f"{self.path} could not take {len(block)} bytes ({error.strerror}): "
                "make room on its disk, the recorder goes on by itself"
            ) from None

    def _read(self) -> None:
        whole = 0  # bytes up to the end of the last whole line
        tail = b""
        with self.path.open("rb") as reader:
            for line in reader:
                if line.endswith(b"\n"):
                    whole += len(line)
                    self._know(line.rstrip(b"\n"))
                else:
                    tail = line
        if tail:
            self._mend(whole, tail)

    def _mend(self, whole: int, tail: bytes) -> None:
        """The last line has no end: complete it if it is a signal, else move it aside."""
        if self._know(tail):
            self._write(b"\n")
            return
        self.strange -= 1
        self.torn = len(tail)
        with self.path.with_suffix(".torn").open("ab") as aside:
            aside.write(tail + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        self._file.truncate(whole)
        os.fsync(self._file.fileno())

    def _know(self, line: bytes) -> bool:
        try:
            signal_id = _id.decode(line).id
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.strange += 1
            return False
        self._digests.setdefault(signal_id, _digest(line))
        return True


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()


def _locked(path: Path) -> FileIO:
    is_new = not path.exists()
    file = path.open("a+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise RecorderError(
            f"{path} is being written by another recorder: stop it, or set another CHANDLER_DATA"
        ) from None
    if is_new:
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    return file
