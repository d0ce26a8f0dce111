"""Starts a stand-in under a supervisor, prints its pid when it is ready, waits to be killed."""

import asyncio
import os
import sys
from pathlib import Path

from chandler.streams.settings import installation
from services.topology import Worker, http_port
from services.watchdog.supervisor import Supervisor

CHILD = Path(__file__).with_name("child.py")


async def main() -> None:
    here = installation()

    def command(worker: Worker) -> list[str]:
        port = str(http_port(here, worker))
        return [sys.executable, "-P", str(CHILD), worker.service, port, "stubborn"]

    ready = asyncio.Event()

    async def polled() -> None:
        if supervisor.all_ready:
            ready.set()

    workers = [Worker("ingest", 0)]
    supervisor = Supervisor(
        here, workers, os.environ, lambda *_: None, lambda *_: None, command=command
    )
    await supervisor.start()
    watching = asyncio.create_task(supervisor.watch(polled))
    await ready.wait()
    print(supervisor.children[0].pid, flush=True)
    await watching


if __name__ == "__main__":
    asyncio.run(main())
