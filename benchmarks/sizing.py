"""`bench sizing`: what the demo's services take at the venue's own pace, for N symbols.

Runs `up` with an empty data directory at 1x and watches it for some minutes once all is ready:
each process's share of a core and its memory, each topic's records a second and bytes a record on
disk. docs/sizing.md stands on it.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from chandler.streams import embedded
from chandler.streams.admin import TopicState, describe
from chandler.streams.settings import Installation, installation
from services.layers import root

READY_S_MAX = 1_800.0  # a thousand symbols are backfilled at the venue's pace
END_S_MAX = 60.0
LOOK_S = 5.0  # asking takes a third of a core for a second
TICK = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """What the kernel says of a process."""

    cpu_s: float
    resident_mb: float


class Look(NamedTuple):
    """One moment."""

    at_s: float
    processes: dict[str, Process]
    topics: dict[str, TopicState]


def process(pid: int) -> Process:
    """Of one that runs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    resident = next(line for line in lines if line.startswith("VmRSS:"))
    return Process((int(fields[11]) + int(fields[12])) / TICK, int(resident.split()[1]) / 1_000)


@contextmanager
def running(symbols: int, speed: float, environ: dict[str, str]) -> Iterator[None]:
    """`up` in its own process group, ended by Ctrl-C."""
    words = ["./chandler", "up", "--symbols", str(symbols), "--speed", f"{speed:g}"]
    with Path(environ["CHANDLER_DATA"], "up.log").open("wb") as log:
        up = subprocess.Popen(
            words, cwd=root(), env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            up.send_signal(signal.SIGINT)
            try:
                up.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                up.kill()
                up.wait()


def status(environ: dict[str, str]) -> dict[str, Any]:
    """What `status --json` says of the services; nothing while it can't."""
    words = ["./chandler", "status", "--json"]
    done = subprocess.run(
        words, cwd=root(), env=environ, capture_output=True, text=True, check=False
    )
    found: dict[str, Any] = json.loads(done.stdout)["services"] if done.stdout else {}
    return found


def ready(environ: dict[str, str]) -> float:
    """Seconds until every service is; an error after a long while."""
    began = time.monotonic()
    with Progress(transient=True) as progress:
        bar = progress.add_task("until all is ready", total=None)
        while time.monotonic() - began < READY_S_MAX:
            found = status(environ)
            if found and all(each["ready"] for each in found.values()):
                return time.monotonic() - began
            waited = sorted(name for name, each in found.items() if not each["ready"])
            progress.update(bar, description=f"until all is ready: {' '.join(waited)}")
            time.sleep(LOOK_S)
    raise SystemExit(f"not ready within {READY_S_MAX:.0f} s: see up.log in the data directory")


def look(here: Installation, environ: dict[str, str]) -> Look:
    """All processes and topics as they are now."""
    pids = {name: each["pid"] for name, each in status(environ).items()}
    broker = embedded.status(here).pid
    assert broker is not None, "Kafka runs as long as `up` does"
    at_s = time.monotonic()
    processes = {name: process(pid) for name, pid in {"kafka": broker, **pids}.items()}
    topics = {each.name: each for each in asyncio.run(describe(here))}
    return Look(at_s, processes, topics)


def measured(symbols: int, minutes: float, speed: float) -> dict[str, Any]:
    """The figures of one run."""
    with tempfile.TemporaryDirectory(prefix="chandler-sizing-") as data:
        environ = {**os.environ, "CHANDLER_DATA": data}
        here = installation(environ, root=root())
        with running(symbols, speed, environ):
            ready_s = ready(environ)
            first = look(here, environ)
            with Progress(transient=True) as progress:
                for _ in progress.track(range(int(minutes * 60)), description="watching"):
                    time.sleep(1.0)
            last = look(here, environ)
    took_s = last.at_s - first.at_s
    return {
        "symbols": symbols,
        "speed": speed,
        "ready_s": round(ready_s, 1),
        "watched_s": round(took_s, 1),
        "processes": {
            name: {
                "core": round((each.cpu_s - first.processes[name].cpu_s) / took_s, 4),
                "resident_mb": round(each.resident_mb, 1),
            }
            for name, each in last.processes.items()
        },
        "topics": {
            name: {
                "offsets": each.records,
                "offsets_a_second": round((each.records - first.topics[name].records) / took_s, 3),
                "bytes_an_offset": round((each.bytes or 0) / each.records, 1),
            }
            for name, each in last.topics.items()
            if each.records and name in first.topics
        },
    }


def show(found: dict[str, Any]) -> None:
    """Both tables."""
    console = Console()
    console.print(
        f"{found['symbols']} symbols at {found['speed']:g}x: ready after {found['ready_s']} s, "
        f"watched for {found['watched_s']} s"
    )
    for title, columns in (
        ("processes", ("core", "resident_mb")),
        ("topics", ("offsets", "offsets_a_second", "bytes_an_offset")),
    ):
        table = Table(title, *columns, box=None)
        for name, each in found[title].items():
            table.add_row(name, *(f"{each[column]:,}" for column in columns))
        console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench sizing", description=__doc__)
    parser.add_argument("--symbols", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--json", action="store_true", help="for programs")
    words = parser.parse_args()
    found = measured(words.symbols, words.minutes, words.speed)
    if words.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        show(found)
    return 0
