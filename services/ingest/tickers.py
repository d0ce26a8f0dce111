"""Last prices on their way to topic `tickers`: from the socket, and by REST while it is silent."""

import asyncio
import time
from collections.abc import Collection

from chandler.core.events import Symbol, Ticker
from chandler.core.granularity import MINUTE_MS, Granularity
from chandler.core.ingest.sequence import Sequence
from chandler.exchanges.bitget.errors import VenueError
from chandler.exchanges.bitget.parse import TickerPush
from chandler.exchanges.bitget.rest import Rest
from chandler.streams.writing import Record, Sender
from services.ingest.complaints import Complaints

MINUTE = Granularity("1m")
SILENT_S = 5.0  # of wall time without a ticker of any symbol; then REST is asked
ASK_EVERY_S = 3.0


class Tickers:
    """Never publishes a ticker that is older than the symbol's newest one."""

    def __init__(self, sender: Sender, complaints: Complaints) -> None:
        self._sender = sender
        self._complaints = complaints
        self._newest: dict[Symbol, int] = {}
        self._heard_at = time.monotonic()

    def take(self, push: TickerPush, sequence: Sequence | None, *, socket: bool = True) -> None:
        """Publishes a ticker."""
        if socket:
            self._heard_at = time.monotonic()
        if push.at < self._newest.get(push.symbol, 0):
            return
        self._newest[push.symbol] = push.at
        minute_ms, volume = push.at - push.at % MINUTE_MS, 0.0
        lane = sequence.lanes.get(MINUTE) if sequence is not None else None
        forming = lane.forming if lane is not None else None
        if forming is not None and forming[0] <= push.at:
            minute_ms, volume = forming[0], forming[5]
        event = Ticker(
            symbol=push.symbol,
            at=push.at,
            last=push.last,
            bid=push.bid,
            ask=push.ask,
            mark=push.mark,
            minute_open_ms=minute_ms,
            minute_volume=volume,
        )
        self._sender.send(Record("tickers", push.symbol, event))

    async def fall_back(self, rest: Rest, symbols: Collection[Symbol]) -> None:
        """Asks REST every few seconds while the socket brings nothing, until it is cancelled."""
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            if time.monotonic() - self._heard_at < SILENT_S:
                continue
            try:
                pushes = await rest.tickers()
            except VenueError as error:
                age_s = time.monotonic() - self._heard_at
                detail = f"{error}; the newest ticker came {age_s:.0f} s ago"
                self._complaints.tell("no tickers", detail, letter=False)
                continue
            for push in pushes:
                if push.symbol in symbols and push.at > self._newest.get(push.symbol, 0):
                    self.take(push, None, socket=False)
