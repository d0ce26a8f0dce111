"""`test`: runs the tests in the developer's environment."""

import os
import subprocess
import sys
from typing import Annotated, NoReturn

import typer

from services.layers import ConfigurationError, root

ALONE = "not kafka and not system"  # need nothing but a core: as many at once as there are
ON_KAFKA = "kafka and not system"  # wait more than they work: a file more than cores, each a Kafka
TOGETHER = "system"  # one after another: each takes the machine
KAFKAS_MAX = 4  # some 300 MB each


def test(
    context: typer.Context,
    long: Annotated[bool, typer.Option("--long", help="the long ones too")] = False,  # noqa: PT028
) -> NoReturn:
    """Runs the tests; what follows goes to pytest.

    All of them in three parts, whatever the part before said: what needs no Kafka on every core,
    what needs one, what runs several services. The exit status is that of the first that failed.
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
        kafkas = str(min((os.cpu_count() or 1) + 1, KAFKAS_MAX))
        parts = (
            ("-n", "auto", "-m", ALONE),
            ("-n", kafkas, "--dist", "loadfile", "-m", ON_KAFKA),
            ("-m", TOGETHER),
        )
        failed = [code for part in parts if (code := subprocess.call(_pytest(*part, *words)))]
        raise typer.Exit(failed[0] if failed else 0)
    sys.stdout.flush()
    os.execv(sys.executable, _pytest(*words))  # noqa: S606


def picks(words: list[str]) -> bool:
    """Whether these words to pytest choose some of the tests, or none."""
    chosen = ("-m", "-k", "-n", "-h", "--help", "--version", "--markers", "--fixtures")
    return any(word.startswith(chosen) or not word.startswith("-") for word in words)


def _pytest(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "pytest", *words]
