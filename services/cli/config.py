"""`config get|set|unset`: values, and which layer each of them comes from."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from chandler.streams.settings import Installation
from services.layers import (
    ConfigurationError,
    check_keys,
    flat,
    installation_file,
    lookup,
    merge,
    nested,
    parse_value,
    winner,
)
from services.loading import configuration
from services.runner import installed

NEXT_UP = "with the next up"  # a service reads its configuration when it starts

app = typer.Typer(no_args_is_help=True)


@app.command()
def get(
    path: Annotated[str, typer.Argument(help="a.b; empty for all")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Shows a value, or all of them, and the layer that won."""
    profile, layers = configuration(installed())
    values = msgspec.to_builtins(profile)
    found = lookup(values, path)
    if found is None and not _known(values, path):
        check_keys(nested(path, {}), "config get")
        raise ConfigurationError(f"{path} is not set and has no default")
    pairs = dict(flat(found, path)) if isinstance(found, dict) and found else {path: found}
    rows = {
        key: (value, layer.name, layer.source) if layer else (value, "default", "")
        for key, value in sorted(pairs.items())
        for layer in [winner(layers, key)]
    }
    if as_json:
        keys = ("value", "layer", "source")
        typer.echo(
            json.dumps({key: dict(zip(keys, row, strict=True)) for key, row in rows.items()})
        )
        return
    for key, (value, layer_name, source) in rows.items():
        where = f"{layer_name}: {source}" if source else layer_name
        typer.echo(f"{key} = {json.dumps(value, ensure_ascii=False)}  # {where}")


def _known(values: Any, path: str) -> bool:
    *above, last = path.split(".")
    table = lookup(values, ".".join(above))
    return isinstance(table, dict) and last in table


@app.command("set")
def set_value(
    assignment: Annotated[str, typer.Argument(metavar="A.B=VALUE", help="simulator.speed=120")],
) -> None:
    """Sets a value of this installation; it is kept in the data directory."""
    path, equals, text = assignment.partition("=")
    if not equals or not path.strip():
        raise typer.BadParameter(f"{assignment!r}: expected a.b=value")
    change = nested(path.strip(), parse_value(text.strip()))
    check_keys(change, "config set")
    _store(installed(), lambda values: merge(values, change))
    typer.echo(f"{path.strip()} = {json.dumps(parse_value(text.strip()))}  # {NEXT_UP}")


@app.command()
def unset(path: Annotated[str, typer.Argument(help="a.b")]) -> None:
    """Takes a value of this installation back, so that the profile's holds again."""
    installation = installed()
    if lookup(_stored(installation), path) is None:
        raise ConfigurationError(f"{path} is not set in {installation_file(installation)}")
    _store(installation, lambda values: _without(values, path.split(".")))
    typer.echo(f"{path} is unset  # {NEXT_UP}")


def _without(values: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    rest = {key: value for key, value in values.items() if key != keys[0]}
    if len(keys) > 1:
        inner = _without(values[keys[0]], keys[1:])
        return rest | {keys[0]: inner} if inner else rest
    return rest


def _stored(installation: Installation) -> dict[str, Any]:
    import tomllib

    file = installation_file(installation)
    try:
        return tomllib.loads(file.read_text()) if file.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file} is no TOML: {error}; repair that line") from None


def _store(installation: Installation, change: Any) -> None:
    """Writes the file only if the whole configuration still holds with it."""
    file = installation_file(installation)
    before = file.read_text() if file.is_file() else None
    values = change(_stored(installation))
    write_private(file, to_toml(values))
    try:
        configuration(installation)
    except ConfigurationError:
        if before is None:
            file.unlink()
        else:
            write_private(file, before)
        raise


def write_private(file: Path, text: str) -> None:
    """Replaces a file that only its owner may read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    fresh.replace(file)


def to_toml(values: dict[str, Any], path: str = "") -> str:
    """Nested tables of scalars and lists as TOML."""
    plain = [f"{_key(key)} = {_value(v)}" for key, v in values.items() if not isinstance(v, dict)]
    lines = ([f"[{path}]", *plain, ""] if path else [*plain, ""]) if plain else []
    text = "\n".join(lines) + ("\n" if lines else "")
    for key, value in values.items():
        if isinstance(value, dict):
            text += to_toml(value, f"{path}.{_key(key)}" if path else _key(key))
    return text


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
