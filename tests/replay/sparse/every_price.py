"""The paper desk, price by price: positions and executor asked at each, nothing skipped."""

import heapq
import itertools
from functools import partial
from typing import Any

from chandler.core.desk.config import Desk
from chandler.core.desk.state import AgentState
from chandler.core.desk.step import take
from chandler.core.events import Event, Symbol, Ticker
from chandler.core.positions.stage import Watching, stage
from chandler.core.positions.state import SymbolPositions
from chandler.core.trading.events import BalanceChanged, ExitRequested
from chandler.core.watermarks.places import place_of
from chandler.replay.backtest import Past, Setting, shortest
from chandler.replay.sparse.entries import Entry
from chandler.replay.sparse.guard import guarded
from chandler.replay.sparse.market import Market


def every_price(
    setting: Setting, desk: Desk, past: Past, entries: list[Entry]
) -> tuple[list[Event], dict[str, AgentState]]:
    """Events of topic orders in their order, and the agents' last states."""
    assert past.prices is not None
    made = None
    if setting.guard is not None:
        settings, prices = setting.guard, past.prices
        made = lambda symbol: guarded(settings, shortest(past.lanes[symbol]), prices[symbol])  # noqa: E731
    market = Market(past.prices, past.instruments, past.funding, made)
    watching = Watching(
        name="positions",
        judges={
            name: partial(agent.mode.watch, agent.settings) for name, agent in desk.agents.items()
        },
        belongs=lambda _: True,
        latency_ms=desk.latency_ms,
        mark_every_ms=1_000,
        retry_ms=setting.retry_ms,
    )
    fold = stage(watching)
    positions: dict[str, SymbolPositions] = {}
    states: dict[str, AgentState] = {}
    orders: list[Event] = []
    number = itertools.count()
    queue: list[Any] = [(*entry[:5], next(number), entry.event) for entry in entries]
    for each in past.prices.values():
        for row in range(len(each.at)):
            ticker = each.tickers.ticker(row)
            queue.append((*place_of("tickers", ticker), next(number), ticker))
    heapq.heapify(queue)
    while queue:
        at, rank, _, symbol, _, _, event = heapq.heappop(queue)
        if isinstance(event, Ticker) or rank == 7:
            state = positions.get(symbol) or fold.start(symbol)
            positions[symbol], outputs = fold.step(state, event)
            for output in outputs:
                if isinstance(output.event, ExitRequested):
                    place = place_of("exits", output.event)
                    heapq.heappush(queue, (*place, next(number), output.event))
        if rank == 7:
            continue
        ticks = isinstance(event, Ticker)
        seen = market.met(event) if ticks else market.seen(Symbol(symbol), at, guarded=True)
        taken = take(desk, states, event, seen, at=at, seq=0)
        states.update(taken.states)
        for output in taken.outputs:
            if output.topic == "orders":
                orders.append(output.event)
                if not isinstance(output.event, BalanceChanged):
                    agent = getattr(output.event, "agent", "")
                    heapq.heappush(queue, (at, 7, 0.0, symbol, agent, next(number), output.event))
    return orders, states
