"""The desk and the watch of positions together, in the order of things: one market, one truth."""

from decimal import Decimal
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.desk.journal import recheck
from chandler.core.events import Event, Symbol
from chandler.core.positions.stage import Watching, step
from chandler.core.positions.state import SymbolPositions
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import (
    ExitRequested,
    OrderFilled,
    PositionClosed,
    PositionOpened,
    Refusal,
)
from tests.core.desk.scene import BTC, LATENCY_MS, holds, of, ready, ticker

D = Decimal
AGENTS = {
    "anna": AgentConfig(on_opposite="reverse", leverage=10, size_percent=D(20)),
    "ben": AgentConfig(trading_mode="dca", leverage=5, on_opposite="close"),
    "carl": AgentConfig(trading_mode="trailing", orders_per_symbol_day_max=1000),
}
MOVES = st.lists(
    st.tuples(st.integers(-120, 120), st.sampled_from(["", "", "", "long", "short", "flat"])),
    min_size=20,
    max_size=150,
)


class World:
    """Positions see a ticker before the desk fills at it; exits are taken when they are due."""

    def __init__(self) -> None:
        self.scene = ready(agents=AGENTS)
        agents = self.scene.desk.agents
        self.watching = Watching(
            name="positions",
            judges={n: partial(a.mode.watch, a.settings) for n, a in agents.items()},
            belongs=lambda account: True,
            latency_ms=LATENCY_MS,
            mark_every_ms=10_000,
            retry_ms=5_000,
        )
        self.positions = SymbolPositions(symbol=Symbol(BTC))
        self.told: list[Event] = []
        self.exits: list[ExitRequested] = []

    def watch(self, event: Event) -> None:
        self.positions, outputs = step(self.watching, self.positions, event)
        made = [output.event for output in outputs]
        self.told += made
        self.exits += of(made, ExitRequested)

    def hear(self, events: list[Event]) -> None:
        for event in events:
            self.watch(event)

    def due(self, before_ms: int) -> None:
        """Exits that are due before a time, in their order."""
        while ready_ := [each for each in self.exits if each.due_ms < before_ms]:
            first = min(ready_, key=lambda each: (each.due_ms, each.symbol, each.id))
            self.exits.remove(first)
            self.scene.now = first.due_ms
            self.hear(self.scene.take(first))

    def tick(self, price: Decimal, at: int) -> None:
        self.due(at)
        self.scene.now = at
        self.scene.guard()
        self.scene.tickers[BTC] = ticker(at, price)
        self.watch(self.scene.tickers[BTC])
        self.hear(self.scene.take(self.scene.tickers[BTC]))


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_both_hold_the_same_positions_whatever_the_market_does(moves):
    """And the money of the round trips is the money of the balances."""
    world, price = World(), D(100)
    at = world.scene.now
    for cents, side in moves:
        at += 500
        price = max(D(20), price + D(cents) / 50)
        world.tick(price, at)
        if side:
            world.hear(world.scene.signal(side))
        holds(world.scene)

    desk = {
        holding.id: holding.position
        for state in world.scene.states.values()
        for holding in state.holdings.values()
    }
    assert {name: each.money for name, each in world.positions.open.items()} == desk
    closed = [each.position for each in of(world.told, PositionClosed)]
    realised = [each.realised for each in closed] + [each.realised for each in desk.values()]
    fees = [each.fees for each in closed] + [each.fees for each in desk.values()]
    states = world.scene.states.values()
    assert sum(realised, D(0)) == sum((state.realised for state in states), D(0))
    assert sum(fees, D(0)) == sum((state.fees for state in states), D(0))
    assert len(of(world.told, PositionOpened)) == len(fees)
    assert list(recheck(world.scene.desk, world.scene.records)) == []


def test_a_stop_fires_closes_and_says_why():
    world = World()
    at = world.scene.now
    world.hear(world.scene.signal("long", agents=["anna"], stop=98.0))
    for price in ("100", "99", "97.9", "97.5", "97.4"):
        at += 500
        world.tick(D(price), at)

    (closed,) = of(world.told, PositionClosed)
    (entry, leaving) = world.scene.all(OrderFilled)
    assert closed.reason == "stop"
    assert (entry.price, leaving.price) == (D("100.2"), D("97.3"))
    assert world.scene.all(Refusal) == []
