"""Commands that ask `up` for a service's restart: carried out once, answered once, by the half
that the service belongs to. Older ones than this `up` are nobody's.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence

from chandler.core.trading.events import Answer, Command
from chandler.streams.codec import NewerSchemaError
from chandler.streams.reader import ReadError, follow_batches
from chandler.streams.settings import Installation
from chandler.streams.writing import Record, Sender
from services.topology import Half, half_of
from services.watchdog.supervisor import RestartError, Supervisor

BY = "up"
AGAIN_S = 1.0
SEEN_MAX = 1_000  # ids that are remembered
SHOWN_MAX = 40  # characters of a name that nobody knows


class Restarts:
    """Follows topic `commands` beside a supervisor."""

    def __init__(
        self,
        installation: Installation,
        supervisor: Supervisor,
        half: Half,
        known: Sequence[str],  # services of all halves
    ) -> None:
        self._installation = installation
        self._supervisor = supervisor
        self._half = half
        self._known = known
        # CreateTime; what comes twice after a loss is known by its id. A command of this very
        # millisecond was written before.
        self._newest_ms = _now_ms() + 1
        self._seen: dict[str, None] = {}
        self._sender = Sender(installation)

    async def run(self) -> None:
        """Until it is cancelled, over losses of Kafka."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sender.run())
            tasks.create_task(self._follow())

    async def _follow(self) -> None:
        where, names = self._installation, ["commands"]
        while True:
            with contextlib.suppress(ReadError, OSError):
                try:
                    async for batch in follow_batches(where, names, self._newest_ms):
                        for record in batch:
                            self._newest_ms = max(self._newest_ms, record.timestamp_ms)
                            if isinstance(record.event, Command):
                                await self._answer(record.event)
                except NewerSchemaError:  # whoever wrote it is newer than this `up`: the next one
                    self._newest_ms = _now_ms()
            await asyncio.sleep(AGAIN_S)

    async def _answer(self, command: Command) -> None:
        answer = await self.take(command, _now_ms())
        if answer is not None:
            self._sender.send(Record("answers", command.id, answer))

    async def take(self, command: Command, now_ms: int) -> Answer | None:
        """Carries a command out; what it came to, None where that is not for us to say."""
        service = command.service.partition("-")[0]  # of a worker's name
        ours = self._half in ("both", half_of(service))
        if command.what != "restart" or not ours or command.id in self._seen:
            return None
        self._seen[command.id] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        done, detail = await self._carried_out(command, now_ms)
        return Answer(
            command=command.id,
            outcome="done" if done else "refused",
            detail=detail,
            by=BY,
            at=command.at or now_ms,
        )

    async def _carried_out(self, command: Command, now_ms: int) -> tuple[bool, str]:
        if command.expires_ms and now_ms >= command.expires_ms:
            late_s = (now_ms - command.expires_ms) / 1_000
            return False, f"restart expired {late_s:.0f} s before it was read: ask again"
        try:
            told = await self._supervisor.restart(command.service, command.who)
        except RestartError as error:
            return False, str(error)
        if not told:
            name = command.service[:SHOWN_MAX]
            return False, f"unknown service {name!r}: there are {' '.join(self._known)}"
        return True, "; ".join(told)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
