"""Reads a stretch of one symbol's candles or indicators: of one partition, no more than needed."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from chandler.core.events import CandleSealed, Event, IndicatorRow
from chandler.core.granularity import Granularity
from chandler.streams.codec import UndecodableError, decode
from chandler.streams.lifetime import close
from chandler.streams.reader import ReadError, connected, partitions
from chandler.streams.settings import Installation

STEP_BACK = 4_000  # records, then twice as many each time
POLL_MS = 500
SILENT_POLLS_MAX = 20
_SIGN = 0x7FFFFFFF

Number = Callable[[Event], int | None]  # what a symbol's records come in the order of


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
    found = await _between(
        installation,
        f"candles.{granularity}",
        symbol,
        lambda event: event.open_ms if isinstance(event, CandleSealed) else None,
        (from_ms, until_ms),
        near_ms,
    )
    return [each for each in found if isinstance(each, CandleSealed)]


async def rows_between(
    installation: Installation,
    symbol: str,
    granularity: Granularity,
    from_ms: int,
    until_ms: int,
    *,
    near_ms: int,
) -> list[IndicatorRow]:
    """Indicator rows of closes from `from_ms` to before `until_ms`, in order; else the same."""
    found = await _between(
        installation,
        f"indicators.{granularity}",
        symbol,
        lambda event: event.close_ms if isinstance(event, IndicatorRow) else None,
        (from_ms, until_ms),
        near_ms,
    )
    return [each for each in found if isinstance(each, IndicatorRow)]


async def _between(
    installation: Installation,
    name: str,
    symbol: str,
    number: Number,
    stretch: tuple[int, int],
    near_ms: int,
) -> list[Event]:
    """The symbol's events whose numbers are in the stretch; they come in the order of them."""
    parts = (await partitions(installation, [name]))[name]
    if not parts:
        return []
    tp = parts[(murmur2(symbol.encode()) & _SIGN) % len(parts)]
    reader = await connected(installation)
    try:
        reader.assign([tp])
        begin: int = (await reader.beginning_offsets([tp]))[tp]
        end: int = (await reader.end_offsets([tp]))[tp]
        near = (await reader.offsets_for_times({tp: near_ms}))[tp]
        start, step = near.offset if near else end, STEP_BACK
        while True:
            found = await _from(reader, tp, name, start, end, symbol, number, stretch[1])
            if start <= begin or (found and found[0][0] <= stretch[0]):
                return [event for at, event in found if stretch[0] <= at < stretch[1]]
            start, step = max(begin, start - step), 2 * step
    except KafkaError as error:
        raise ReadError(f"{name} can't be read: {error!r}") from error
    finally:
        await close(reader)


async def _from(
    reader: AIOKafkaConsumer,
    tp: TopicPartition,
    name: str,
    start: int,
    end: int,
    symbol: str,
    number: Number,
    until: int,
) -> list[tuple[int, Event]]:
    """The symbol's from an offset on, with their numbers; a late one is the end."""
    found: list[tuple[int, Event]] = []
    async for event in _events(reader, tp, name, start, end, symbol.encode()):
        at = number(event)
        if at is not None:
            if at >= until:
                break
            found.append((at, event))
    return found


async def _events(
    reader: AIOKafkaConsumer, tp: TopicPartition, name: str, start: int, end: int, key: bytes
) -> AsyncIterator[Event]:
    reader.seek(tp, start)
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
