"""The venue's time as topics know it: that of a command."""

from chandler.core.events import Ticker
from chandler.core.trading.events import TickersOut
from chandler.streams.reader import read_topics
from chandler.streams.settings import Installation

TICKERS_NEWEST = 50  # offsets of each partition among which the venue's time is


async def venue_time(installation: Installation) -> int:
    """The newest event time of topic `tickers`; 0 where nothing says it."""
    newest = 0
    async for record in read_topics(installation, ["tickers"], newest=TICKERS_NEWEST):
        if isinstance(record.event, Ticker | TickersOut):
            newest = max(newest, record.event.at)
    return newest
