"""One session of `up` under faults and kills: what the tests look at afterwards."""

import os
import random
import signal
import subprocess
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from chandler.core.granularity import HOUR_MS
from tests.simulation.system import READY_S_MAX, System, interrupt, until

SPEED = 300
SEED = 7
MISSING = 0.001  # as in FAULTS
FAULTS = "cut=20s,drop=5%,duplicate=5%,storm429=30s/5s,missing=0.1%"
FLAGS = (f"--speed={SPEED}", f"--seed={SEED}", f"--faults={FAULTS}")
STAGES = ("indicators", "signals")
SLACK_S = 120.0  # beyond what the venue's clock needs, on a busy machine


class Plan(NamedTuple):
    """How long a session is, in venue time, and what it suffers."""

    play_ms: int
    kills: int
    signals_min: int
    flags: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}


CANDLES_MIN = 20_000
# A minute at 300 x is too short for so many candles: the rest are backfilled.
SHORT = Plan(
    play_ms=4 * HOUR_MS + HOUR_MS // 2,
    kills=6,
    signals_min=100,
    settings={"CHANDLER_SET_ingest__backfill": "360"},
)
LONG = Plan(
    play_ms=25 * HOUR_MS,
    kills=20,
    signals_min=500,
    flags=("--scale=indicators=3", "--scale=signals=3"),
)


class Session(NamedTuple):
    """A session that has ended; its topics are there to be read."""

    system: System
    plan: Plan
    services: dict[str, dict[str, Any]]  # `status --json` just before the end
    killed: list[str]  # the workers, in their order
    restarts: int  # of services that were killed, as up said
    audits: dict[str, dict[str, Any]]  # made while it ran, by what was audited
    end_s: float  # from Ctrl-C to the end of `up`
    left: list[int]  # processes that were there after it


def play(system: System, plan: Plan) -> Session:
    """Runs `up`, kills workers of the stages at seeded moments, audits, and ends it."""
    with system.up(*FLAGS, *plan.flags) as process:
        began_ms = system.venue_ms()
        killed = kill_at_random(system, plan, began_ms)
        _wait_for(system, process, began_ms + plan.play_ms)
        until(system.all_ready, READY_S_MAX, "not every service is ready again")
        audits = {what: system.report("audit", what) for what in ("candles", "signals")}
        services = system.services()
        end_s = interrupt(process)
    said = (system.installation.data.parent / "said.txt").read_text()
    restarts = said.count("was ended by signal 9")
    return Session(system, plan, services, killed, restarts, audits, end_s, system.processes())


def kill_at_random(system: System, plan: Plan, began_ms: int) -> list[str]:
    """kill -9 at seeded moments of the first two thirds, each time a worker that lives."""
    chance = random.Random(SEED)
    moments = sorted(chance.uniform(0.0, plan.play_ms * 2 / 3) for _ in range(plan.kills))
    killed = []
    for moment in moments:
        until(partial(_is_past, system, began_ms + moment), SLACK_S, "the venue stands")
        until(partial(_alive, system), SLACK_S, "no stage is alive")
        alive = _alive(system)
        if alive:
            name = chance.choice(sorted(alive))
            os.kill(alive[name], signal.SIGKILL)
            killed.append(name)
    return killed


def _is_past(system: System, at_ms: float) -> bool:
    return system.venue_ms() >= at_ms


def _alive(system: System) -> dict[str, int]:
    """The stages' workers that answer: name and process."""
    return {
        name: entry["pid"]
        for name, entry in system.services().items()
        if name.startswith(STAGES) and entry["pid"]
    }


def _wait_for(system: System, process: subprocess.Popen[bytes], venue_ms: int) -> None:
    def reached() -> bool:
        assert process.poll() is None, "up has ended by itself: see said.txt"
        return system.venue_ms() >= venue_ms

    until(reached, (venue_ms - system.venue_ms()) / 1000 / SPEED + SLACK_S, "the venue stands")
