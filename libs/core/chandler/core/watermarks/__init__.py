"""The order of things: places of events, watermarks, and the merge by them (DESIGN.md §5.10)."""

from chandler.core.watermarks.marks import CloseMarks, ShardMarks
from chandler.core.watermarks.merge import AHEAD_MS_MAX, Held, Item, Merge, Merged
from chandler.core.watermarks.places import Place, place_of, rank_of
from chandler.core.watermarks.seen import Market

__all__ = [
    "AHEAD_MS_MAX",
    "CloseMarks",
    "Held",
    "Item",
    "Market",
    "Merge",
    "Merged",
    "Place",
    "ShardMarks",
    "place_of",
    "rank_of",
]
