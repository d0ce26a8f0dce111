"""`test`: runs the tests in the developer's environment."""

import os
import sys
from typing import Annotated

import typer

from services.layers import ConfigurationError, root


def test(
    context: typer.Context,
    long: Annotated[bool, typer.Option("--long", help="the long ones too")] = False,  # noqa: PT028
) -> int:
    """Runs the tests; what follows goes to pytest."""
    try:
        import pytest  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "pytest is not installed here: run ./chandler test, which installs it"
        ) from None
    os.chdir(root())
    sys.stdout.flush()
    words = [*(["--long"] if long else []), *context.args]
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *words])  # noqa: S606
