"""What is there before anything is asked: the profile to be written, the installation, secrets."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from chandler.core.trading.broker import AccountError
from chandler.exchanges.bitget.trade.keys import FIELDS, Keys, load_keys
from chandler.streams.settings import Installation
from services.cli.setup.answers import AnswerError
from services.layers import (
    FLAGS_VARIABLE,
    ConfigurationError,
    installation_file,
    lookup,
    profile_path,
    root,
)
from services.loading import configuration
from services.profile import Profile

KEYS_VARIABLE = "CHANDLER_KEYS_"
FILE_BYTES_MAX = 64 << 10


class Standing(NamedTuple):
    """What is there. Everything that is written goes over this."""

    name: str  # of the profile to be written
    file: Path  # its file, which may not be there
    written: dict[str, Any]  # that file's values
    values: dict[str, Any]  # those that stay: all of them, none where it extends another one now
    base: str  # what it extends
    ground: Profile  # `base` alone, with this installation's values
    current: Profile  # as it is now: the profile of the file, else `ground`
    installed: dict[str, Any]  # config.toml
    strangers: list[str]  # users of a stand-in in `base`: anybody may be them

    @property
    def on_telegram(self) -> dict[str, int]:
        """The installation's own users, with their numbers there."""
        users = {name: self.current.users[name] for name in self.installed.get("users", {})}
        return {name: user.telegram_id for name, user in users.items() if user.telegram_id}


def read_toml(path: Path) -> dict[str, Any]:
    """A file's values, none where there is no file; ConfigurationError."""
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}; repair it") from None


def profiles(installation: Installation) -> list[str]:
    """Names of all profiles, the shipped ones first."""
    shipped = sorted(path.stem for path in (root() / "profiles").glob("*.toml"))
    own = sorted(path.stem for path in (installation.data / "profiles").glob("*.toml"))
    return list(dict.fromkeys(shipped + own))


def own_file(installation: Installation, name: str) -> Path:
    """Where the profile is written. AnswerError: it would hide one that is shipped."""
    if (root() / "profiles" / f"{name}.toml").exists():
        raise AnswerError(f"{name} is a shipped profile: expected another name for your own")
    return installation.data / "profiles" / f"{name}.toml"


def base_of(installation: Installation, name: str) -> str:
    """What the profile `name` extends by now, "" where it isn't there."""
    return str(read_toml(installation.data / "profiles" / f"{name}.toml").get("extends", ""))


def standing(
    installation: Installation, environ: Mapping[str, str], base: str, name: str
) -> Standing:
    """What is there for a profile `name` over `base`; ConfigurationError where it can't be used."""
    file = own_file(installation, name)
    if not base:
        raise AnswerError(f"{file} extends nothing: expected a profile below it, name another")
    path = profile_path(base, installation)
    below = str(path.resolve()) if base.endswith(".toml") else base
    ground = resolved(installation, environ, below)
    written = read_toml(file)
    values = written if written.get("extends") == below else {}
    current = resolved(installation, environ, name) if values else ground
    installed = read_toml(installation_file(installation))
    own = {*(lookup(installed, "users") or {}), *(values.get("users") or {})}
    strangers = []
    if ground.telegram.stand_in:
        strangers = [
            user for user, each in ground.users.items() if each.telegram_id and user not in own
        ]
    return Standing(name, file, written, values, below, ground, current, installed, strangers)


def resolved(installation: Installation, environ: Mapping[str, str], profile: str) -> Profile:
    """A profile with this installation's values, without the flags of an `up`."""
    kept = {name: value for name, value in environ.items() if name != FLAGS_VARIABLE}
    return configuration(msgspec.structs.replace(installation, profile=profile), kept).profile


def offered_keys(
    installation: Installation, environ: Mapping[str, str], name: str, file: Path | None
) -> Keys | None:
    """Keys that an option's file or the environment gives; AccountError, AnswerError."""
    if file is not None:
        return keys_of_file(file)
    if environ.get(KEYS_VARIABLE + name.upper().replace("-", "_"), "").strip():
        return load_keys(name, installation.data, environ)
    return None


def kept_keys(installation: Installation, name: str) -> Keys | None:
    """Those of the data directory; None where there is no file. AccountError."""
    if not keys_file(installation, name).exists():
        return None
    return load_keys(name, installation.data, {})


def keys_file(installation: Installation, name: str) -> Path:
    """Where the keys of that name are looked for."""
    return installation.data / "keys" / f"{name}.toml"


def keys_of_file(file: Path) -> Keys:
    """key, secret and passphrase of a TOML file; AccountError names the file only."""
    try:
        with file.open("rb") as opened:
            found = tomllib.loads(opened.read(FILE_BYTES_MAX).decode())
        return Keys(*(_text(found[field]) for field in FIELDS))
    except OSError as error:
        raise AccountError(f"{file} can't be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):  # its text might show a secret
        raise AccountError(f'{file}: expected key = "…", secret, passphrase') from None


def same(one: Keys | None, other: Keys) -> bool:
    """Whether they are the same three."""
    return one is not None and all(getattr(one, field) == getattr(other, field) for field in FIELDS)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError
    return value.strip()
