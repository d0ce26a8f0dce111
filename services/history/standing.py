"""What the topics hold of the lanes that candles are to go to, compared with those candles."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from chandler.core.events import CandleMissing, CandleSealed, Symbol
from chandler.core.granularity import Granularity
from chandler.replay.history.lanes import Present
from chandler.replay.history.series import Series
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation
from services.ingest.output import Out

TELL_EVERY = 10_000  # records


class Lane(NamedTuple):
    """One symbol's candles of one granularity."""

    symbol: Symbol
    granularity: Granularity


async def standing(
    installation: Installation,
    lanes: Mapping[Lane, Series],
    out: Out,
    tell: Callable[[int], None],
) -> dict[Lane, Present]:
    """Of each lane that isn't empty what is there. `tell`: records read so far. ReadError."""
    found = {
        lane: Present(series)
        for lane, series in lanes.items()
        if lane.granularity in out.get(lane.symbol, {})
    }
    if not found:
        return {}
    topics = sorted({f"candles.{lane.granularity}" for lane in found})
    read = 0
    async for record in read_topics(installation, topics):
        event = record.event
        read += 1
        if read % TELL_EVERY == 0:
            tell(read)
        if isinstance(event, CandleSealed | CandleMissing):
            present = found.get(Lane(event.symbol, event.granularity))
            if present is not None:
                present.take(event)
    return found
