"""The recorder's way from topics into the ledger: batches, waiting, and what can't be taken."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import URL

from chandler.core.events import DeadLetter
from chandler.streams.edge import letter
from chandler.streams.reading.placed import Batch, Place, Tell, cluster_id, consume_placed
from chandler.streams.settings import Installation
from services.declaration import Connection, Context, Health
from services.ledger.address import address, shown
from services.ledger.errors import LedgerAwayError
from services.ledger.fold.fold import raw_of
from services.ledger.fold.placed import Refused
from services.ledger.tables import TOPICS
from services.ledger.writer import LedgerWriter
from services.recorder.delays import Delays

WAIT_S = 0.5  # before the first new try, then twice as long each time
WAIT_S_MAX = 5.0
SAY_AGAIN_S = 60.0

_Result = TypeVar("_Result")


class StoppedError(Exception):
    """The service was asked to end while the ledger was away: nothing was taken."""


async def record(context: Context, health: Health, on_letter: Callable[[DeadLetter], None]) -> None:
    """Takes every event into the ledger until the stop, from where the ledger says it is."""
    url = address(context.installation, context.profile.ledger.url)
    origin = await _origin(context.installation)
    waiting = Waiting(context, health, url)
    try:
        writer = await waiting.done(lambda: LedgerWriter(url, origin))
    except StoppedError:
        return
    try:
        places = await waiting.done(writer.places)
        context.log.info("the ledger is %s", shown(url))
        await consume_placed(
            context.installation,
            topics=TOPICS,
            places=places,
            take=_Taking(context, writer, waiting).take,
            stop=context.stop,
            health=health,
            on_letter=on_letter,
            on_lost=lambda place, records: _lost(context, place, records),
        )
    except StoppedError:
        return
    finally:
        writer.close()


class Waiting:
    """Tries again while the ledger is away; people are told once, and once that it is back."""

    def __init__(self, context: Context, health: Health, url: URL) -> None:
        self._context = context
        self._health = health
        self._url = url
        self._connection = Connection("ledger", context.tell)

    async def done(self, work: Callable[[], _Result]) -> _Result:
        """The result of `work`, done in a thread as often as it takes; StoppedError."""
        wait, said = WAIT_S, ""
        while True:
            try:
                result = await asyncio.to_thread(work)
            except LedgerAwayError as error:
                if not said:
                    self._context.log.error("%s", error)
                said = str(error)
                self._connection.lost(said)
                self._health.state = "waiting for the ledger"
                self._context.metrics.add("chandler_recorder_ledger_waits_total")
            else:
                if said:
                    self._context.log.info("the ledger %s is back", shown(self._url))
                    self._health.state = "ready"
                self._connection.back()
                return result
            await self._pause(wait)
            wait = min(2 * wait, WAIT_S_MAX)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._context.stop.wait()
        except TimeoutError:
            return
        raise StoppedError


class _Taking:
    """Batches into the writer; letters for what it has no place for, before the batch is in."""

    def __init__(self, context: Context, writer: LedgerWriter, waiting: Waiting) -> None:
        self._metrics = context.metrics
        self._delays = Delays(context.metrics)
        self._writer = writer
        self._waiting = waiting

    async def take(self, batch: Batch, tell: Tell) -> bool:
        """True: it is in the ledger. False: the service was asked to end, it isn't."""
        began = time.monotonic()
        told: set[tuple[str, int, int]] = set()
        writer = self._writer
        while True:
            try:
                taken = await self._waiting.done(
                    partial(writer.take, batch.records, batch.following, told)
                )
            except StoppedError:
                return False
            if not taken.untold:
                break
            await tell(_letters(taken.untold))
            told |= {(r.topic, r.partition, r.offset) for r, _, _ in taken.untold}
        self._metrics.add("chandler_recorder_ledger_rows_total", taken.rows)
        for topic, count in Counter(each.topic for each in batch.records).items():
            self._metrics.add("chandler_recorder_ledger_events_total", count, topic=topic)
        self._metrics.observe(
            "chandler_recorder_ledger_transaction_seconds", time.monotonic() - began
        )
        self._delays.took(batch.records)
        return True


def _letters(refused: Sequence[Refused]) -> list[DeadLetter]:
    return [
        letter("recorder", cause, detail, r.topic, r.partition, r.offset, raw_of(r))
        for r, cause, detail in refused
    ]


def _lost(context: Context, place: Place, records: int) -> None:
    context.log.error(
        "%s/%d: %d records have expired before the ledger took them: it goes on after them",
        *place,
        records,
    )


async def _origin(installation: Installation) -> str:
    return f"{await cluster_id(installation)}/{installation.topic_prefix}"
