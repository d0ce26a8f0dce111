"""Reads back what is out: of a compacted topic the newest by key, of any topic its tail."""

from aiokafka.errors import KafkaError

from chandler.core.events import Event
from chandler.streams.reader import ReadError, partitions, read_topics
from chandler.streams.settings import Installation
from chandler.streams.writing.outbox import LostError


async def newest(installation: Installation, topic: str) -> dict[str, Event]:
    """By key, committed records only, up to where the topic ends now.

    The reader seeks by offset and ends by position: an empty result means that nothing was ever
    committed. LostError: it can't be read now; ReadError: it holds what this code can't read.
    """
    found: dict[str, Event] = {}
    try:
        if not (await partitions(installation, [topic])).get(topic):
            raise ReadError(f"topic {topic} is not on this cluster: run ./chandler up first")
        async for record in read_topics(installation, [topic]):
            if record.raw is None:
                found.pop(record.key, None)
            elif record.event is None:
                raise ReadError(
                    f"{topic}/{record.partition} offset {record.offset} can't be read: expected "
                    "an event of the catalogue; look at it with ./chandler tail, and move it away"
                )
            else:
                found[record.key] = record.event
    except (KafkaError, OSError, TimeoutError) as error:
        raise LostError(f"{topic} can't be read back: {error!r}") from error
    return found


async def kept(installation: Installation, topic: str) -> dict[str, bytes]:
    """The same of a topic without events: values as they were written. LostError, ReadError."""
    found: dict[str, bytes] = {}
    try:
        if not (await partitions(installation, [topic])).get(topic):
            raise ReadError(f"topic {topic} is not on this cluster: run ./chandler up first")
        async for record in read_topics(installation, [topic]):
            if record.raw is None:
                found.pop(record.key, None)
            else:
                found[record.key] = record.raw
    except (KafkaError, OSError, TimeoutError) as error:
        raise LostError(f"{topic} can't be read back: {error!r}") from error
    return found


async def tail(installation: Installation, topic: str, records: int) -> list[Event]:
    """What can be read of the last so many offsets of each partition. LostError: not now."""
    try:
        found = [each async for each in read_topics(installation, [topic], newest=records)]
    except (KafkaError, OSError, TimeoutError, ReadError) as error:
        raise LostError(f"{topic} can't be read back: {error!r}") from error
    return [each.event for each in found if each.event is not None]
