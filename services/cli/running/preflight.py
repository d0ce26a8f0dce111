"""`preflight`: what stands in the way of a start, with the cure; `up` looks at the same first."""

import json
import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from chandler.streams.settings import Installation
from services.cli.desk.columns import console, table
from services.exits import one_line
from services.layers import ConfigurationError
from services.loading import configuration
from services.profile import Profile
from services.runner import installed
from services.topology import Worker, workers_of
from services.watchdog.preflight import Finding, look, status_of
from services.watchdog.preflight.findings import failure

STYLES = {"well": "green", "warning": "yellow", "failure": "bold red"}


def before_start(installation: Installation, profile: Profile, workers: list[Worker]) -> int:
    """Looks, says what isn't well; the exit status with which `up` ends, WELL where it goes on."""
    began = time.monotonic()
    findings = look(installation, profile, workers)
    took_s = time.monotonic() - began
    unwell = [each for each in findings if each.outcome != "well"]
    if installation.log_format == "json":
        _say_lines(findings if unwell else [], len(findings), took_s)
    elif unwell:
        show(findings)
    else:
        print(f"all {len(findings)} checks well in {took_s:.1f} s", flush=True)
    return status_of(findings)


def _say_lines(findings: list[Finding], count: int, took_s: float) -> None:
    """As the other lines of `up --log json`."""
    said = [{"message": each.found, **msgspec.to_builtins(each)} for each in findings]
    if not said:
        said = [{"message": f"all {count} checks well in {took_s:.1f} s", "seconds": took_s}]
    for each in said:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        print(json.dumps({"at": at, "service": "up", **each}), flush=True)


def show(findings: list[Finding]) -> None:
    """The table for people: what isn't well first."""
    listed = table(("check", ""), (), "found", "cure")
    for each in sorted(findings, key=lambda one: one.outcome):  # failure, warning, well
        style = STYLES[each.outcome]
        words = (each.what, each.outcome, each.found, each.cure)
        listed.add_row(*(Text(word, style=style if word in STYLES else "") for word in words))
    console().print(listed)
    sys.stdout.flush()


def preflight(
    profile: Annotated[str, typer.Option(help="demo, paper, or a .toml")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> int:
    """Looks at what a start needs: machine, disk, ports, brokers, venue, clock, keys, token."""
    installation = installed()
    if profile:
        installation = msgspec.structs.replace(installation, profile=profile)
    began = time.monotonic()
    try:
        found = configuration(installation).profile
    except ConfigurationError as error:
        findings = look(installation, None, [])
        findings.append(failure("profile", one_line(error), "correct that"))
    else:
        findings = look(installation, found, workers_of(found))
    took_s = time.monotonic() - began
    status = status_of(findings)
    if as_json:
        report = {"well": status == 0, "seconds": round(took_s, 3), "checks": findings}
        typer.echo(msgspec.json.encode(report).decode())
        return status
    show(findings)
    counts = {each: sum(one.outcome == each for one in findings) for each in STYLES}
    said = " ".join(f"{name}={count}" for name, count in counts.items())
    typer.echo(f"checks={len(findings)} {said} in {took_s:.1f} s")
    return status
