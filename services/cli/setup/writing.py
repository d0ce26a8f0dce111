"""Writes what was answered: each file whole, all of them or none, secrets for their owner alone."""

import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from chandler.exchanges.bitget.trade.keys import FIELDS, Keys
from services.cli.config import to_toml, write_private

HEAD = "# Written by `./chandler setup`, which keeps what is added here. No secret belongs here.\n"
BEFORE = ".before"  # after the name of a file that had more than values: comments, an order
HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def profile_text(values: Mapping[str, Any]) -> str:
    """A profile's file."""
    return HEAD + to_toml(dict(values))


def keys_text(keys: Keys) -> str:
    """What keys/<name>.toml holds."""
    return to_toml({field: getattr(keys, field) for field in FIELDS})


def write(files: Mapping[Path, str], check: Callable[[], None]) -> None:
    """Replaces the files; where `check` raises then, all of them are as before.

    Ctrl-C waits until that is done. What can't be written raises OSError.
    """
    before = {path: path.read_bytes() if path.exists() else None for path in files}
    with _held():
        try:
            for path, text in files.items():
                private(path.parent)
                write_private(path, text)
            check()
        except BaseException:
            for path, raw in before.items():
                if raw is None:
                    path.unlink(missing_ok=True)
                elif path.read_bytes() != raw:
                    write_private(path, raw.decode())
            raise


def private(folder: Path) -> None:
    """Makes a folder that its owner alone may look into, where there is none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def keep_before(path: Path, text: str) -> Path | None:
    """Keeps a file that a person has written in, before it is replaced; its copy's path."""
    if not path.exists() or path.read_text() == text:
        return None
    kept = path.with_name(path.name + BEFORE)
    shutil.copy2(path, kept)
    os.chmod(kept, 0o600)
    return kept


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """What would end this process waits."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
