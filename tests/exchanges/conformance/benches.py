"""The venues that the cases are run on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path

from chandler.core.events import Instrument, Symbol, Ticker
from chandler.core.trading import paper
from chandler.core.trading.agents import AccountConfig
from chandler.core.trading.broker import Broker
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.bitget.pacing import Backoff
from chandler.exchanges.bitget.rest import Rest
from chandler.exchanges.bitget.trade.broker import SIMULATOR_FOLDER, BitgetBroker
from chandler.exchanges.bitget.trade.config import trade_config
from chandler.exchanges.bitget.trade.keys import load_keys
from chandler.exchanges.bitget.trade.replies import now_ms
from chandler.exchanges.bitget.trade.stream import Waits
from chandler.exchanges.paper.broker import PaperBroker
from chandler.exchanges.simulator.config import SimulatorConfig
from chandler.exchanges.simulator.server import Simulator
from tests.exchanges.conformance.bench import Bench
from tests.exchanges.simulator.venue import candles, write_csv

BENCHES = ("paper", "bitget on the simulator")
BTC = Symbol("BTCUSDT")
START_MS = 1_704_067_200_000
TICK_MS = 1_000
SPEED = 120.0
RETRY = Backoff(first_s=0.02, most_s=0.1)


class PaperBench:
    """Core's paper venue: time passes when a ticker is fed."""

    name = "paper"
    signs = True
    announces = False

    def __init__(self) -> None:
        self.symbol = BTC
        self._instrument = Instrument(
            symbol=BTC,
            price_step="0.1",
            size_step="0.0001",
            size_min="0.001",
            notional_min="5",
            maker_fee="0.0002",
            taker_fee="0.0006",
            leverage_max=150,
            status="normal",
            seen_at=START_MS,
        )
        self._paper = PaperBroker(Decimal(10_000), [self._instrument], paper.Rules(), now_ms)
        self.broker: Broker = self._paper
        self._ticks = 0
        self._tick()

    async def instrument(self) -> Instrument:
        return self._instrument

    async def price(self) -> Decimal:
        return self._last

    async def pass_time(self) -> None:
        self._tick()

    def wall_ms(self) -> int:
        return now_ms()

    @contextlib.asynccontextmanager
    async def another(self) -> AsyncIterator[Broker]:
        yield self.broker  # there is one for as long as the account lives

    async def break_things(self, faults: str) -> bool:
        return not faults

    def _tick(self) -> None:
        self._ticks += 1
        self._last = Decimal("60000.0") + Decimal(self._ticks * 37 % 101) / 10
        self._paper.feed(
            Ticker(
                symbol=BTC,
                at=START_MS + self._ticks * TICK_MS,
                last=str(self._last),
                bid=str(self._last - Decimal("0.1")),
                ask=str(self._last + Decimal("0.1")),
                mark=str(self._last),
                minute_open_ms=0,
                minute_volume=0.0,
            )
        )


class SimulatorBench:
    """The Bitget broker against the simulator: signatures, sockets and faults, over loopback."""

    name = "bitget on the simulator"
    signs = True
    announces = True

    def __init__(
        self, simulator: Simulator, make: Callable[[], BitgetBroker], broker: Broker, rest: Rest
    ) -> None:
        self.symbol = Symbol("AAAUSDT")
        self.broker = broker
        self.simulator = simulator
        self.make = make
        self._rest = rest

    async def instrument(self) -> Instrument:
        (found,) = [each for each in await self._rest.contracts() if each.symbol == self.symbol]
        return found

    async def price(self) -> Decimal:
        (found,) = [each for each in await self._rest.tickers() if each.symbol == self.symbol]
        return Decimal(found.last)

    async def pass_time(self) -> None:
        await asyncio.sleep(0.02)

    def wall_ms(self) -> int:
        return now_ms()

    @contextlib.asynccontextmanager
    async def another(self) -> AsyncIterator[Broker]:
        broker = self.make()
        await broker.open()
        try:
            yield broker
        finally:
            await broker.close()

    async def break_things(self, faults: str) -> bool:
        self.simulator.set_faults(faults, 1)
        return True


@contextlib.asynccontextmanager
async def bench_of(name: str, folder: Path) -> AsyncIterator[Bench]:
    """A fresh venue with a fresh account."""
    if name == SimulatorBench.name:
        async with simulated(folder) as bench:
            yield bench
        return
    paper_bench = PaperBench()
    yield paper_bench
    await paper_bench.broker.close()


@contextlib.asynccontextmanager
async def simulated(folder: Path) -> AsyncIterator[SimulatorBench]:
    """The simulator with made-up candles, and an open broker of its account "main"."""
    file = write_csv(folder / "candles.csv", candles("AAAUSDT", "BBBUSDT"))
    settings = SimulatorConfig(candles=str(file), symbols=2, speed=SPEED)
    async with Simulator(settings, folder, 0, accounts=("main",)) as venue:
        where = VenueConfig(rest_url=venue.rest_url, ws_url=venue.ws_url)
        config = trade_config(AccountConfig(on_simulator=True), where)
        keys = load_keys("main", folder / SIMULATOR_FOLDER, {})

        def make() -> BitgetBroker:
            return BitgetBroker(config, keys, timeout_s=1.0, waits=Waits(retry=RETRY))

        broker = make()
        await broker.open()
        try:
            async with Rest(where, rate=SPEED) as rest:
                yield SimulatorBench(venue, make, broker, rest)
        finally:
            await broker.close()
