"""`bench NAME`: runs benchmarks/NAME.py, or benchmarks/NAME/bench.py."""

import importlib
import os
import sys
from typing import Annotated

import typer

from services.layers import nearest, root


def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="empty: their names")] = "",
) -> int:
    """Runs a benchmark; what follows its name goes to it."""
    folder = root() / "benchmarks"
    modules = {path.stem: f"benchmarks.{path.stem}" for path in folder.glob("*.py")}
    modules |= {
        path.parent.name: f"benchmarks.{path.parent.name}.bench"
        for path in folder.glob("*/bench.py")
    }
    known = sorted(modules)
    if not name:
        typer.echo("\n".join(known) or "there are no benchmarks yet")
        return 0
    if name not in known:
        found = ", ".join(known) or "none yet"
        raise typer.BadParameter(f"{name!r} is unknown{nearest(name, known)}: expected {found}")
    os.environ.setdefault("CHANDLER_ROOT", str(root()))
    sys.argv = [f"bench {name}", *context.args]
    return int(importlib.import_module(modules[name]).main() or 0)
