"""The one writer of signals and commands: what waits goes out in one transaction with its keys.

A request is answered once Kafka has it. Every transaction has a number and says which writer wrote
it: after an error, what is read back says whether it is out. So a key goes out exactly once,
whatever is killed and however often it is asked again.
"""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from chandler.core.events import Event
from chandler.streams.exact import StateError
from chandler.streams.reader import ReadError
from chandler.streams.settings import Installation
from chandler.streams.writing import (
    Kept,
    LostError,
    Outbox,
    Placed,
    Record,
    ReplacedError,
    kept,
)
from services.gateway.sending.remembered import Remembered, Taken

TOPIC = "gateway.state"
REST = "@rest"
AGAIN_S = 0.5  # between two tries while Kafka is away
WAITING_MAX = 2_000  # requests; more are refused
BATCH_MAX = 500  # of them in one transaction


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """Which transaction was the last."""

    number: int = 0
    writer: str = ""


class Asked(NamedTuple):
    """An event that is to go out."""

    topic: str
    key: str
    id: str  # of the event
    event: Event
    at_ms: int
    body: str = ""  # hash of what was asked; "": nobody can ask for the same again


class Out(NamedTuple):
    """An event that is out."""

    taken: Taken
    repeated: bool  # it was out before


class FullError(Exception):
    """Too many requests wait: nothing was taken."""


class AwayError(Exception):
    """Kafka didn't take it in time. `begun`: it may still go out."""

    def __init__(self, begun: bool) -> None:
        super().__init__("Kafka has not taken it in time")
        self.begun = begun


class ReusedError(Exception):
    """The same key was used for something else."""


