"""A finding: what was looked at, how it is, and the cure where it isn't well."""

from typing import Literal

import msgspec

from services.exits import FAILED, MISCONFIGURED, NO_KAFKA, WELL

Outcome = Literal["well", "warning", "failure"]
# Exit statuses by what has failed; anything else is FAILED.
STATUSES = {
    "profile": MISCONFIGURED,
    "keys": MISCONFIGURED,
    "telegram": MISCONFIGURED,
    "java": NO_KAFKA,
    "kafka": NO_KAFKA,
    "brokers": NO_KAFKA,
}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line for people in each field; never a secret."""

    what: str  # python, java, disk, kafka, ports, profile, brokers, venue, clock, keys, telegram
    outcome: Outcome
    found: str
    cure: str = ""  # of a warning or failure


def well(what: str, found: str) -> Finding:
    return Finding(what=what, outcome="well", found=found)


def warning(what: str, found: str, cure: str) -> Finding:
    """The start goes on."""
    return Finding(what=what, outcome="warning", found=found, cure=cure)


def failure(what: str, found: str, cure: str) -> Finding:
    """Nothing is started."""
    return Finding(what=what, outcome="failure", found=found, cure=cure)


def status_of(findings: list[Finding]) -> int:
    """The exit status of the first failure; WELL where there is none."""
    for each in findings:
        if each.outcome == "failure":
            return STATUSES.get(each.what, FAILED)
    return WELL
