"""Where a replay goes: topics under another prefix of the same Kafka, and the mark left there.

Refuses what isn't empty and what isn't a replay's own; touches nothing without the prefix.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, for_code

from chandler.core.events import ConfigRecorded
from chandler.core.hashing import digest
from chandler.streams.admin import TopicError, create_topics, describe
from chandler.streams.catalogue import BY_NAME
from chandler.streams.clients import admin, producer, topic_name
from chandler.streams.codec import encode
from chandler.streams.lifetime import close, start
from chandler.streams.reader import ReadError, read_topics
from chandler.streams.replaying.lanes import Ready
from chandler.streams.replaying.plan import Mark, Places, Plan, ReplayError, State
from chandler.streams.settings import Installation

SERVICE = "replay"  # who wrote the mark
LINGER_MS = 5
DELETED_S_MAX = 30.0
POLL_S = 0.1
SHOWN_MAX = 3


class Target:
    """An installation with the prefix of a replay. `own`: the one that is replayed."""

    def __init__(self, own: Installation, prefix: str) -> None:
        self.installation = msgspec.structs.replace(own, topic_prefix=prefix)
        self._own = own
        self._producer: AIOKafkaProducer | None = None
        self._stack = AsyncExitStack()
        self.mark: Mark | None = None

    def check_apart(self) -> None:
        """ReplayError where a topic of this prefix would be one of the installation's own."""
        mine, own = self.installation.topic_prefix, self._own.topic_prefix
        if mine == own or not mine:
            raise ReplayError(
                f"--prefix {mine!r} is the installation's own, or none: a replay needs another "
                "one, as --prefix try"
            )
        both = {f"{mine}{name}" for name in BY_NAME} & {f"{own}{name}" for name in BY_NAME}
        if both:
            raise ReplayError(
                f"--prefix {mine!r} would make {min(both)}, which is the installation's own: take "
                "another one, as --prefix try"
            )

    async def look(self) -> Mark | None:
        """The newest mark that a replay left here; keeps it as `mark`."""
        marks = []
        async for record in read_topics(self.installation, ["configs"]):
            event = record.event
            if isinstance(event, ConfigRecorded) and event.service == SERVICE:
                marks.append(_mark(event.text, self.installation.topic_prefix))
        self.mark = max(marks, key=lambda mark: mark.number, default=None)
        return self.mark

    async def held(self) -> dict[str, int]:
        """Topics with records: catalogue name → offsets."""
        return {
            each.name: each.records for each in await describe(self.installation) if each.records
        }

    async def delete(self) -> int:
        """Deletes the catalogue's topics with this prefix; how many there were.

        ReplayError where they hold something and no replay left its mark.
        """
        self.check_apart()
        there, prefix = await describe(self.installation), self.installation.topic_prefix
        if self.mark is None and any(each.records for each in there):
            raise ReplayError(
                f"the topics of {prefix!r} are no replay's: --again deletes only what a replay "
                "made, take another --prefix"
            )
        names = [topic_name(self.installation, each.name) for each in there]
        if names:
            await self._delete(names)
        self.mark = None
        return len(names)

    async def _delete(self, names: list[str]) -> None:
        client = admin(self.installation)
        try:
            await start(client)
            answer = await client.delete_topics(names)
            for name, code in answer.topic_error_codes:
                if code:
                    raise TopicError(f"topic {name} can't be deleted: {for_code(code).__name__}")
            async with asyncio.timeout(DELETED_S_MAX):
                while True:
                    if not await describe(self.installation):
                        break
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise TopicError(
                f"topics of {self.installation.topic_prefix!r} are still there {DELETED_S_MAX:.0f} "
                "s after they were deleted: look at the brokers, and give the command again"
            ) from None
        except KafkaError as error:
            raise ReadError(f"topics can't be deleted: {error!r}") from error
        finally:
            await close(client)

    async def open(self, symbol_partitions: int, replication: int) -> None:
        """Makes what is missing of the catalogue's topics, and is ready to publish."""
        self.check_apart()
        await create_topics(self.installation, symbol_partitions, replication)
        self._producer = producer(self.installation, linger_ms=LINGER_MS)
        await self._stack.enter_async_context(self._producer)

    async def close(self) -> None:
        """Ends the producer; what was handed to it is out."""
        await self._stack.aclose()

    async def publish(self, records: Sequence[Ready]) -> None:
        """All of them, in order: they are in the topics when it returns. ReadError: Kafka is away.

        They are written now: so their retention begins now, whatever their event time is.
        """
        assert self._producer is not None, "open the target first"
        send = self._producer.send
        names = {each.topic: topic_name(self.installation, each.topic) for each in records}
        try:
            sent: list[asyncio.Future[Any]] = [
                await send(
                    names[each.topic],
                    each.value,
                    key=each.key,
                    partition=each.partition,
                    headers=list(each.headers),
                )
                for each in records
            ]
            await asyncio.gather(*sent)
        except (KafkaError, OSError) as error:
            raise ReadError(f"the replay can't be published on: {error!r}") from error

    async def leave(self, plan: Plan, state: State, reached_ms: int, places: Places) -> None:
        """Writes the mark."""
        assert self._producer is not None, "open the target first"
        number = self.mark.number + 1 if self.mark is not None else 0
        self.mark = Mark(
            replay=plan, number=number, state=state, reached_ms=reached_ms, places=places
        )
        text = msgspec.json.encode(self.mark).decode()
        event = ConfigRecorded(hash=digest(text), text=text, service=SERVICE)
        name = topic_name(self.installation, "configs")
        try:
            await self._producer.send_and_wait(name, encode(event), key=event.hash.encode())
        except (KafkaError, OSError) as error:
            raise ReadError(f"the replay can't be published on: {error!r}") from error


def _mark(text: str, prefix: str) -> Mark:
    try:
        return msgspec.json.decode(text, type=Mark)
    except msgspec.DecodeError:
        raise ReplayError(
            f"the replay under {prefix!r} was made by other code than this: take another --prefix"
        ) from None


def shown(held: dict[str, int]) -> str:
    """The first of what is held, for a message."""
    some = [f"{name} {count}" for name, count in list(held.items())[:SHOWN_MAX]]
    return ", ".join(some) + (", …" if len(held) > SHOWN_MAX else "")
