"""API keys of the simulator's accounts: made once per data directory, read by whoever trades.

Each account has a file `simulator/keys/<name>.toml` with `key`, `secret` and `passphrase`, mode
0600. They open nothing but this simulator, and are apart from the keys of real accounts.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import tomllib
from pathlib import Path
from typing import NamedTuple

from chandler.exchanges.simulator.config import SimulatorError

KEYS_FOLDER = Path("simulator", "keys")
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Keys(NamedTuple):
    """A key pair and its passphrase."""

    key: str
    secret: str
    passphrase: str


def keys_file(data: Path, name: str) -> Path:
    """Where an account's keys lie."""
    return data / KEYS_FOLDER / f"{name}.toml"


def read_keys(file: Path) -> Keys:
    """The keys in a file that the simulator wrote; SimulatorError says what is wrong with it."""
    try:
        values = tomllib.loads(file.read_text())
        return Keys(*(str(values[name]) for name in Keys._fields))
    except (OSError, ValueError, KeyError) as error:
        raise SimulatorError(
            f"{file} should hold key, secret and passphrase and can't be read ({error}): "
            "delete it, and the simulator makes new ones at its next start"
        ) from None


def own_keys(data: Path | None, name: str) -> Keys:
    """The account's keys; made and written at the first time. Without `data` kept nowhere."""
    if not NAME.fullmatch(name):
        raise SimulatorError(f"account {name!r}: expected letters, digits, _ and -, at most 40")
    if data is not None and keys_file(data, name).exists():
        return read_keys(keys_file(data, name))
    keys = Keys(f"sim_{secrets.token_hex(16)}", secrets.token_hex(32), secrets.token_hex(8))
    if data is not None:
        _write(keys_file(data, name), keys)
    return keys


def signature(secret: str, text: str) -> str:
    """base64(HMAC-SHA256): bitget-api §4.1."""
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def is_signed(secret: str, given: str, *texts: str) -> bool:
    """Whether `given` is the signature of one of the texts."""
    expected = (signature(secret, text).encode() for text in texts)
    return any(hmac.compare_digest(each, given.encode()) for each in expected)


def _write(file: Path, keys: Keys) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f'{name} = "{value}"\n' for name, value in keys._asdict().items())
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(draft, file)
