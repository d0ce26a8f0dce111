"""Layers of configuration: read, checked key by key, merged; each value knows where it is from.

From weakest to strongest: plug-ins' defaults, the profile and what it extends, the installation
(its config.toml, CHANDLER_SET_a__b variables, the flags of `up`).
"""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from chandler.streams.settings import Installation
from services.profile import Profile

ENVIRONMENT_PREFIX = "CHANDLER_SET_"
FLAGS_VARIABLE = "CHANDLER_FLAGS_FILE"  # what `up` writes for its services
EXTENDS_MAX = 8
BOUNDS: dict[str, tuple[float, float]] = {
    "simulator.speed": (1, 3600),
    "simulator.symbols": (1, 2000),
    "simulator.ticks_per_second_max": (1, 1000),
    "ingest.top": (1, 2000),
    "ingest.symbols_per_shard": (1, 500),
    "ingest.channels_per_connection_max": (1, 1000),
    "ingest.backfill": (0, 10_000),
    "kafka.symbol_partitions": (1, 256),
    "kafka.replication": (1, 9),
    "venue.requests_per_second_max": (1, 1000),
    "venue.ticker_slack_ms": (0, 60_000),
    "gateway.requests_per_second": (0.1, 100_000),
    "gateway.address_requests_per_second": (0.1, 100_000),
    "pump.rise_percent": (0.01, 10_000),
    "pump.window_min": (1, 60),
    "pump.volume_ratio": (0, 10_000),
    "pump.usual_min": (1, 1440),
    "pump.calm_percent": (0.01, 10_000),
    "pump.cool_down_min": (0, 1440),
    "pump.heartbeat_ms": (100, 300_000),
}


class ConfigurationError(Exception):
    """The configuration can't be used: one line for people. Exit status 3."""


class Layer(NamedTuple):
    """One source of values."""

    name: str  # plug-ins, profile, installation
    source: str  # the file, variable or command that people would change
    values: dict[str, Any]


def root() -> Path:
    """The repository: where profiles/ and plugins/ are."""
    return Path(os.environ.get("CHANDLER_ROOT") or Path(__file__).resolve().parent.parent)


