"""Starts the processes of tests.kafka.user and listens to them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chandler.streams.settings import Installation

ROOT = Path(__file__).resolve().parents[2]
END_S_MAX = 30.0


class User:
    """One other process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid

    def broker(self) -> int:
        """The broker's process, once this one has it."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def leave(self) -> None:
        self.process.communicate("\n", timeout=END_S_MAX)

    def kill(self) -> None:
        """With -9."""
        self.process.kill()
        self.process.wait(END_S_MAX)


@contextmanager
def user(kind: str, installation: Installation) -> Iterator[User]:
    """A process of `kind`; killed at the end if it is still there."""
    words = ["tests.kafka.user", kind, str(installation.data), str(installation.port_base)]
    with subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield User(process)
        finally:
            process.kill()
