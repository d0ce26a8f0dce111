"""Events to bytes and back, strictly: a schema newer than this code is told from rubbish."""

from functools import cache
from typing import Any

import msgspec

from chandler.core.events import (
    CandleCorrected,
    CandleMissing,
    CandleSealed,
    CandlesOut,
    Event,
    IndicatorRow,
    MatrixRow,
    Ticker,
)
from chandler.core.granularity import INTERVAL_MS, Granularity
from chandler.streams.catalogue import topic

TIME_MAX_MS = 4_102_444_800_000  # 2100-01-01

_SLOTTED = (CandleSealed, CandleMissing, CandleCorrected, CandlesOut, IndicatorRow, MatrixRow)
_encoder = msgspec.json.Encoder()


class UndecodableError(Exception):
    """The bytes are no event of this topic: a dead letter."""


class NewerSchemaError(Exception):
    """The event was written by newer code than this: the service must stop, not guess."""


class _Header(msgspec.Struct):
    type: str = ""
    v: int = 0


_header = msgspec.json.Decoder(_Header)


@cache
def _decoder(topic_name: str) -> msgspec.json.Decoder[Any]:
    events = topic(topic_name).events
    union: Any = events[0]
    for event in events[1:]:
        union = union | event
    return msgspec.json.Decoder(union)


@cache
def _versions(topic_name: str) -> dict[str, int]:
    return {event.__name__: event.version for event in topic(topic_name).events}


def encode(event: Event) -> bytes:
    """JSON with sorted struct fields in declaration order: equal events give equal bytes."""
    return _encoder.encode(event)


def decode(topic_name: str, raw: bytes | None) -> Event:
    """The event in `raw`; UndecodableError or NewerSchemaError says why there is none."""
    if raw is None:
        raise UndecodableError(f"{topic_name}: a record without a value")
    try:
        event: Event = _decoder(topic_name).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _explained(topic_name, raw, error) from None
    if event.v > type(event).version:
        raise NewerSchemaError(_newer(topic_name, type(event).__name__, event.v))
    fault = ""
    if isinstance(event, _SLOTTED):
        fault = _slot_fault(topic_name, event)
    elif isinstance(event, Ticker):
        fault = _symbol_fault(event.symbol)
    if fault:
        raise UndecodableError(f"{topic_name}: {type(event).__name__}: {fault}")
    return event


@cache
def _granularity(topic_name: str) -> str:
    """The granularity that all events of the topic have; empty where they may differ."""
    last = topic_name.rpartition(".")[2]
    return last if last in INTERVAL_MS else ""


def _slot_fault(topic_name: str, event: Any) -> str:
    """Why no symbol can have the event's slot; empty where one can. Folds rest on it."""
    granularity: Granularity = event.granularity
    if granularity not in INTERVAL_MS:
        return f"unknown granularity {granularity[:20]!r}: expected one of {' '.join(INTERVAL_MS)}"
    if granularity != (_granularity(topic_name) or granularity):
        return f"its granularity is {granularity}, expected the topic's"
    start = event.close_ms if isinstance(event, IndicatorRow | MatrixRow) else event.open_ms
    if not 0 <= start <= TIME_MAX_MS or start % INTERVAL_MS[granularity]:
        return f"time {start} is off the grid: expected a multiple of {granularity} before 2100"
    return _symbol_fault(event.symbol)


def _symbol_fault(symbol: str) -> str:
    """Why it can't be one: states' keys are made of it, symbol|granularity beside @offsets."""
    is_one = symbol and symbol[0] != "@" and "|" not in symbol
    return "" if is_one else f"symbol {symbol[:40]!r} is none"


def _explained(topic_name: str, raw: bytes, error: Exception) -> Exception:
    try:
        header = _header.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UndecodableError(f"{topic_name}: not an event: {error}")
    known = _versions(topic_name)
    if header.type in known and header.v > known[header.type]:
        return NewerSchemaError(_newer(topic_name, header.type, header.v))
    return UndecodableError(f"{topic_name}: {header.type or 'no type'}: {error}")


def _newer(topic_name: str, name: str, version: int) -> str:
    known = _versions(topic_name)[name]
    return (
        f"topic {topic_name} holds {name} of schema {version}, this code knows up to {known}: "
        "update this service before it reads on"
    )
