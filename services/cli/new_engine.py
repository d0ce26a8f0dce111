"""`new engine NAME`: writes a plug-in package from the template, with its test and README."""

import importlib.util
import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from chandler.core.evaluator import PluginError
from services import plugins

TEMPLATE = Path(__file__).parent / "templates" / "engine"
NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,39}")

app = typer.Typer(no_args_is_help=True)


@app.callback()
def new() -> None:
    """Writes a plug-in from a template."""


@app.command()
def engine(
    name: Annotated[str, typer.Argument(help="Lower case, such as my_dips.")],
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where to put it. Without: plugins/.")
    ] = None,
) -> None:
    """Write an engine of your own from the template, with its test."""
    place = write(name, directory or plugins.folder())
    shown = _shown(place)
    typer.echo(f"wrote {', '.join(sorted(path.name for path in place.iterdir()))} to {shown}/")
    typer.echo("next:")
    typer.echo(f"  edit {shown}/{name}.py")
    typer.echo(f"  ./chandler test {shown}")
    typer.echo(f"  ./chandler check-causal {shown}")
    if place.parent.resolve() == plugins.folder().resolve():
        typer.echo("  ./chandler up")
    else:
        typer.echo(f"  CHANDLER_PLUGINS={_shown(place.parent)} ./chandler up")


def write(name: str, directory: Path) -> Path:
    """Writes the package; returns its folder. PluginError says why it can't be."""
    if keyword.iskeyword(name):
        raise PluginError(f"{name!r} is a word of Python's own: take another name")
    if not NAME_PATTERN.fullmatch(name):
        raise PluginError(
            f"{name!r} is no name for an engine: expected lower-case letters, digits and _, "
            "beginning with a letter, such as my_dips"
        )
    known = plugins.load()
    if name in known.engines or f"{name}_dip" in known.evaluators:
        raise PluginError(f"there is an engine {name!r} already: take another name")
    if importlib.util.find_spec(name) is not None:
        raise PluginError(f"there is a Python module {name!r} already: take another name")
    place = directory / name
    if place.exists():
        raise PluginError(f"{place} exists already: take another name, or remove it")
    place.mkdir(parents=True)
    words = {"@NAME@": name, "@DASHED@": name.replace("_", "-"), "@PATH@": _shown(place)}
    for template in sorted(TEMPLATE.iterdir()):
        text = template.read_text()
        for word, value in words.items():
            text = text.replace(word, value)
        (place / template.name.removesuffix(".txt").replace("NAME", name)).write_text(text)
    return place


def _shown(path: Path) -> str:
    """As people would type it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path.resolve())
