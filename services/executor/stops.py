"""Stops at the venue, so that they hold while we are down: as the shard's states want them."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping

from chandler.core.desk.live.inputs import StopGone, StopPlaced, StopRefused
from chandler.core.desk.live.questions import StopWanted, stops_unwanted, stops_wanted
from chandler.core.desk.state import AgentState
from chandler.core.trading.broker import Broker, BrokerError, VenueStop
from chandler.streams.exact import Inbox

LOOK_S = 5.0  # between two looks without a reason
AGAIN_S = 10.0  # between two tries of one stop


class Stops:
    """Places what is wanted and takes back what is not, one after the other."""

    def __init__(self, inbox: Inbox, log: logging.Logger, owns: Callable[[], bool]) -> None:
        self._owns = owns
        self._inbox = inbox
        self._log = log
        self._states: Mapping[str, AgentState] = {}
        self._changed = asyncio.Event()
        self._tried: dict[str, float] = {}  # stop → monotonic

    def see(self, states: Mapping[str, AgentState]) -> None:
        """The states are these now."""
        self._states = states
        self._changed.set()

    async def run(self, broker: Broker) -> None:
        """Until it is cancelled."""
        while True:
            self._changed.clear()
            try:
                await self._tend(broker)
            except BrokerError as error:
                self._log.warning("stops at the venue can't be tended: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_S)

    async def _tend(self, broker: Broker) -> None:
        wanted = [each for each in stops_wanted(self._states) if self._is_due(each.id)]
        unwanted = [each for each in stops_unwanted(self._states) if self._is_due(each.id)]
        if not wanted and not unwanted and not self._is_due("look", LOOK_S):
            return
        there = {stop.id: stop for stop in await broker.stops()}
        if not self._owns():
            return  # another may have the shard: its stops are not ours to move
        for each in wanted:
            await self._place(broker, each, there.get(each.id))
        gone = [stop for stop in self._held() if stop.id not in there]
        for stop in unwanted:
            if stop.id in there:
                await broker.cancel_stop(stop)
                gone.append(stop)
        for stop in gone:
            self._inbox.put(StopGone(id=stop.id, symbol=stop.symbol, at=now_ms()))

    def _held(self) -> list[VenueStop]:
        """As the states know them."""
        return [stop for state in self._states.values() for stop in state.stops.values()]

    async def _place(self, broker: Broker, wanted: StopWanted, there: VenueStop | None) -> None:
        try:
            stop = there or await broker.place_stop(
                wanted.symbol, wanted.side, wanted.trigger, wanted.id
            )
        except BrokerError as error:
            refused = StopRefused(
                position=wanted.position, symbol=wanted.symbol, reason=str(error), at=now_ms()
            )
            self._inbox.put(refused)
            return
        self._inbox.put(StopPlaced(position=wanted.position, stop=stop, at=now_ms()))

    def _is_due(self, stop: str, every_s: float = AGAIN_S) -> bool:
        now = time.monotonic()
        if now - self._tried.get(stop, -every_s) < every_s:
            return False
        self._tried = {key: at for key, at in self._tried.items() if now - at < AGAIN_S}
        self._tried[stop] = now
        return True


def now_ms() -> int:
    """This machine's wall clock."""
    return time.time_ns() // 1_000_000
