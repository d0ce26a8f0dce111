"""Ends of services that nobody asked for: why, when, and what they said last. A file, newest last.

It is written here and not in a topic, for the broker may be what has crashed.
"""

import contextlib
import json
import os
import re
import signal
from collections import deque
from pathlib import Path
from typing import Literal

import msgspec

from chandler.streams.settings import Installation

LINES_MAX = 40  # of a service's log that are kept with its end
LINE_CHARACTERS_MAX = 500
BYTES_MAX = 4_000_000  # of the file; when it is longer,
CRASHES_KEPT = 100  # only the newest stay
LAST_WORDS_MAX = 300
FILE_NAME = "crashes.jsonl"

What = Literal["crashed", "hung", "misconfigured", "given_up"]


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """One end. Times are wall time."""

    at: int  # ms
    worker: str  # service, or service-1 …
    service: str
    what: What
    status: int  # exit status; negative: the signal
    reason: str  # one line for people
    lived_s: float
    again_s: float | None  # after so long it is started again; None: it is not
    lines: list[str]  # the last of its log


def file_of(installation: Installation) -> Path:
    return installation.data / FILE_NAME


def keep(installation: Installation, crash: Crash) -> None:
    """Adds one; a full disk keeps nothing, and is nobody's second crash. OSError goes through."""
    file = file_of(installation)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as output:
        output.write(msgspec.json.encode(crash) + b"\n")
    if file.stat().st_size > BYTES_MAX:
        partial = file.with_suffix(".new")
        with file.open("rb") as lines, partial.open("wb") as output:
            output.writelines(deque(lines, CRASHES_KEPT))
        os.replace(partial, file)


def crashes(installation: Installation) -> list[Crash]:
    """All that are kept, oldest first; a line that was cut off by our own end is passed over."""
    found = []
    try:
        lines = file_of(installation).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Crash))
        except msgspec.MsgspecError:
            continue
    return found


def shortened(line: str) -> str:
    """A line of a log as it is kept."""
    return line[:LINE_CHARACTERS_MAX]


def reason(status: int, last_line: str) -> str:
    """How a process ended, and what it said last, for people: "was ended by signal 9 (SIGKILL)"."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by signal {-status} ({signal.Signals(-status).name})"
        return f"was ended by signal {-status}"
    said = _message(last_line)[:LAST_WORDS_MAX]
    return f"ended with status {status}" + (f" ({said})" if said and status else "")


def _message(line: str) -> str:
    """What a line of a service's log says, without time, level and name."""
    if line.startswith("{"):
        with contextlib.suppress(ValueError, AttributeError):
            return str(json.loads(line).get("message", line))
    found = re.match(r"\S+ [A-Z]+ +[a-z_]+: (.*)", line)
    return found[1] if found else line.strip()


def then(what: What, again_s: float | None, ends: int) -> str:
    """What comes after an end. `ends`: soon after a start, after which one is given up."""
    if again_s is not None:
        return f"again in {again_s:.2g} s"
    if what == "given_up":
        return (
            f"given up after {ends} ends soon after a start: see ./chandler crashes, repair "
            "what it says, and start up anew"
        )
    return "it is not restarted"
