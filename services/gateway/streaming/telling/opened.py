"""What a client is shown at its beginning: positions, agents, pumps, services.

Positions are the desk's, with what was told of them since: so that what a client is shown and what
it is told afterwards fit together, whichever of the two topics is ahead.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from chandler.core.trading import events as tr
from chandler.core.trading.agents import AgentConfig
from chandler.core.trading.money import minus, plus
from services.following.views import Views
from services.gateway.streaming.telling.listening import View
from services.gateway.streaming.telling.said import encode, entry, plain, position_of
from services.showing.standing import OpenRow

ENDED_KEPT = 10_000
SYMBOLS_MAX = 5_000
PICTURE_S = 0.5  # between two looks at the desk: as many as begin meanwhile share one

Change = tr.PositionOpened | tr.PositionUpdated | tr.PositionClosed


class Opened:
    """What was told of positions and pumps."""

    def __init__(self) -> None:
        self.positions: dict[str, tr.PositionMarked] = {}
        self.ended: OrderedDict[str, None] = OrderedDict()
        self.pumps: dict[str, tr.PumpState] = {}

    def take(self, event: Change) -> None:
        id_ = event.position.id
        if isinstance(event, tr.PositionClosed):
            self.positions.pop(id_, None)
            self.ended[id_] = None
            if len(self.ended) > ENDED_KEPT:
                self.ended.popitem(last=False)
        elif id_ not in self.ended:
            self.positions[id_] = event.position

    def pump(self, state: tr.PumpState) -> None:
        if state.pump == "none":
            self.pumps.pop(state.symbol, None)
        elif state.symbol in self.pumps or len(self.pumps) < SYMBOLS_MAX:
            self.pumps[state.symbol] = state


class Picture:
    """How things stand, looked up at most every PICTURE_S."""

    def __init__(
        self,
        views: Views,
        agents: Mapping[str, AgentConfig],
        opened: Opened,
        monotonic: Callable[[], float],
    ) -> None:
        self._views = views
        self._agents = agents
        self._opened = opened
        self._monotonic = monotonic
        self._taken_s = float("-inf")
        self._rows: list[dict[str, Any]] = []
        self._positions: dict[str, dict[str, Any]] = {}

    def members(self, view: View) -> bytes:
        """What the view shows of it, as the members of a message."""
        self._look()
        shown = {
            "positions": [each for each in self._open() if view.sees(each["agent"])],
            "agents": [each for each in self._rows if view.sees(each["agent"])],
            "pumps": list(self._opened.pumps.values()),
            "infra": list(self._views.lately.infra.values()) if view.staff else [],
            "clock_ms": self._views.clock_ms(),
            "trouble": self._views.trouble("desk", "lately"),
        }
        return encode(shown)[1:-1]

    def agents(self) -> list[dict[str, Any]]:
        """All of them."""
        self._look()
        return self._rows

    def _look(self) -> None:
        if self._monotonic() - self._taken_s < PICTURE_S:
            return
        desk = self._views.desk
        self._rows = [
            {name: plain(value) for name, value in row._asdict().items()}
            for row in desk.rows(dict(self._agents))
        ]
        realised = {
            holding.id: holding.position.realised
            for state in desk.states().values()
            for holding in state.holdings.values()
        }
        self._positions = {row.id: _position(row, realised[row.id]) for row in desk.open_rows()}
        self._taken_s = self._monotonic()

    def _open(self) -> list[dict[str, Any]]:
        told = {id_: position_of(each) for id_, each in self._opened.positions.items()}
        found = {**self._positions, **told}
        return [each for id_, each in found.items() if id_ not in self._opened.ended]


def _position(row: OpenRow, realised: Any) -> dict[str, Any]:
    """As `said.position_of` has it, for one of which nothing was told since the start."""
    pnl = None
    if row.unrealised is not None:
        pnl = minus(plus(row.unrealised, realised), row.fees, row.funding)
    figures = {
        "id": row.id,
        "account": row.account,
        "agent": row.agent,
        "symbol": row.symbol,
        "side": row.side,
        "size": row.size,
        "cost": row.cost,
        "leverage": row.leverage,
        "stop": row.stop,
        "targets": row.targets,
        "adds": row.adds,
        "opened_ms": row.opened_ms,
        "source": row.source,
        "mark": row.mark,
        "peak": row.peak,
        "unrealised": row.unrealised,
        "realised": realised,
        "fees": row.fees,
        "funding": row.funding,
        "entry": entry(row.cost, row.size),
        "pnl": pnl,
    }
    return {name: plain(value) for name, value in figures.items()}
