"""A desk shard that counts what it takes, run as a process of its own so that it can be killed.

Usage: worker.py [WINDOW_S]. CHANDLER_CHAOS_POINT says where it ends.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from chandler.core.events import DeadLetter, Event, Symbol, Ticker
from chandler.core.hashing import digest
from chandler.core.stage import Output
from chandler.core.trading.events import DeskTaken, OrderFilled, Refusal, Seen, WindowClosed
from chandler.streams.codec import encode
from chandler.streams.exact import Decided, Fold, Shard, run_desk
from chandler.streams.settings import Installation, installation
from tests.streams.exact_worker import Health


class Tally(msgspec.Struct, frozen=True):
    """How many inputs were taken, and a hash over them in their order."""

    count: int = 0
    chain: str = ""


class Counted(NamedTuple):
    states: dict[str, Tally]
    outputs: Sequence[Output]


class CountingFold:
    """Says something for every input: a refusal, or for a ticker whose price is odd a fill."""

    state_type = Tally

    def heeds(self, event: Event) -> bool:
        return True

    def take(
        self,
        states: Mapping[str, Tally],
        event: msgspec.Struct,
        seen: Seen,
        *,
        at: int,
        seq: int,
        late: bool,
    ) -> Counted:
        if isinstance(event, WindowClosed):
            return Counted({}, ())
        assert isinstance(event, Event)
        before = states.get("counter", Tally())
        after = Tally(before.count + 1, digest(before.chain, encode(event)))
        symbol = Symbol(getattr(event, "symbol", ""))
        made: Event = Refusal(
            agent="counter",
            account="counter",
            symbol=symbol,
            side="flat",
            cause=getattr(event, "id", ""),
            source=type(event).__name__,
            reason=str(after.count),
            detail=after.chain,
            seq=seq,
            at=at,
        )
        if isinstance(event, Ticker) and event.last.endswith("1"):
            made = _fill(event, after.count)
        return Counted({"counter": after}, (Output("orders", symbol or "none", made),))

    def record(
        self,
        states: Mapping[str, Tally],
        event: msgspec.Struct,
        seen: Seen,
        decided: Decided[Tally],
        *,
        at: int,
        seq: int,
        late: bool,
    ) -> DeskTaken:
        return DeskTaken(
            shard=0,
            seq=seq,
            at=at,
            kind=type(event).__name__,
            late=late,
            input=msgspec.Raw(msgspec.json.encode(event)),
            seen=seen,
            outputs=[msgspec.Raw(encode(output.event)) for output in decided.outputs],
            state=states["counter"].chain if "counter" in states else "",
            config="test",
            code="test",
        )


def _fill(ticker: Ticker, count: int) -> OrderFilled:
    return OrderFilled(
        id=str(count),
        trade="1",
        account="counter",
        agent="counter",
        symbol=ticker.symbol,
        position="p",
        leg="entry",
        action="open",
        side="long",
        price=Decimal(ticker.last),
        size=Decimal(1),
        fee=Decimal(0),
        done=True,
        leverage=1,
        source="test",
        at=ticker.at,
    )


class Told:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.windows: list[WindowClosed] = []
        self.lates: list[str] = []
        self.letters: list[DeadLetter] = []
        self.restarts: list[str] = []
        self.commits = 0

    def committed(
        self,
        takes: int,
        outputs: Sequence[Output],
        states: Mapping[str, Tally],
        seconds: float,
    ) -> None:
        self.commits += 1

    def decided(self, records: int) -> None:
        pass

    def closed(self, window: WindowClosed) -> None:
        self.windows.append(window)

    def late(self, topic: str) -> None:
        self.lates.append(topic)

    def stands(self, clock: int, newest: int) -> None:
        pass

    def dead_letter(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    def restarted(self, cause: str) -> None:
        self.restarts.append(cause)


async def run(
    where: Installation, stop: asyncio.Event, observer: Told, window_s_max: float = 30.0
) -> None:
    """Shard 0 of one, on paper."""
    fold: Fold[Tally] = CountingFold()
    await run_desk(
        fold,
        Shard(number=0, shards=1, window_s_max=window_s_max),
        installation=where,
        stop=stop,
        health=Health(),
        observer=observer,
    )


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run(installation(), stop, Told(), *map(float, sys.argv[1:]))


if __name__ == "__main__":
    logging.basicConfig(
        level=os.environ.get("LOGLEVEL", "WARNING"),
        format="%(asctime)s %(process)d %(name)s %(message)s",
    )
    asyncio.run(main())
