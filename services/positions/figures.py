"""What positions shows of itself: open positions, exits and unrealised PnL, from what it publishes.

Figures of this worker alone. After a restart a position is there again with its next mark.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from chandler.core.events import Event
from chandler.core.positions.state import SymbolPositions
from chandler.core.stage import Output, Stage
from chandler.core.trading.events import (
    ExitRequested,
    PositionClosed,
    PositionOpened,
    PositionUpdated,
)
from services.declaration import Metric, Metrics

FORGET_S = 60.0  # a position without a mark for that long is another worker's now

METRICS = (
    Metric(name="chandler_positions_open", kind="gauge", doc="open positions", labels=("agent",)),
    Metric(
        name="chandler_positions_unrealised",
        kind="gauge",
        doc="unrealised PnL of open positions, quote coin",
        labels=("agent",),
    ),
    Metric(
        name="chandler_positions_exits_total",
        kind="counter",
        doc="exits that were asked for",
        labels=("kind",),
    ),
    Metric(
        name="chandler_positions_closed_total",
        kind="counter",
        doc="positions that ended",
        labels=("reason",),
    ),
)


class _Shown(NamedTuple):
    agent: str
    unrealised: float
    at: float  # monotonic s


class Figures:
    """The open positions of a worker, for its metrics."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._open: dict[str, _Shown] = {}
        self._agents: set[str] = set()

    def metered(self, stage: Stage[SymbolPositions]) -> Stage[SymbolPositions]:
        """The same stage; what it publishes is counted."""

        def step(state: SymbolPositions, event: Event) -> tuple[SymbolPositions, Sequence[Output]]:
            after, outputs = stage.step(state, event)
            if outputs:
                self.tell([output.event for output in outputs])
            return after, outputs

        return msgspec.structs.replace(stage, step=step)

    def tell(self, events: Sequence[Event]) -> None:
        """Takes in what was published."""
        now = self._clock()
        for event in events:
            match event:
                case PositionOpened() | PositionUpdated():
                    position = event.position
                    self._open[position.id] = _Shown(
                        position.agent, float(position.unrealised), now
                    )
                case PositionClosed():
                    self._agents.add(event.position.agent)
                    self._open.pop(event.position.id, None)
                    self._metrics.add("chandler_positions_closed_total", reason=event.reason)
                case ExitRequested():
                    self._metrics.add("chandler_positions_exits_total", kind=event.kind)
        self._show(now)

    def _show(self, now: float) -> None:
        for position in [key for key, each in self._open.items() if now - each.at > FORGET_S]:
            del self._open[position]
        self._agents.update(each.agent for each in self._open.values())
        for agent in self._agents:
            own = [each.unrealised for each in self._open.values() if each.agent == agent]
            self._metrics.set("chandler_positions_open", len(own), agent=agent)
            self._metrics.set("chandler_positions_unrealised", sum(own), agent=agent)
