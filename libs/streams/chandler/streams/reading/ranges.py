"""Reads a stretch of one symbol's candles: of one partition, and no more of it than is needed."""

from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from chandler.core.events import CandleSealed, Event
from chandler.core.granularity import Granularity
from chandler.streams.closing import close
from chandler.streams.codec import UndecodableError, decode
from chandler.streams.reader import ReadError, connected, partitions
from chandler.streams.settings import Installation

STEP_BACK = 4_000  # records, then twice as many each time
POLL_MS = 500
SILENT_POLLS_MAX = 20
_SIGN = 0x7FFFFFFF


async def candles_between(
    installation: Installation,
    symbol: str,
    granularity: Granularity,
    from_ms: int,
    until_ms: int,
    *,
    near_ms: int,
) -> list[CandleSealed]:
    """Sealed candles that open from `from_ms` to before `until_ms`, in order.

    `near_ms`: a CreateTime at which such candles were written; where to begin to look. Empty: the
    topic has none of them. ReadError.
    """
    name = f"candles.{granularity}"
    parts = (await partitions(installation, [name]))[name]
    if not parts:
        return []
    tp = parts[(murmur2(symbol.encode()) & _SIGN) % len(parts)]
    reader = await connected(installation)
    try:
        reader.assign([tp])
        begin: int = (await reader.beginning_offsets([tp]))[tp]
        end: int = (await reader.end_offsets([tp]))[tp]
        found = (await reader.offsets_for_times({tp: near_ms}))[tp]
        start, step = found.offset if found else end, STEP_BACK
        while True:
            candles = await _from(reader, tp, start, end, symbol, until_ms)
            if start <= begin or (candles and candles[0].open_ms <= from_ms):
                return [each for each in candles if from_ms <= each.open_ms < until_ms]
            start, step = max(begin, start - step), 2 * step
    except KafkaError as error:
        raise ReadError(f"{name} can't be read: {error!r}") from error
    finally:
        await close(reader)


async def _from(
    reader: AIOKafkaConsumer, tp: TopicPartition, start: int, end: int, symbol: str, until_ms: int
) -> list[CandleSealed]:
    """The symbol's candles from an offset on; a symbol's are in order, so a late one is the end."""
    candles: list[CandleSealed] = []
    async for event in _events(reader, tp, start, end, symbol.encode()):
        if isinstance(event, CandleSealed):
            if event.open_ms >= until_ms:
                break
            candles.append(event)
    return candles


async def _events(
    reader: AIOKafkaConsumer, tp: TopicPartition, start: int, end: int, key: bytes
) -> AsyncIterator[Event]:
    reader.seek(tp, start)
    name = f"candles.{tp.topic.rpartition('.')[2]}"
    silent = 0
    while await reader.position(tp) < end:
        batches: dict[Any, list[Any]] = await reader.getmany(tp, timeout_ms=POLL_MS)
        for record in batches.get(tp, []):
            if record.offset < end and record.key == key:
                try:
                    yield decode(name, record.value)
                except UndecodableError:
                    continue
        silent = 0 if batches else silent + 1
        if silent > SILENT_POLLS_MAX:
            raise ReadError(f"{tp.topic}/{tp.partition} can't be read up to its end: try again")
