"""A secret that a platform mounts as a file: NAME_FILE names it where NAME would hold it."""

from collections.abc import Mapping
from pathlib import Path

from services.layers import ConfigurationError

KNOWN = "demo-only"  # what every file of deploy/demo holds


def mounted(variable: str, environ: Mapping[str, str]) -> str:
    """What the file holds that `variable` names; "" if it is not set. ConfigurationError."""
    if not (named := environ.get(variable, "")):
        return ""
    try:
        text = Path(named).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or "it is no text"
        raise ConfigurationError(
            f"{variable}: {named} can't be read ({why}): expected a file with the secret in it"
        ) from None
    if not text:
        raise ConfigurationError(f"{variable}: {named} is empty: expected the secret in it")
    return text


def refuse_known(environ: Mapping[str, str]) -> None:
    """ConfigurationError where a mounted secret is the demo's: everybody knows that one."""
    for variable, named in environ.items():
        if variable.startswith("CHANDLER_") and variable.endswith("_FILE") and _holds_known(named):
            raise ConfigurationError(
                f"{variable}: {named} holds the demo's secret, which everybody knows: live trading "
                "needs secrets of its own, see docs/deploying.md"
            )


def _holds_known(named: str) -> bool:
    try:
        return Path(named).read_text().strip() == KNOWN
    except (OSError, UnicodeDecodeError):
        return False  # whoever needs it says what is wrong with it
