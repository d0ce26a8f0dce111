"""Ends of services that nobody asked for: why, when, and what they said last. A file, newest last.

It is written here and not in a topic, for the broker may be what has crashed.
"""

import os
from collections import deque
from pathlib import Path
from typing import Literal

import msgspec

from chandler.streams.settings import Installation

LINES_MAX = 40  # of a service's log that are kept with its end
LINE_CHARACTERS_MAX = 500
BYTES_MAX = 4_000_000  # of the file; when it is longer,
CRASHES_KEPT = 100  # only the newest stay
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
