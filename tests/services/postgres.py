"""A throwaway PostgreSQL for tests: Debian's binaries, an unprivileged user, a socket of its own.

tests/postgres.sh installs them. With CHANDLER_TEST_POSTGRES set their absence is a failure.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_S_MAX = 30.0
USERS = ("postgres", "nobody")  # whose server it is where the tests run as root
SUPERUSER = "chandler"


def binaries() -> Path | None:
    """The folder with initdb and postgres, of the newest version."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def required() -> Path:
    """The binaries; skips, or fails, with the reason."""
    found = binaries()
    if found is not None:
        return found
    reason = "no PostgreSQL binaries are installed: run tests/postgres.sh"
    if os.environ.get("CHANDLER_TEST_POSTGRES"):
        pytest.fail(reason)
    pytest.skip(reason)


class Postgres:
    """A server with its data in a folder of its own."""

    def __init__(self, folder: Path, binary: Path) -> None:
        self.folder = folder
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._user = None
        if os.geteuid() == 0:
            self._user = next(name for name in USERS if _known(name))
            entry = pwd.getpwnam(self._user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)

    def make(self) -> None:
        """initdb."""
        where = ["-D", str(self.folder / "data"), "-U", SUPERUSER]
        how = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._run([str(self._binary / "initdb"), *where, *how])

    def start(self) -> None:
        """Starts it; it listens when this returns."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "max_connections": "40",
            "shared_buffers": "32MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binary / "postgres"), "-D", str(self.folder / "data"), *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.folder,
            )
        deadline = time.monotonic() + START_S_MAX
        while self._query("postgres", "SELECT 1") != 0:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL did not start in time"
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends it at once, its connections too."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_S_MAX)
            self._process = None

    def database(self) -> str:
        """A fresh database's URL."""
        self._databases += 1
        name = f"ledger_{self._databases}"
        assert self._query("postgres", f"CREATE DATABASE {name}") == 0
        return f"postgresql://{SUPERUSER}@/{name}?host={self.folder}"

    def _query(self, database: str, statement: str) -> int:
        words = ["psql", "-h", str(self.folder), "-U", SUPERUSER, "-d", database, "-qc", statement]
        done = subprocess.run([str(self._binary / words[0]), *words[1:]], capture_output=True)
        return done.returncode

    def _run(self, words: list[str]) -> None:
        done = subprocess.run(
            words, user=self._user, cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def running() -> Iterator[Postgres]:
    """A server that runs meanwhile, and leaves nothing."""
    binary = required()
    # A socket's path is short: not below pytest's own folders.
    folder = Path(tempfile.mkdtemp(prefix="chandler-pg-"))
    folder.chmod(0o755)
    server = Postgres(folder, binary)
    try:
        server.make()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
