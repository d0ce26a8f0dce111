"""`chaos --zombie`: a process is frozen, replaced by another, and let go on.

The executor is frozen between the commit of an intent and its request, the others anywhere. The
second is another process of the same service in the same data directory.
"""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import typer

from chandler.core.granularity import INTERVAL_MS
from chandler.replay.audit.reckoning import Reckoning
from chandler.replay.audit.twice import TOPICS, Counting, Twice
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.cli.chaos.drill import POLL_S, READY_S_MAX, Drill, Say, kafka
from services.cli.chaos.plan import POINT_PASSES_MAX
from services.cli.chaos.verdict import reckoning, truth_of
from services.layers import ConfigurationError
from services.profile import Profile
from services.topology import Worker
from services.watchdog.supervisor import Supervisor

TARGETS = ("executor", "positions", "ingest")
FROZEN_S = (5.0, 60.0)
POINT = "stop:request.before"
POINT_S_MAX = 60.0  # until the executor has come there
TAKEN_OVER_S_MAX = 90.0  # until the second does the first one's work, on a busy machine
AWAKE_S = 8.0  # that both may live after it, and what they sent needs to arrive
RESTART_S = 4.0  # that a woken one's end leaves the second alone
NEVER_S = 3_600.0


class Freeze(NamedTuple):
    """What is frozen, and for how long at least."""

    target: str
    seconds: float


def wanted(targets: Sequence[str], seconds: Sequence[float]) -> list[Freeze]:
    """Each target for each time; ConfigurationError on one that can't be frozen."""
    for target in targets:
        if target not in TARGETS:
            raise ConfigurationError(f"--target {target}: expected one of {', '.join(TARGETS)}")
    return [Freeze(target, each) for target in targets for each in seconds]


class Woken(NamedTuple):
    """One freeze as it went."""

    target: str
    frozen_s: float  # 0: it never came to be
    taken_over: bool  # before it was let go on
    ended: bool  # it found that it was replaced, and ended


class Zombies(NamedTuple):
    """What the run came to."""

    twice: Twice
    reckoning: Reckoning
    rounds: list[Woken]
    wanted: int
    seconds: float

    @property
    def frozen(self) -> int:
        """How many were frozen, replaced and woken."""
        return sum(each.frozen_s > 0 and each.taken_over for each in self.rounds)

    @property
    def well(self) -> bool:
        """Whether nothing is there twice, none is lost, and every freeze came to be."""
        complete = 0 < self.wanted == self.frozen
        return complete and self.twice.well and self.reckoning.well


async def freeze_all(
    installation: Installation,
    profile: Profile,
    environ: dict[str, str],
    freezes: list[Freeze],
    seed: int,
) -> Zombies:
    """Freezes one after the other in a system of its own, and counts afterwards."""
    began = time.monotonic()

    def say(text: str) -> None:
        typer.echo(text, err=True)

    chance = random.Random(seed)
    async with kafka(installation, profile, say):
        drill = Drill(installation, profile, environ, say, restart_s=RESTART_S)
        rounds = []
        try:
            await drill.start()
            for freeze in freezes:
                point = f"{POINT}:{chance.randint(1, POINT_PASSES_MAX)}"
                rounds.append(await _Round(drill, environ, freeze, say).run(point))
                say(_line(rounds[-1]))
            unresolved = await drill.settle()
            found = await reckoning(installation, profile, drill, unresolved)
            accounts = sorted(n for n, each in profile.accounts.items() if each.on_simulator)
            truth = await truth_of(drill, accounts)
        finally:
            await drill.stop()
        counting = Counting(accounts)
        names = [*TOPICS, *(f"candles.{granularity}" for granularity in INTERVAL_MS)]
        async for record in read_topics(installation, names):
            if record.event is not None:
                counting.take(record.partition, record.event)
    seconds = time.monotonic() - began
    return Zombies(counting.found(truth), found, rounds, len(freezes), seconds)