class _Waiting:
    """A request that isn't out yet, and who waits for it."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.begun = False
        self.waiters = 0
        self.out: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()


class Writer:
    """`run` writes; `send` returns when it is out."""

    def __init__(
        self,
        installation: Installation,
        log: logging.Logger,
        now_ms: Callable[[], int],
        acknowledged: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`acknowledged`: told how many seconds each transaction took."""
        self._installation = installation
        self._log = log
        self._now_ms = now_ms
        self._acknowledged = acknowledged
        self._outbox = Outbox(installation, "gateway")
        self._name = secrets.token_hex(8)
        self._rest = Rest()
        self._remembered = Remembered()
        self._queue: deque[_Waiting] = deque()
        self._under_way: dict[str, _Waiting] = {}  # by id, those with a body
        self._filled = asyncio.Event()
        self.ready = asyncio.Event()  # what was taken before is known

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def taken(self, id_: str) -> Taken | None:
        """What is remembered under an id."""
        return self._remembered.get(id_, self._now_ms())

    async def send(self, asked: Asked, within_s: float) -> Out:
        """Returns when it is out, now or before. FullError, AwayError, ReusedError."""
        if not self.ready.is_set():
            try:
                async with asyncio.timeout(within_s):
                    await self.ready.wait()
            except TimeoutError:
                raise AwayError(begun=False) from None
        if asked.body and (taken := self.taken(asked.id)) is not None:
            return _same(taken, asked.body)
        waiting = self._under_way.get(asked.id) if asked.body else None
        repeated = waiting is not None
        if waiting is None:
            waiting = self._put(asked)
        elif waiting.asked.body != asked.body:
            raise ReusedError
        waiting.waiters += 1
        try:
            async with asyncio.timeout(within_s):
                return Out(await asyncio.shield(waiting.out), repeated)
        except TimeoutError:
            raise AwayError(waiting.begun) from None
        finally:
            waiting.waiters -= 1
            if not waiting.waiters and not waiting.begun and not waiting.out.done():
                self._withdraw(waiting)

    async def run(self) -> None:
        """Writes until it is cancelled. ReplacedError, StateError, ReadError of the topic."""
        try:
            await self._open()
            self.ready.set()
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._queue:
                    batch = [self._queue.popleft() for _ in range(min(BATCH_MAX, self.waiting))]
                    for each in batch:
                        each.begun = True
                    await self._write(batch)
        finally:
            await self._outbox.close()

    def _put(self, asked: Asked) -> _Waiting:
        if len(self._queue) >= WAITING_MAX:
            raise FullError
        waiting = _Waiting(asked)
        self._queue.append(waiting)
        if asked.body:
            self._under_way[asked.id] = waiting
        self._filled.set()
        return waiting

    def _withdraw(self, waiting: _Waiting) -> None:
        """Nobody waits for it any more, and it has not begun: it doesn't go out."""
        self._queue.remove(waiting)
        self._under_way.pop(waiting.asked.id, None)
        waiting.out.cancel()

    async def _write(self, batch: list[_Waiting]) -> None:
        """All of the batch, however often it takes; waits while Kafka is away."""
        began = time.monotonic()
        now_ms = self._now_ms()
        after = Rest(number=self._rest.number + 1, writer=self._name)
        gone = self._remembered.forgettable(now_ms, sum(bool(each.asked.body) for each in batch))
        records = [Record(each.asked.topic, each.asked.key, each.asked.event) for each in batch]
        taken: list[Taken] = []

        def last(places: Sequence[Placed]) -> list[Record | Kept]:
            nonlocal taken
            taken = [
                _taken(each.asked, now_ms, place) for each, place in zip(batch, places, strict=True)
            ]
            keys = [
                Kept(TOPIC, each.asked.id, msgspec.json.encode(one))
                for each, one in zip(batch, taken, strict=True)
                if each.asked.body
            ]
            forgotten = [Kept(TOPIC, id_, None) for id_ in gone]
            return [*keys, *forgotten, Kept(TOPIC, REST, msgspec.json.encode(after))]

        while True:
            try:
                await self._outbox.write(records, last)
                break
            except LostError as error:
                self._log.warning("%s: it is looked up whether that is out", error)
            if await self._is_out(after):
                break
        self._rest = after
        self._remembered.forget(gone)
        for each, one in zip(batch, taken, strict=True):
            if each.asked.body:
                self._remembered.add({each.asked.id: one})
                self._under_way.pop(each.asked.id, None)
            if not each.out.done():
                each.out.set_result(one)
        self._acknowledged(time.monotonic() - began)

    async def _is_out(self, after: Rest) -> bool:
        """Whether a transaction that may or may not be out is; waits until Kafka can say.

        It looks before it opens the outbox, too: opening ends whoever has taken over meanwhile.
        """
        while True:
            try:
                _check_ours((await self._read())[0], after)
                await self._outbox.open()
                found = (await self._read())[0]
            except LostError as error:
                self._log.debug("%s", error)
                await asyncio.sleep(AGAIN_S)
                continue
            _check_ours(found, after)
            return found.number == after.number

    async def _open(self) -> None:
        said = False
        while True:
            try:
                await self._outbox.open()
                self._rest, self._remembered = await self._read()
                return
            except LostError as error:
                if not said:
                    self._log.warning("%s: tried again", error)
                    said = True
                await asyncio.sleep(AGAIN_S)

    async def _read(self) -> tuple[Rest, Remembered]:
        try:
            found = await kept(self._installation, TOPIC)
        except ReadError as error:  # Kafka is away, or hangs
            raise LostError(str(error)) from error
        raw = found.pop(REST, None)
        try:
            rest = Rest() if raw is None else msgspec.json.decode(raw, type=Rest)
            taken = {id_: msgspec.json.decode(each, type=Taken) for id_, each in found.items()}
        except msgspec.MsgspecError as error:
            raise StateError(
                f"topic {TOPIC} holds a state that this code can't read ({error}): run the code "
                "that wrote it, or delete the topic, and a day's idempotency keys are forgotten"
            ) from None
        return rest, Remembered(taken)


def _taken(asked: Asked, now_ms: int, place: Placed) -> Taken:
    return Taken(
        body=asked.body,
        taken_ms=now_ms,
        at_ms=asked.at_ms,
        topic=asked.topic,
        partition=place.partition,
        offset=place.offset,
    )


def _same(taken: Taken, body: str) -> Out:
    if taken.body != body:
        raise ReusedError
    return Out(taken, True)


def _check_ours(found: Rest, after: Rest) -> None:
    """ReplacedError where what is kept was written by somebody who came after us."""
    same = found.number == after.number and found.writer == after.writer
    if found.number >= after.number and not same:
        raise ReplacedError("gateway: another instance goes on with its state: this one ends")
