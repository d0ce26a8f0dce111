"""Where an event stands in the order of things: by time, rank, symbol and id (DESIGN.md §5.10)."""

from typing import NamedTuple

from chandler.core.events import Event, Signal, event_at
from chandler.core.trading.events import ExitRequested

MARKET, TICK, PUMP, EXTERNAL, COMMAND, SIGNAL, EXIT, FILL = range(8)

# Of the events that come by each topic.
RANKS = {
    "instruments": MARKET,
    "funding": MARKET,
    "tickers": TICK,
    "pumps": PUMP,
    "signals.external": EXTERNAL,
    "commands": COMMAND,
    "signals": SIGNAL,
    "exits": EXIT,
    "orders": FILL,
}


class Place(NamedTuple):
    """A place in the order of things; places compare as they follow each other."""

    at: int  # event time, ms
    rank: int
    weight: float  # signals of one close: the stronger first; 0 for all else
    symbol: str
    id: str


START = Place(-1, -1, 0.0, "", "")


def rank_of(topic: str) -> int:
    """The rank of a topic's events; KeyError for one that has no place in the order."""
    return RANKS[topic]


def place_of(topic: str, event: Event) -> Place:
    """The place of an event that came by `topic` (its catalogue name).

    An exit's is where it is due. Orders of one symbol and agent stay as they were written: what
    merges breaks ties by offset.
    """
    at = event.due_ms if isinstance(event, ExitRequested) else event_at(event)
    weight = -event.strength if isinstance(event, Signal) and topic == "signals" else 0.0
    symbol = getattr(event, "symbol", "")
    name = getattr(event, "agent", "") if topic == "orders" else getattr(event, "id", "")
    return Place(at, rank_of(topic), weight, symbol, name)
