"""Times that people type: --from and --to of commands that look at the past."""

from datetime import UTC, datetime

import typer

MOMENT_FORM = "a time such as 2026-01-31, 2026-01-31T10:00 (UTC), or ms"


def moment(text: str, option: str) -> int | None:
    """Event time in ms of what a person typed; None for nothing."""
    if not text:
        return None
    if text.isdigit() and len(text) > len("20260131"):
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} {text}: expected {MOMENT_FORM}") from None
    found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return round(found.timestamp() * 1_000)