class _Round:
    """One freeze."""

    def __init__(self, drill: Drill, environ: Mapping[str, str], freeze: Freeze, say: Say) -> None:
        self._drill = drill
        self._environ = environ
        self._freeze = freeze
        self._say = say
        self._first = drill.children.child(freeze.target)

    async def run(self, point: str) -> Woken:
        """Frozen, replaced, woken; then the first, or its successor, is alone again."""
        target, seconds = self._freeze
        pid = await (self._come_to(point) if target == "executor" else self._stop())
        if pid is None:
            self._say(f"{target} was not frozen within {POINT_S_MAX:g} s")
            return Woken(target, 0.0, taken_over=False, ended=False)
        began = time.monotonic()
        second = Supervisor(
            self._drill.installation,
            [Worker(target, 1)],
            self._environ,
            lambda worker, line: None,
            lambda child, text: None,
            restart_s=NEVER_S,
        )
        watching = asyncio.create_task(second.watch())
        try:
            await second.start()
            taken_over = await _taken_over(second, began + TAKEN_OVER_S_MAX)
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
            frozen_s = time.monotonic() - began
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(AWAKE_S)
            ended = self._first.pid != pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            watching.cancel()
            await second.stop()
        ready = "all services back after a freeze"
        await self._drill.until(lambda: self._drill.children.all_ready, READY_S_MAX, ready)
        return Woken(target, frozen_s, taken_over, ended)

    async def _come_to(self, point: str) -> int | None:
        """A new life of the executor, that freezes itself between commit and request."""
        drill = self._drill
        drill.armed = point
        await drill.fall()
        drill.armed = ""
        pid = self._first.pid
        return pid if pid is not None and await _frozen(pid, POINT_S_MAX) else None

    async def _stop(self) -> int | None:
        pid = self._first.pid
        if pid is None:
            return None
        os.kill(pid, signal.SIGSTOP)
        return pid if await _frozen(pid, POINT_S_MAX) else None


async def _taken_over(second: Supervisor, deadline: float) -> bool:
    """Whether the second does the work, before `deadline`; ingest does while it backfills."""
    child = second.children[0]
    while time.monotonic() < deadline:
        if child.ready or child.state.startswith("backfilling"):
            return True
        await asyncio.sleep(POLL_S)
    return False


async def _frozen(pid: int, within_s: float) -> bool:
    """Whether all of the process stands still, by its state as the kernel tells it."""
    deadline = time.monotonic() + within_s
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while time.monotonic() < deadline:
            text = Path(f"/proc/{pid}/stat").read_text()
            if text.rpartition(")")[2].split()[0] == "T":
                return True
            await asyncio.sleep(POLL_S)
    return False


def _line(woken: Woken) -> str:
    seen = "replaced" if woken.taken_over else "not replaced"
    end = "it ended" if woken.ended else "it went on"
    return f"{woken.target} frozen for {woken.frozen_s:.1f} s, {seen}, woken: {end}"


def show(zombies: Zombies, *, as_json: bool) -> None:
    """Prints what it came to."""
    twice, found = zombies.twice, zombies.reckoning
    if as_json:
        plain = (
            found._asdict()
            | twice._asdict()
            | {
                "faults": [*twice.faults, *found.faults],
                "frozen": zombies.frozen,
                "wanted": zombies.wanted,
                "rounds": [each._asdict() for each in zombies.rounds],
                "seconds": round(zombies.seconds, 1),
            }
        )
        typer.echo(msgspec.json.encode(plain).decode())
        return
    for line in (*twice.faults, *found.faults):
        typer.echo(line, err=True)
    counted = twice._asdict()
    counted.pop("faults")
    dropped, late = counted.pop("tickers_dropped"), counted.pop("positions_late")
    typer.echo(" ".join(f"{name}={count}" for name, count in counted.items()))
    typer.echo(
        f"frozen={zombies.frozen}/{zombies.wanted} intents={found.intents} orders={found.orders} "
        f"expired={found.expired} lost={found.lost} duplicated={found.duplicated} "
        f"unresolved={found.unresolved} difference={found.difference} "
        f"tickers_dropped={dropped} positions_late={late} "
        f"seconds={zombies.seconds:.0f}"
    )
