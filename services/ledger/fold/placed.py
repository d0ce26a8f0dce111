"""An event that is to become rows, and why one cannot."""

from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import msgspec

from chandler.core.events import Event

DIGITS_MAX = 40  # of an amount, before and after the point: a notional has those of two factors
INTEGER_MAX = 2**63 - 1
COUNT_MAX = 2**31 - 1  # of shards and leverages
_COUNTS = ("leverage", "shard", "adds")
TIME_MAX_MS = 253_402_300_799_999  # the last day that has a name


class Placed(Protocol):
    """An event with its place in its topic."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def written_ms(self) -> int: ...
    @property
    def event(self) -> Event: ...
    @property
    def raw(self) -> bytes: ...


class Refused(NamedTuple):
    """An event that has no place in the ledger: a dead letter."""

    record: Placed
    cause: str  # short, stable
    detail: str  # one line


def place(record: Placed) -> dict[str, Any]:
    """The columns that say where the event stands."""
    return {
        "kafka_partition": record.partition,
        "kafka_offset": record.offset,
        "written_ms": record.written_ms,
    }


def impossible(event: Event) -> str:
    """Why no database can hold the event; empty where one can."""
    return _fault("", event)


def _fault(name: str, value: Any) -> str:
    if value is None:
        return ""
    kind = type(value)
    if kind is str:
        return f"{name} holds a NUL character" if "\x00" in value else ""
    if kind is int:
        return _integer_fault(name, value)
    if kind is Decimal:
        return _decimal_fault(name, value)
    if issubclass(kind, msgspec.Struct):
        inner = [(field, getattr(value, field)) for field in value.__struct_fields__]
    elif kind is dict:
        inner = [(name, each) for pair in value.items() for each in pair]
    elif kind is list or kind is tuple:
        inner = [(name, each) for each in value]
    else:
        return ""
    return next((fault for each in inner if (fault := _fault(*each))), "")


def _integer_fault(name: str, value: int) -> str:
    least, most = -INTEGER_MAX, INTEGER_MAX
    if name == "at":
        least, most = 0, TIME_MAX_MS
    elif name in _COUNTS:
        most = COUNT_MAX
    return "" if least <= value <= most else f"{name} is {value}, out of range"


def _decimal_fault(name: str, value: Decimal) -> str:
    if not value.is_finite():
        return f"{name} is {value}, no amount"
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent < -DIGITS_MAX or (value and value.adjusted() >= DIGITS_MAX):
        return f"{name} has more than {DIGITS_MAX} digits on a side of the point"
    return ""
