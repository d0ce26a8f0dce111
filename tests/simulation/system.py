"""A whole Chandler as a person runs it: its commands as processes, data and ports of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from chandler.streams.settings import PORT_SIMULATOR, Installation
from chandler.streams.settings import installation as installation_of
from services.cli.running.status import workers_here
from services.showing.readiness import gather
from services.topology import Worker, http_port

ROOT = Path(__file__).resolve().parents[2]
POLL_S = 0.2
ANSWER_S_MAX = 5.0
COMMAND_S_MAX = 120.0
READY_S_MAX = 240.0  # Kafka's start and the backfill included, on a busy machine
END_S_MAX = 10.0  # the promise


def until(holds: Callable[[], object], within_s: float, what: str) -> None:
    """Polls until it holds; fails with `what` after the deadline."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {within_s:g} s"
        time.sleep(POLL_S)


class System:
    """One data directory with its commands. Nothing of the caller's own Chandler gets in."""

    def __init__(self, data: Path, port_base: int, **settings: str) -> None:
        kept = {name: v for name, v in os.environ.items() if not name.startswith("CHANDLER_")}
        self.environ = {
            **kept,
            "CHANDLER_DATA": str(data),
            "CHANDLER_PORT_BASE": str(port_base),
            "CHANDLER_ROOT": str(ROOT),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH")))),
            **settings,
        }

    @property
    def installation(self) -> Installation:
        return installation_of(self.environ)

    def spawn(self, *words: str, **settings: str) -> subprocess.Popen[bytes]:
        """`./chandler WORDS` in the background; what it says is added to said.txt."""
        with (self.installation.data.parent / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "services", *words],
                env={**self.environ, **settings},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def command(
        self, *words: str, within_s: float = COMMAND_S_MAX
    ) -> subprocess.CompletedProcess[str]:
        """`./chandler WORDS` to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "services", *words],
            env=self.environ,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    def report(self, *words: str) -> dict[str, Any]:
        """What a command prints with --json."""
        done = self.command(*words, "--json")
        assert done.stdout, f"{' '.join(words)} said nothing: {done.stderr}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def services(self) -> dict[str, dict[str, Any]]:
        """What `status` shows, by worker; asked here, for polling costs the others nothing then."""
        here = self.installation
        found: dict[str, dict[str, Any]] = msgspec.to_builtins(
            asyncio.run(gather(here, workers_here(here)))
        )
        return found

    def all_ready(self) -> bool:
        """Whether there is an answer from each, and each is ready."""
        found = self.services()
        return bool(found) and all(entry["ready"] for entry in found.values())

    def venue(self, path: str) -> Any:
        """What the simulator's admin endpoint says."""
        return json.loads(_get(self.installation.port(PORT_SIMULATOR), f"/admin/{path}"))

    def venue_ms(self) -> int:
        """The venue's time."""
        return int(self.venue("clock")["now_ms"])

    def metric(self, service: str, line: str) -> float:
        """A metric's value by its whole name with labels; 0 while there is none."""
        port = http_port(self.installation, Worker(service, 0))
        for found in _get(port, "/metrics").decode().splitlines():
            name, _, value = found.rpartition(" ")
            if name == line:
                return float(value)
        return 0.0

    def processes(self) -> list[int]:
        """All that live with this data directory: by their environment, whoever started them."""
        mark = f"CHANDLER_DATA={self.environ['CHANDLER_DATA']}".encode()
        return [pid for pid, environ in _environs() if mark in environ.split(b"\0")]

    @contextmanager
    def up(self, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
        """`up` with all services ready; what is left of it at the end is killed."""
        process = self.spawn("up", "--quiet", *flags)
        try:
            until(self._answers, READY_S_MAX, "up has not come up")
            until(self.all_ready, READY_S_MAX, "not every service is ready")
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(2 * END_S_MAX)

    def _answers(self) -> bool:
        return (self.installation.data / "up.json").exists()

    def kill_all(self) -> None:
        """Ends what is left."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


def interrupt(process: subprocess.Popen[bytes]) -> float:
    """Ctrl-C; how many seconds it took, at most twice the promise."""
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(2 * END_S_MAX)
    return time.monotonic() - began


def _get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=ANSWER_S_MAX) as answer:
        body: bytes = answer.read()
        return body


def _environs() -> Iterator[tuple[int, bytes]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                yield int(folder.name), (folder / "environ").read_bytes()
            except OSError:
                continue  # it has ended, or is another's
