"""Writing events to topics: all or nothing in transactions, or in passing."""

from chandler.streams.writing.outbox import (
    EVERY,
    Kept,
    LostError,
    Outbox,
    Placed,
    Record,
    ReplacedError,
)
from chandler.streams.writing.readback import kept, newest, tail
from chandler.streams.writing.sender import Sender

__all__ = [
    "EVERY",
    "Kept",
    "LostError",
    "Outbox",
    "Placed",
    "Record",
    "ReplacedError",
    "Sender",
    "kept",
    "newest",
    "tail",
]