def installation_file(installation: Installation) -> Path:
    """Where `config set` writes."""
    return installation.data / "config.toml"


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` over `below`: tables are merged, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no TOML: {error}; repair that line") from None
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}") from None


def profile_path(name: str, installation: Installation, beside: Path | None = None) -> Path:
    """The file of a profile: a path, or a name in profiles/ of the repository or data directory."""
    if name.endswith(".toml"):
        path = Path(name) if beside is None else beside / name
        if path.is_file():
            return path
        raise ConfigurationError(f"profile {name}: there is no such file, name one that exists")
    folders = [installation.data / "profiles", root() / "profiles"]
    for folder in ([beside] if beside else []) + folders:
        if (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    known = sorted({path.stem for folder in folders for path in folder.glob("*.toml")})
    raise ConfigurationError(
        f"profile {name!r} is unknown{nearest(name, known)}: expected one of "
        f"{', '.join(known) or 'none, profiles/ is empty'}, or a path that ends in .toml"
    )


def _profile_layers(installation: Installation) -> list[Layer]:
    layers: list[Layer] = []
    name, beside = installation.profile, None
    for _ in range(EXTENDS_MAX):
        path = profile_path(name, installation, beside)
        values = _read_toml(path)
        layers.insert(0, Layer("profile", str(path), values))
        name, beside = str(values.get("extends", "")), path.parent
        if not name:
            return layers
    raise ConfigurationError(
        f"{layers[-1].source} extends more than {EXTENDS_MAX} profiles: is there a circle?"
    )


def parse_value(text: str) -> Any:
    """A TOML value (12, 1.5, true, ["a", "b"]), else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def nested(path: str, value: Any) -> dict[str, Any]:
    """{"a": {"b": value}} for a.b."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def _installation_layers(installation: Installation, environ: Mapping[str, str]) -> list[Layer]:
    layers = []
    file = installation_file(installation)
    if file.is_file():
        layers.append(Layer("installation", str(file), _read_toml(file)))
    for name in sorted(environ):
        if name.startswith(ENVIRONMENT_PREFIX):
            path = name.removeprefix(ENVIRONMENT_PREFIX).replace("__", ".")
            layers.append(Layer("installation", name, nested(path, parse_value(environ[name]))))
    flags = environ.get(FLAGS_VARIABLE, "")
    if flags:
        try:
            values = json.loads(Path(flags).read_text())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{FLAGS_VARIABLE} names {flags}: {error}") from None
        layers.append(Layer("installation", "the flags of up", values))
    return layers


def read(
    installation: Installation,
    defaults: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> list[Layer]:
    """All layers, weakest first, their keys checked. `defaults`: what the plug-ins ship."""
    layers = [Layer("plug-ins", "plug-ins' defaults", dict(defaults or {}))]
    layers += _profile_layers(installation) + _installation_layers(installation, environ)
    for layer in layers:
        check_keys(layer.values, layer.source)
    return layers


def values_of(layers: list[Layer]) -> dict[str, Any]:
    """All layers merged."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer.values)
    return merged


def check_keys(values: Mapping[str, Any], source: str) -> None:
    """ConfigurationError for the first key that Profile hasn't, with the nearest it has."""
    _check(values, Profile, "", source)


def _check(values: Any, kind: Any, path: str, source: str) -> None:
    info = msgspec.inspect.type_info(kind)
    if not isinstance(values, Mapping):
        return  # a wrong type: the conversion says so
    for option in info.types if isinstance(info, msgspec.inspect.UnionType) else (info,):
        if isinstance(option, msgspec.inspect.StructType):
            fields = {field.encode_name: field.type for field in option.fields}
            for key, value in values.items():
                where = f"{path}.{key}" if path else key
                if key not in fields:
                    near = nearest(key, list(fields), path)
                    raise ConfigurationError(
                        f"{source}: unknown key {where}{near}; it is not used, correct or remove it"
                    )
                _descend(value, fields[key], where, source)
        elif isinstance(option, msgspec.inspect.DictType):
            for key, value in values.items():
                _descend(value, option.value_type, f"{path}.{key}", source)


def _descend(value: Any, info: msgspec.inspect.Type, path: str, source: str) -> None:
    for option in info.types if isinstance(info, msgspec.inspect.UnionType) else (info,):
        if isinstance(option, msgspec.inspect.StructType):
            _check(value, option.cls, path, source)
        elif isinstance(option, msgspec.inspect.DictType) and isinstance(value, Mapping):
            for key, inner in value.items():
                _descend(inner, option.value_type, f"{path}.{key}", source)


def nearest(key: str, known: list[str], path: str = "") -> str:
    """The text (nearest: x) for the known key most like `key`, else nothing."""
    near = difflib.get_close_matches(key, known, 1, 0.5)
    return f" (nearest: {path + '.' if path else ''}{near[0]})" if near else ""


def winner(layers: list[Layer], path: str) -> Layer | None:
    """The strongest layer that has something at `path`."""
    for layer in layers[::-1]:
        if lookup(layer.values, path) is not None:
            return layer
    return None


def lookup(values: Any, path: str) -> Any:
    """What is at a.b in nested tables, or None."""
    for key in path.split(".") if path else []:
        if not isinstance(values, Mapping) or key not in values:
            return None
        values = values[key]
    return values


def convert(layers: list[Layer]) -> Profile:
    """The profile of all layers; ConfigurationError names the value, its file and the cure."""
    try:
        profile = msgspec.convert(values_of(layers), Profile)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        path = where.rstrip("`").replace("[...]", "")
        found = winner(layers, path)
        raise ConfigurationError(
            f"{found.source if found else 'configuration'}: {path or 'profile'}: "
            f"{what[0].lower()}{what[1:]}, correct it"
        ) from None
    for path, (low, high) in BOUNDS.items():
        number = lookup(msgspec.to_builtins(profile), path)
        if number is not None and not low <= number <= high:
            found = winner(layers, path)
            raise ConfigurationError(
                f"{found.source if found else 'defaults'}: {path} is {number}: "
                f"expected {low:g} to {high:g}"
            )
    return profile


def flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """(a.b, value) for each value in nested tables; an empty table is a value."""
    for key, value in values.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and value:
            yield from flat(value, where)
        else:
            yield where, value
