"""A secret that a platform mounts as a file: NAME_FILE names it where NAME would hold it."""

from collections.abc import Mapping
from pathlib import Path

from services.layers import ConfigurationError


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
