"""Kafka's jars: fetched once by jgo into a cache of the user, shared by all data directories."""

import fcntl
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import requests
from jgo.maven import MavenContext, PythonResolver
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from chandler.streams.embedded.errors import JarsError

KAFKA = "org.apache.kafka:kafka_2.13:4.3.0"
LOG4J_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"  # as Kafka 4.3's own log4j
ANSWER_S_MAX = 30
DOWNLOAD_BYTES = 45_000_000  # of all jars together, for the bar
EVERY_BYTES = 5_000_000  # how often the progress is told where there is no bar

Say = Callable[[str], None]


class _ClassPath(msgspec.Struct, frozen=True):
    coordinates: tuple[str, ...]  # what was asked for
    jars: tuple[str, ...]  # file paths


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the jars are kept: below XDG_CACHE_HOME, else below the home directory."""
    parent = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(parent) / "chandler" / "kafka"


def class_path(say: Say, folder: Path | None = None) -> tuple[str, ...]:
    """All jars of Kafka; downloads what the cache lacks. JarsError says what is in the way."""
    folder = folder or cache_folder()
    known = _recorded(folder)
    if known is not None:
        return known
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return _recorded(folder) or _fetched(folder, say)
    except requests.RequestException as error:
        raise JarsError(
            f"Kafka's jars can't be downloaded ({type(error).__name__}): expected Maven Central to "
            "answer, check the network, or set CHANDLER_BROKERS to a Kafka that runs already"
        ) from error
    except (OSError, RuntimeError) as error:
        raise JarsError(
            f"Kafka's jars can't be put into {folder}: {_one_line(error)}; set XDG_CACHE_HOME to a "
            "folder that can be written"
        ) from error


def _recorded(folder: Path) -> tuple[str, ...] | None:
    try:
        found = msgspec.json.decode((folder / "class-path.json").read_bytes(), type=_ClassPath)
    except (OSError, msgspec.DecodeError):
        return None
    if found.coordinates != (KAFKA, LOG4J_BINDING):
        return None
    return found.jars if all(Path(jar).is_file() for jar in found.jars) else None


def _fetched(folder: Path, say: Say) -> tuple[str, ...]:
    repository = folder / "repository"
    _drop_broken(repository)
    say("looking up what Kafka 4.3 needs")
    with _Download(say) as download:
        context = MavenContext(
            resolver=PythonResolver(progress_callback=download.file),
            repo_cache=repository,
            timeout=ANSWER_S_MAX,
        )
        # The binding alone, and not resolved with Kafka: its parent's versions would replace
        # those of Kafka's own libraries, kafka-clients among them.
        binding = context.create_dependency(LOG4J_BINDING)
        kafka, needs = context.resolver.resolve([context.create_dependency(KAFKA)])
        jars = tuple(str(item.artifact.resolve()) for item in (*kafka, *needs, binding))
    record = msgspec.json.encode(_ClassPath((KAFKA, LOG4J_BINDING), jars))
    unfinished = folder / "class-path.json.new"
    unfinished.write_bytes(record)
    unfinished.replace(folder / "class-path.json")
    return jars


def _drop_broken(repository: Path) -> None:
    """An interrupted download leaves half a file, which would be taken for a whole one."""
    for jar in repository.rglob("*.jar"):
        if not zipfile.is_zipfile(jar):
            jar.unlink()
    for pom in repository.rglob("*.pom"):
        if not pom.read_bytes().rstrip().endswith(b"</project>"):
            pom.unlink()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class _Download:
    """A bar for people at a terminal, a line now and then for logs."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._bytes = 0
        self._told = 0
        self._task: TaskID | None = None
        width = shutil.get_terminal_size().columns
        self._bar = Progress(
            TextColumn("Kafka 4.3"),
            BarColumn(bar_width=max(10, min(40, width - 40))),
            DownloadColumn(),
            TextColumn("{task.description}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )

    def __enter__(self) -> "_Download":
        self._bar.start()
        self._task = self._bar.add_task("", total=DOWNLOAD_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @contextmanager
    def file(self, name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """jgo's callback: one file, and what to call with the bytes of each piece."""
        counted = name.endswith(".jar")
        if counted and self._task is not None:
            self._bar.update(self._task, description=name)

        def received(count: int) -> None:
            if not counted:
                return
            self._bytes += count
            if self._task is not None:
                self._bar.advance(self._task, count)
            if self._bar.disable and self._bytes - self._told >= EVERY_BYTES:
                self._told = self._bytes
                self._say(f"downloading Kafka: {self._bytes // 1_000_000} of 45 MB")

        yield received
