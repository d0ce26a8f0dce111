"""Every service's readiness, lag and age, from its own endpoint on this machine."""

import asyncio

import msgspec

from chandler.streams.settings import Installation
from chandler.streams.telemetry.health import ask_ready
from services.topology import Worker, http_port

ANSWER_S_MAX = 2.0
NOT_RUNNING = "not running"  # here: nobody answers


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What one service says of itself; one entry of `status --json`."""

    ready: bool
    state: str
    pid: int | None
    lag: int | None
    age_s: float | None
    behind_s: float = 0.0  # of wall time; more than some seconds: the machine is too slow


async def gather(installation: Installation, workers: list[Worker]) -> dict[str, ServiceStatus]:
    """Asks all of them at once."""
    ports = [http_port(installation, worker) for worker in workers]
    answers = await asyncio.gather(*(ask_ready("127.0.0.1", port, ANSWER_S_MAX) for port in ports))
    found = {}
    for worker, answer in zip(workers, answers, strict=True):
        if answer is None or answer.service != worker.service:
            found[worker.name] = ServiceStatus(
                ready=False, state=NOT_RUNNING, pid=None, lag=None, age_s=None
            )
            continue
        found[worker.name] = ServiceStatus(
            ready=answer.ready,
            state=answer.state,
            pid=answer.pid,
            lag=answer.lag,
            age_s=answer.age_s,
            behind_s=answer.behind_s,
        )
    return found
