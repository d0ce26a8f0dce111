"""Positions and the desk's fold, one against the other: in any market their books agree."""

import heapq
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from chandler.core.desk.config import resolve
from chandler.core.desk.state import AgentState
from chandler.core.desk.step import take
from chandler.core.events import Instrument, Signal
from chandler.core.granularity import Granularity
from chandler.core.positions.stage import Watching, step
from chandler.core.positions.state import SymbolPositions
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.events import (
    ExitRequested,
    OrderRequested,
    PositionClosed,
    PumpState,
    Refusal,
    Seen,
)
from chandler.core.trading.money import total
from chandler.strategies import dca, fixed, trailing
from services.positions.service import judges_of
from tests.core.positions.playing import BTC, START_MS, start, ticker

D = Decimal
T = START_MS
TICK, SIGNAL, EXIT = 1, 5, 6  # ranks of the order of things

AGENTS = {
    "anna": AgentConfig(trading_mode="fixed", set={"hold_min": 2}),
    "ben": AgentConfig(trading_mode="dca", set={"step_percent": 1, "steps": 2}),
    "carl": AgentConfig(trading_mode="trailing", on_opposite="reverse", leverage=20),
    "dora": AgentConfig(trading_mode="fixed", on_opposite="close", set={"stop_percent": 0}),
}
(DESK,) = resolve(
    AGENTS,
    modes={mode.name: mode for mode in (fixed, dca, trailing)},
    engines=["trend"],
)
WATCHING = Watching(
    name="positions",
    judges=judges_of([DESK]),
    belongs=lambda account: account in AGENTS,
    latency_ms=DESK.latency_ms,
    mark_every_ms=1_000,
    retry_ms=5_000,
)
COIN = Instrument(
    symbol=BTC,
    price_step="0.01",
    size_step="0.001",
    size_min="0.001",
    notional_min="5",
    maker_fee="0.0002",
    taker_fee="0.0006",
    leverage_max=100,
    status="normal",
    seen_at=T,
)


class Session(NamedTuple):
    """What both sides came to."""

    desk: dict[str, AgentState]
    positions: SymbolPositions
    outputs: list[Any]  # of both


def run(inputs) -> Session:
    """Plays tickers and signals in the order of things; exits come back when they are due."""
    queue = [(event.at, SIGNAL if isinstance(event, Signal) else TICK, event) for event in inputs]
    heap = [(at, rank, f"{number:04}", event) for number, (at, rank, event) in enumerate(queue)]
    heapq.heapify(heap)
    states: dict[str, AgentState] = {}
    outputs: list[Any] = []
    positions, newest = start(), None
    while heap:
        at, rank, _, event = heapq.heappop(heap)
        made: list[Any] = []
        if rank == TICK:
            newest = event
            positions, told = step(WATCHING, positions, event)
            made += [each.event for each in told]
        guard = PumpState(symbol=BTC, at=at, kind="heartbeat", pump="none")
        seen = Seen(ticker=newest, guard=guard, instrument=COIN)
        taken = take(DESK, states, event, seen, at=at, seq=len(outputs) + 1)
        states |= taken.states
        for output in taken.outputs:
            made.append(output.event)
            positions, told = step(WATCHING, positions, output.event)
            made += [each.event for each in told]
        for each in made:
            if isinstance(each, ExitRequested):
                heapq.heappush(heap, (each.due_ms, EXIT, each.id, each))
        outputs += made
    return Session(states, positions, outputs)


def signal(number, side, at):
    return Signal(
        id=f"s{number}",
        symbol=BTC,
        side=side,
        strength=0.5,
        source="trend",
        granularity=Granularity("5m"),
        close_ms=at,
        expires_ms=at + 60_000,
        reason="because",
        inputs=[],
        config="",
        code="",
    )


@settings(max_examples=60)
@given(
    moves=st.lists(st.integers(-120, 120), min_size=1, max_size=150),
    signals=st.lists(
        st.tuples(st.integers(0, 149), st.sampled_from(["long", "short", "flat"])), max_size=8
    ),
)
def test_in_any_market_desk_and_positions_have_the_same_books(moves, signals):
    price, inputs = D(100), []
    for number, cents in enumerate(moves):
        price = max(D(10), price + D(cents) / 100)
        inputs.append(ticker(T + 1_000 * number, price))
    inputs += [
        signal(number, side, T + 1_000 * place + 1)
        for number, (place, side) in enumerate(sorted(signals, key=lambda each: each[0]))
    ]

    session = run(inputs)

    closed = [each.position for each in session.outputs if isinstance(each, PositionClosed)]
    for name, state in session.desk.items():
        ours = [each for each in session.positions.open.values() if each.agent == name]
        books = [each for each in closed if each.agent == name] + [each.money for each in ours]
        assert state.realised == total(each.realised for each in books)
        assert state.fees == total(each.fees for each in books)
        holding = state.holdings.get(BTC)
        assert [each.id for each in ours] == ([] if holding is None else [holding.id])
        if holding is not None:
            assert (ours[0].money.size, ours[0].money.cost) == (
                holding.position.size,
                holding.position.cost,
            )
    exits = [each for each in session.outputs if isinstance(each, ExitRequested)]
    assert len({each.id for each in exits}) == len(exits)
    answered = {
        each.cause for each in session.outputs if isinstance(each, OrderRequested | Refusal)
    }
    assert {each.id for each in exits} <= answered


def test_each_mode_trades_and_leaves():
    prices = [100, 100, 100, 99, 98.9, 98, 97.9, 99.5, 101, 103, 105, 104.4, 104, 104, 100, 100]
    ticks = [ticker(T + 1_000 * number, price) for number, price in enumerate(prices)]

    session = run([*ticks, signal(1, "long", T + 1)])

    reasons = {
        each.position.agent: each.reason
        for each in session.outputs
        if isinstance(each, PositionClosed)
    }
    assert reasons == {
        "anna": "stop",
        "ben": "take_profit",
        "carl": "stop",
        "dora": "take_profit",
    }
