"""What the tests of the tree share: which files are ours."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files(*patterns: str) -> list[Path]:
    """Tracked files, and new ones that git doesn't ignore, that still exist."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(
        ROOT / name for name in set(listed.split("\0")) if name and (ROOT / name).exists()
    )


def modules(*folders: str) -> list[Path]:
    """Our Python modules under `folders`, or all of them."""
    wanted = [ROOT / folder for folder in folders] or [ROOT]
    return [
        path
        for path in files("*.py")
        if any(path.is_relative_to(folder) for folder in wanted) and "templates" not in path.parts
    ]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def text_files() -> list[Path]:
    """Every file of ours that is text."""
    return [path for path in files() if b"\0" not in path.read_bytes()[:4096]]
