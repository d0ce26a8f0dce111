"""`test`: runs the tests in the developer's environment."""

import os
import subprocess
import sys
from typing import Annotated, NoReturn

import typer

from services.layers import ConfigurationError, root

ALONE = "not kafka and not system"  # need nothing but a core: as many at once as there are
TOGETHER = "kafka or system"  # one after another: each takes the machine


def test(
    context: typer.Context,
    long: Annotated[bool, typer.Option("--long", help="the long ones too")] = False,  # noqa: PT028
) -> NoReturn:
    """Runs the tests; what follows goes to pytest.

    All of them in two parts: what needs no Kafka on every core, and where that holds the rest.
    """
    try:
        import pytest  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "pytest is not installed here: run ./chandler test, which installs it"
        ) from None
    os.chdir(root())
    words = [*(["--long"] if long else []), *context.args]
    if not picks(context.args):
        status = subprocess.call(_pytest("-n", "auto", "-m", ALONE, *words))
        if status:
            raise typer.Exit(status)
        words = ["-m", TOGETHER, *words]
    sys.stdout.flush()
    os.execv(sys.executable, _pytest(*words))  # noqa: S606


def picks(words: list[str]) -> bool:
    """Whether these words to pytest choose some of the tests, or none."""
    chosen = ("-m", "-k", "-n", "-h", "--help", "--version", "--markers", "--fixtures")
    return any(word.startswith(chosen) or not word.startswith("-") for word in words)


def _pytest(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "pytest", *words]
