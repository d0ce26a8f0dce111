"""What is replayed, which records of a partition belong to it, and when each of them is due.

Knows nothing of Kafka's clients.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from chandler.core.granularity import INTERVAL_MS, Granularity
from chandler.core.watermarks.places import MARKET, RANKS

OPEN = 2**62  # the period has no end but that of the topics
WHOLE = -1  # a warm-up from the first record on
CANDLE_RANK = MARKET + 1
WITHOUT_PLACE = len(RANKS) + CANDLE_RANK + 1
STEMS = ("candles.", "indicators.")  # with a granularity behind: what a warm-up is of
LAST_OF_KEY = ("instruments", "funding")  # the newest of each key before the period is needed

State = Literal["running", "prepared", "interrupted", "complete"]
Places = dict[str, dict[int, int]]  # topic → partition → next offset
Clock = Callable[[bytes | None], int]


class ReplayError(Exception):
    """It can't be replayed as it was asked for: one line for people."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is replayed. Times are event times, ms."""

    from_ms: int
    to_ms: int  # not included; OPEN: as far as there is
    warm_up_ms: int  # before from_ms, of candles and indicator rows; WHOLE: all there is
    topics: list[str]  # catalogue names
    symbols: list[str] = []  # empty: all

    def low_ms(self, topic: str) -> int:
        """The event time from which on a topic's records belong to it."""
        if not is_series(topic):
            return self.from_ms
        return 0 if self.warm_up_ms == WHOLE else max(0, self.from_ms - self.warm_up_ms)


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay leaves in `configs` of its prefix: that it was one, and how far it came."""

    replay: Plan
    number: int  # of the mark; the greatest is the newest
    state: State
    reached_ms: int  # everything before it is out
    places: Places = {}  # what is out of each partition, where it goes on


class _Times(msgspec.Struct):
    """The fields of events that tell their time; what an event lacks is -1."""

    at: int = -1
    seen_at: int = -1
    close_ms: int = -1
    open_ms: int = -1
    granularity: str = ""


_decoder = msgspec.json.Decoder(_Times)


def event_time(raw: bytes | None) -> int:
    """Event time of a record, ms, as its event says it; -1 where it can't be told."""
    if raw is None:
        return -1
    try:
        found = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return -1
    for said in (found.at, found.seen_at, found.close_ms):
        if said >= 0:
            return said
    interval = INTERVAL_MS.get(Granularity(found.granularity))
    return -1 if found.open_ms < 0 or interval is None else found.open_ms + interval


def is_series(topic: str) -> bool:
    """Whether a topic holds one record for each slot of a granularity."""
    return topic.startswith(STEMS) and topic.rpartition(".")[2] in INTERVAL_MS


def order_of(topic: str) -> tuple[int, int]:
    """What goes first of equal event times: as the services' own order, longer candles first."""
    if is_series(topic):
        return CANDLE_RANK, -INTERVAL_MS[Granularity(topic.rpartition(".")[2])]
    rank = RANKS.get(topic, WITHOUT_PLACE)
    return (rank, 0) if rank == MARKET else (rank + CANDLE_RANK, 0)
