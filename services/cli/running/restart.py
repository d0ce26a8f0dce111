"""`restart`: asks the `up` that runs a service to drain it and start it anew."""

import asyncio
import time
import uuid
from typing import Annotated

import msgspec
import typer

from chandler.core.trading.events import Command
from services.cli.desk.asking import ask
from services.cli.records.reading import reading
from services.exits import FAILED, WELL
from services.layers import nearest
from services.topology import ORDER, exists

WAIT_S = 20.0
SHOWN_MAX = 40  # characters of a name that nobody knows
EXPIRES_S_MIN = 5.0  # nobody carries it out later than this after nobody waits any more


def restart(
    service: Annotated[str, typer.Argument(help="its name, or a worker's: indicators-1")],
    wait: Annotated[float, typer.Option(help="seconds for the answer", min=0.0)] = WAIT_S,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Drains a service and starts it anew, without the others."""
    _check(service)
    now_ms = time.time_ns() // 1_000_000
    asked = Command(
        id=uuid.uuid4().hex,
        who="cli",
        what="restart",
        service=service,
        expires_ms=now_ms + round(max(wait, EXPIRES_S_MIN) * 1_000),
        at=0,
    )
    with reading() as installation:
        answers = asyncio.run(ask(installation, asked, 1, wait))
    done = any(each.outcome == "done" for each in answers)
    if as_json:
        report = {"command": asked.id, "done": done, "answers": answers}
        typer.echo(msgspec.json.encode(report).decode())
        return WELL if done else FAILED
    for answer in answers:
        typer.echo(f"{answer.outcome}: {answer.detail}", err=answer.outcome != "done")
    if not answers:
        typer.echo(
            f"no answer within {wait:g} s: no `up` runs {service} here, see ./chandler status; "
            "containers are restarted by what runs them",
            err=True,
        )
    return WELL if done else FAILED


def _check(name: str) -> None:
    """A word that is no service's is a typing fault: it goes no further than to who typed it."""
    known = [service for service in ORDER if exists(service)]
    service, dash, instance = name.partition("-")
    if service not in known or (dash and not instance.isdecimal()):
        raise typer.BadParameter(
            f"unknown service {name[:SHOWN_MAX]!r}{nearest(name, known)}: expected one of "
            f"{', '.join(known)}"
        )
