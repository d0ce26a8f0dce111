"""An account's keys: from the environment or a file of its own, shown to nobody.

CHANDLER_KEYS_<NAME> holds {"key": …, "secret": …, "passphrase": …} or key:secret:passphrase;
keys/<name>.toml in the data directory holds the same three and is read by its owner alone;
CHANDLER_MOUNTED_KEYS names another folder, a platform's secret.
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import orjson

from chandler.core.trading.broker import AccountError

FOLDER_VARIABLE = "CHANDLER_MOUNTED_KEYS"
FIELDS = ("key", "secret", "passphrase")
FILE_BYTES_MAX = 64 << 10
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Keys:
    """An API key with its secret. Never printed, encoded, pickled or compared by accident."""

    __slots__ = ("key", "passphrase", "secret")

    def __init__(self, key: str, secret: str, passphrase: str) -> None:
        self.key = key
        self.secret = secret
        self.passphrase = passphrase

    def __repr__(self) -> str:
        return "Keys(hidden)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("keys are not written down")


def load_keys(name: str, data: Path, environ: Mapping[str, str]) -> Keys:
    """The keys of that name; AccountError says in one line what is missing or wrong."""
    if not _NAME.fullmatch(name):
        raise AccountError(
            f"keys {name[:40]!r}: expected a name of letters, digits, - and _, up to 64 of them"
        )
    variable = "CHANDLER_KEYS_" + name.upper().replace("-", "_")
    if text := environ.get(variable, "").strip():
        return _keys(variable, _from_text(variable, text))
    mounted = environ.get(FOLDER_VARIABLE, "")
    file = Path(mounted) / f"{name}.toml" if mounted else _file(name, data)
    try:
        with file.open("rb") as opened:
            if not mounted:  # a platform's secret has the mode that the platform gives it
                _check_mode(file, os.fstat(opened.fileno()))
            raw = opened.read(FILE_BYTES_MAX)
    except FileNotFoundError:
        raise AccountError(
            f"no keys {name}: expected {variable} in the environment or the file {file}"
        ) from None
    except OSError as error:
        raise AccountError(f"{file} can't be read ({error.strerror})") from None
    try:
        return _keys(str(file), tomllib.loads(raw.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):  # its text might show a secret
        raise AccountError(f'{file} is not TOML: expected key = "…", secret, passphrase') from None


def keys_there(name: str, data: Path) -> bool:
    """Whether keys/<name>.toml is there; a name that can be none is load_keys' to refuse."""
    return not _NAME.fullmatch(name) or _file(name, data).exists()


def _file(name: str, data: Path) -> Path:
    return data / "keys" / f"{name}.toml"


def _check_mode(file: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise AccountError(f"{file} is not a plain file: expected a file of mode 0600")
    if mode & 0o077:
        raise AccountError(f"{file} has mode {mode:04o}, others may read it: run chmod 600 {file}")
    if status.st_uid not in (os.geteuid(), 0):
        raise AccountError(f"{file} belongs to another user: expected it to be yours")


def _from_text(variable: str, text: str) -> Any:
    if not text.startswith("{"):
        return dict(zip(FIELDS, text.split(":", 2), strict=False))
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise AccountError(
            f"{variable} is not JSON: expected {{key, secret, passphrase}} or key:secret:passphrase"
        ) from None


def _keys(source: str, found: Any) -> Keys:
    values = [found.get(field) if isinstance(found, dict) else None for field in FIELDS]
    missing = [
        field
        for field, value in zip(FIELDS, values, strict=True)
        if not isinstance(value, str) or not value.strip() or not value.isprintable()
    ]
    if missing:
        raise AccountError(f"{source}: {', '.join(missing)} missing or not a plain text")
    key, secret, passphrase = (str(value).strip() for value in values)
    return Keys(key, secret, passphrase)
