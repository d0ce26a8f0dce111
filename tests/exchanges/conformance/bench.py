"""What a venue offers to be put through the cases: a broker, a symbol, and the passing of time.

Knows nothing of any venue.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal
from typing import Any, Protocol

import msgspec

from chandler.core.events import Instrument, Symbol
from chandler.core.hashing import digest
from chandler.core.trading.broker import Broker, Push, StreamBroken, VenueFill, VenueOrder
from chandler.core.trading.events import OrderRequested

EIGHT = Decimal("0.00000001")
LEVERAGE = 4
WAIT_S = 20.0  # for anything that a case waits for; a broker that hangs fails


class Bench(Protocol):
    """A venue under test."""

    name: str
    broker: Broker
    symbol: Symbol
    signs: bool  # whether a request is refused when it is too old
    announces: bool  # whether its stream says when it is there

    async def instrument(self) -> Instrument: ...

    async def price(self) -> Decimal:
        """The last price of the symbol."""

    async def pass_time(self) -> None:
        """Lets the venue do what is due: a ticker, a fill."""

    def wall_ms(self) -> int:
        """The venue's wall clock, which an intent is signed with."""

    def another(self) -> AbstractAsyncContextManager[Broker]:
        """A second, open broker for the same account, as after a restart."""

    async def break_things(self, faults: str) -> bool:
        """The simulator's faults from now on ("" for none); False where there are none."""


class Case:
    """One case's view of a bench: makes intents, waits for what they become."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.bench = bench
        self.broker = bench.broker
        self.symbol = bench.symbol
        self._name = name
        self._count = 0

    async def size(self, times: int = 3) -> Decimal:
        """A small size that the venue takes."""
        instrument, price = await self.bench.instrument(), await self.bench.price()
        step = Decimal(instrument.size_step)
        least = max(Decimal(instrument.size_min), Decimal(instrument.notional_min) / price)
        return (least * times / step).to_integral_value(ROUND_UP) * step

    def intent(self, size: Decimal, **changes: Any) -> OrderRequested:
        """An intent of its own, signed with the time of now."""
        self._count += 1
        values: dict[str, Any] = {
            "id": digest(self._name, str(self._count), self.bench.name)[:32],
            "shard": 0,
            "seq": self._count,
            "account": "conformance",
            "agent": "one",
            "symbol": self.symbol,
            "position": "p1",
            "leg": "entry",
            "action": "open",
            "side": "long",
            "size": size,
            "leverage": LEVERAGE,
            "price": Decimal(1),
            "cause": "a case",
            "source": "person",
            "reason": self._name,
            "at": 0,
            "ready_ms": 0,
            "sent_ms": self.bench.wall_ms(),
        }
        return OrderRequested(**(values | changes))

    def close(self, size: Decimal, side: str = "long") -> OrderRequested:
        return self.intent(size, action="close", side=side, leg="stop")

    async def filled(self, request: OrderRequested) -> list[VenueFill]:
        """Places, waits until all is filled, and gives the fills."""
        reply = await self.broker.place(request)
        assert type(reply).__name__ == "Accepted", reply
        await self.until_filled(request)
        return await self.broker.fills(request.symbol, request.id)

    async def until_filled(self, request: OrderRequested) -> VenueOrder:
        async def look() -> VenueOrder | None:
            order = await self.broker.find_by_client_oid(request.symbol, request.id)
            return order if order is not None and order.state == "filled" else None

        order: VenueOrder = await self.until(look)
        return order

    async def until(self, look: Callable[[], Awaitable[Any]]) -> Any:
        """What `look` gives as soon as it gives something."""
        async with asyncio.timeout(WAIT_S):
            while not (found := await look()):
                await self.bench.pass_time()
                await asyncio.sleep(0)
            return found

    async def flat(self) -> bool:
        return not [each for each in await self.broker.positions() if each.symbol == self.symbol]


def fee_of(fill: VenueFill, rate: str) -> Decimal:
    """The fee of a fill by the rule of core: rounded once, 8 places, half even."""
    return (fill.price * fill.size * Decimal(rate)).quantize(EIGHT, ROUND_HALF_EVEN)


@contextlib.asynccontextmanager
async def listening(bench: Bench) -> AsyncIterator[list[Push]]:
    """The pushes of the stream as they come; ready once the stream is there."""
    pushes: list[Push] = []
    there = asyncio.Event()

    async def listen() -> None:
        async for push in bench.broker.stream():
            pushes.append(push)
            if isinstance(push, StreamBroken) and push.back:
                there.set()

    task = asyncio.create_task(listen())
    await asyncio.sleep(0)  # a stream without a connection is there when it is asked for
    try:
        async with asyncio.timeout(WAIT_S):
            if bench.announces:
                await there.wait()
        yield pushes
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def fills_in(pushes: list[Push], request: OrderRequested) -> list[VenueFill]:
    return [push for push in pushes if isinstance(push, VenueFill) and push.id == request.id]


def later(request: OrderRequested, ms: int) -> OrderRequested:
    """The same intent, signed at another time."""
    return msgspec.structs.replace(request, sent_ms=request.sent_ms + ms)
