"""Looks at everything at once, each look in a thread that nobody waits for too long."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from chandler.streams.settings import Installation
from services.profile import Profile
from services.topology import Worker
from services.watchdog.preflight import machine, outside, ports, secrets
from services.watchdog.preflight.findings import Finding, failure, warning, well

LOOK_S_MAX = 5.0


class Look(NamedTuple):
    """One look at one thing."""

    what: str
    look: Callable[[], list[Finding]]
    # What its silence means. This machine's own things are told by the start itself, if late.
    late: Callable[[str, str, str], Finding] = warning


def look(
    installation: Installation,
    profile: Profile | None,
    workers: list[Worker],
    environ: Mapping[str, str] = os.environ,
    *,
    wait_s: float = LOOK_S_MAX,
) -> list[Finding]:
    """What stands in the way of these workers, in a fixed order, after `wait_s` at the latest.

    Without a profile only the machine and Kafka are looked at. Changes nothing.
    """
    return looked(_looks(installation, profile, workers, environ), wait_s)


def _looks(
    installation: Installation,
    profile: Profile | None,
    workers: list[Worker],
    environ: Mapping[str, str],
) -> list[Look]:
    looks = [
        Look("python", lambda: [machine.python()]),
        Look("disk", lambda: [machine.disk(installation)]),
    ]
    if installation.embedded:
        looks.append(Look("java", lambda: [machine.java(environ)]))
        looks.append(Look("kafka", lambda: [ports.kafka(installation)]))
    else:
        looks.append(Look("brokers", lambda: [outside.brokers(installation)], failure))
    if profile is None:
        return looks
    # A half of `up` starts whatever becomes of what only the other needs.
    needed = {worker.service for worker in workers}
    looks.append(Look("ports", lambda: ports.services(installation, workers)))
    looks.append(Look("profile", lambda: [_profile(installation, profile, workers)]))
    if profile.simulator is None and needed & {"ingest", "executor"}:
        looks.append(Look("venue", lambda: outside.venue(profile.venue), failure))
    if "executor" in needed:
        looks.append(Look("keys", lambda: secrets.keys(installation, profile, environ)))
    if "notifier" in needed:
        looks.append(Look("telegram", lambda: secrets.telegram(installation, profile, environ)))
    return looks


def _profile(installation: Installation, profile: Profile, workers: list[Worker]) -> Finding:
    agents = sum(agent.enabled for agent in profile.agents.values())
    engines = sum(engine.enabled for engine in profile.engines.values())
    return well(
        "profile",
        f"{installation.profile}: {profile.mode} money, {engines} engines, {agents} agents, "
        f"{len(workers)} processes",
    )


def looked(looks: list[Look], wait_s: float) -> list[Finding]:
    """The findings of all looks, in their order. A look's own exception goes through."""
    found: list[list[Finding] | BaseException | None] = [None] * len(looks)

    def one(place: int) -> None:
        try:
            found[place] = looks[place].look()
        except BaseException as error:
            found[place] = error

    # Daemons: what hangs in the kernel or in a name server must not keep `up` from ending.
    threads = [
        threading.Thread(target=one, args=(place,), name=f"look-{each.what}", daemon=True)
        for place, each in enumerate(looks)
    ]
    deadline = time.monotonic() + wait_s
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    findings: list[Finding] = []
    for each, result in zip(looks, list(found), strict=True):
        if isinstance(result, BaseException):
            raise result
        findings += result if result is not None else [_late(each, wait_s)]
    return findings


def _late(each: Look, wait_s: float) -> Finding:
    return each.late(
        each.what, f"not known after {wait_s:g} s", "see what keeps it, `./chandler preflight`"
    )
