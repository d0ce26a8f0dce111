"""The cache: parts of partitions below the data directory, by cluster, topic and partition.

It may be removed at any time, and whatever is wrong in it is thrown away, with a line for people.
Readers in several processes may use it at once: a file never changes once it has its name.
"""

import hashlib
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from chandler.streams.clients import topic_name
from chandler.streams.columns.parts import (
    TEMPORARY,
    CorruptPartError,
    Name,
    Part,
    chained,
    merged,
    parsed,
    read_part,
    write_part,
)
from chandler.streams.settings import Installation

FORMAT = "1"  # of the files; another one is not looked at
FILES_MAX = 16  # of a partition that could be fewer; more are merged
PART_ROWS_MAX = 500_000
RELISTS_MAX = 5  # another process may merge files that were just listed
TEMPORARY_S_MAX = 3_600.0  # older temporary files were left by a process that died


def cache_folder(installation: Installation) -> Path:
    """Where the cache of all clusters is."""
    return installation.data / "cache" / "columns"


def cache_bytes(installation: Installation) -> int:
    """How much the cache takes on disk."""
    total = 0
    for path in cache_folder(installation).rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def clear_cache(installation: Installation) -> int:
    """Removes the cache; the bytes that it took."""
    taken = cache_bytes(installation)
    shutil.rmtree(cache_folder(installation), ignore_errors=True)
    return taken


def remember_cluster(installation: Installation, cluster: str) -> None:
    """Keeps which cluster is at these brokers, for when it is down."""
    path = _cluster_file(installation)
    with suppress(OSError):  # a disk that refuses: the parts' own warning says it
        if not path.exists() or path.read_text() != cluster:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(f".{time.monotonic_ns()}{TEMPORARY}")
            fresh.write_text(cluster)
            fresh.replace(path)


def remembered_cluster(installation: Installation) -> str | None:
    """The cluster that was last seen at these brokers."""
    with suppress(OSError):
        return _cluster_file(installation).read_text()
    return None


def cached_partitions(installation: Installation, cluster: str, topic: str) -> list[int]:
    """The partitions of a catalogue topic that the cache holds something of."""
    folder = _topic_folder(installation, cluster, topic)
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(int(path.name) for path in found if path.name.isdigit())


class PartitionCache:
    """The parts of one partition. `columns`: those that its readings need."""

    def __init__(
        self, installation: Installation, cluster: str, topic: str, number: int, names: list[str]
    ) -> None:
        self.place = (topic, number)
        self.warnings: list[str] = []
        self._folder = _topic_folder(installation, cluster, topic) / str(number)
        self._columns = names

    def load(self) -> list[Part]:
        """The parts that follow each other from the first on, up to the first that is corrupt."""
        for _ in range(RELISTS_MAX):
            with suppress(FileNotFoundError):
                return self._load()
        return []

    def _load(self) -> list[Part]:
        parts: list[Part] = []
        for name in chained(self._names()):
            try:
                parts.append(read_part(self._folder, name, self._columns))
            except CorruptPartError as error:
                topic, number = self.place
                self.warnings.append(
                    f"the cached columns of {topic}/{number} from offset {name.begin} to "
                    f"{name.end} can't be read ({error}): thrown away, they are read from Kafka"
                )
                self.drop([name])
                break
        return parts

    def write(self, written: Part) -> None:
        """Adds a part; where the disk refuses, a warning says so."""
        try:
            write_part(self._folder, written)
        except OSError as error:
            topic, number = self.place
            self.warnings.append(
                f"the columns of {topic}/{number} can't be cached in {self._folder}: "
                f"{error.strerror or error}: the next reading takes as long"
            )

    def drop(self, names: Iterable[Name]) -> None:
        """Removes parts."""
        for name in names:
            (self._folder / str(name)).unlink(missing_ok=True)

    def tidy(self, every: Sequence[str]) -> None:
        """Merges small parts where there are many, and removes what no reading would take.

        `every`: all columns of the topic.
        """
        names = self._names()
        chain = chained(names)
        if not chain:
            return
        begin, end = chain[0].begin, chain[-1].end
        self.drop(each for each in names if begin <= each.begin < end and each not in chain)
        self._sweep()
        runs: list[list[Name]] = [[]]
        for name in chain:
            runs[-1].append(name)
            if runs[-1][-1].end - runs[-1][0].begin >= PART_ROWS_MAX:
                runs.append([])
        if len(chain) - len(runs) < FILES_MAX:
            return
        for run in runs:
            try:
                self._merge([read_part(self._folder, name, every) for name in run])
            except (CorruptPartError, FileNotFoundError):
                return  # the next reading says so, or another process was quicker

    def _merge(self, run: Sequence[Part]) -> None:
        if len(run) < 2:
            return
        whole, warned = merged(run), len(self.warnings)
        self.write(whole)
        if len(self.warnings) == warned:
            self.drop(each.name for each in run)

    def _names(self) -> list[Name]:
        found = self._folder.iterdir() if self._folder.is_dir() else ()
        return [name for path in found if (name := parsed(path.name))]

    def _sweep(self) -> None:
        for path in self._folder.glob(f"*{TEMPORARY}"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > TEMPORARY_S_MAX:
                    path.unlink()


def _cluster_file(installation: Installation) -> Path:
    brokers = hashlib.blake2b(installation.bootstrap.encode(), digest_size=8).hexdigest()
    return cache_folder(installation) / f"brokers-{brokers}"


def _topic_folder(installation: Installation, cluster: str, topic: str) -> Path:
    name = topic_name(installation, topic)
    return cache_folder(installation) / quote(cluster, safe="") / FORMAT / quote(name, safe="")
