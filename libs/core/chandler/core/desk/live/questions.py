"""What the executor has to ask a venue, read from the states: nothing here changes any."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from chandler.core.desk.closing import add_look
from chandler.core.desk.commands import forced
from chandler.core.desk.config import Desk
from chandler.core.desk.eligibility import BEFORE_PLAN, first_fault
from chandler.core.desk.entries import look_of, planned
from chandler.core.desk.state import AgentState, Holding, pending
from chandler.core.desk.turn import Turn
from chandler.core.events import Signal, Symbol
from chandler.core.hashing import digest
from chandler.core.trading.broker import VALID_MS, VenueStop
from chandler.core.trading.events import (
    Command,
    Direction,
    ExitRequested,
    OrderRequested,
    Seen,
)


class WouldOrder(NamedTuple):
    """An order that would be made now, if its quote is good enough."""

    agent: str
    symbol: Symbol
    buys: bool
    size: Decimal


class StopWanted(NamedTuple):
    """A stop that the venue should hold."""

    agent: str
    position: str
    symbol: Symbol
    side: Direction
    trigger: Decimal
    id: str  # clientOid


def unresolved(states: Mapping[str, AgentState], *, wall_ms: int) -> list[OrderRequested]:
    """Orders that nobody knows the end of and that the venue can't take any more, oldest first.

    They are looked up by clientOid. `wall_ms`: the venue's wall clock now, less the doubt in it.
    """
    found = [
        each.request
        for state in states.values()
        for each in pending(state)
        if wall_ms > each.request.sent_ms + VALID_MS
    ]
    return sorted(found, key=lambda each: (each.sent_ms, each.id))


def unfilled(states: Mapping[str, AgentState]) -> list[OrderRequested]:
    """Orders that the venue filled further than we know: their fills are asked for."""
    return [
        each.request
        for state in states.values()
        for each in pending(state)
        if each.known is not None and each.filled < each.known
    ]


def stops_wanted(states: Mapping[str, AgentState]) -> list[StopWanted]:
    """Stops of open positions that the venue doesn't hold yet, or holds elsewhere."""
    wanted = []
    for name in sorted(states):
        state = states[name]
        for symbol, holding in sorted(state.holdings.items()):
            if holding.stop is None or state.paper is not None:
                continue
            stop = state.stops.get(symbol)
            id_ = _stop_id(holding)
            if stop is None or stop.id != id_:
                side = holding.position.side
                wanted.append(StopWanted(name, holding.id, symbol, side, holding.stop, id_))
    return wanted


def stops_unwanted(states: Mapping[str, AgentState]) -> list[VenueStop]:
    """Stops that the venue holds and that protect nothing any more, or at another price."""
    found = []
    for state in states.values():
        for symbol, stop in state.stops.items():
            holding = state.holdings.get(symbol)
            if holding is None or stop.id != _stop_id(holding):
                found.append(stop)
    return found


def _stop_id(holding: Holding) -> str:
    return digest("stop", holding.id, str(holding.stop))


def would_order(
    desk: Desk,
    states: Mapping[str, AgentState],
    event: Signal | ExitRequested | Command,
    seen: Seen,
    *,
    at: int | None = None,
) -> list[WouldOrder]:
    """The orders that an input may lead to, by agent: a quote of each goes into `seen.quotes`.

    Checks that come after the plan are left to `take`: one quote too many costs a request.
    """
    if desk.kind == "paper":
        return []
    turn = Turn(desk, states, seen, at=_at(event) if at is None else at, seq=0)
    notional = None
    if isinstance(event, ExitRequested):
        return _of_exit(turn, event)
    if isinstance(event, Command):
        if event.what != "force" or not event.side:
            return []
        names = [event.agent] if event.agent else list(desk.agents)
        notional = event.notional
        event = forced(turn, event, names)
    return [
        found
        for name in desk.agents
        if not event.agents or name in event.agents
        if (found := _of_signal(turn, name, event, notional)) is not None
    ]


def _at(event: Signal | ExitRequested | Command) -> int:
    return event.due_ms if isinstance(event, ExitRequested) else event.at


def _of_signal(
    turn: Turn, name: str, signal: Signal, notional: Decimal | None
) -> WouldOrder | None:
    if signal.side == "flat":
        return None
    holding = turn.state(name).holdings.get(signal.symbol)
    opposite = holding is not None and holding.position.side != signal.side
    if opposite and turn.desk.agents[name].config.on_opposite != "reverse":
        return None
    look = look_of(turn, name, signal, forced=signal.source == "person", reversing=opposite)
    if first_fault(BEFORE_PLAN, look) is not None:
        return None
    look = planned(look._replace(notional=notional))
    if look.order is None or not look.order.size:
        return None
    return WouldOrder(name, signal.symbol, look.side == "long", look.order.size)


def _of_exit(turn: Turn, exit_: ExitRequested) -> list[WouldOrder]:
    if exit_.action != "add" or exit_.agent not in turn.desk.agents:
        return []
    holding = turn.state(exit_.agent).holdings.get(exit_.symbol)
    if holding is None or holding.id != exit_.position:
        return []
    look, _ = add_look(turn, exit_, holding)
    if look.order is None or not look.order.size:
        return []
    buys = look.side == "long"
    return [WouldOrder(exit_.agent, exit_.symbol, buys, look.order.size)]
