"""Stops that the venue holds, so that they work while the desk is down."""

from msgspec.structs import replace

from chandler.core.desk.live.inputs import StopGone, StopPlaced, StopRefused
from chandler.core.desk.state import AgentState
from chandler.core.desk.turn import Turn
from chandler.core.trading.money import shown


def on_stop_placed(turn: Turn, placed: StopPlaced) -> None:
    stop = placed.stop
    state = _owner(turn, placed.position, stop.symbol)
    if state is None or state.stops.get(stop.symbol) == stop:
        return
    turn.put(replace(state, stops={**state.stops, stop.symbol: stop}))
    text = f"the exchange holds a stop for {stop.symbol} at {shown(stop.trigger)}"
    turn.notice("info", state.agent, text, stop.id, "placed")


def on_stop_refused(turn: Turn, refused: StopRefused) -> None:
    state = _owner(turn, refused.position, refused.symbol)
    if state is None:
        return
    text = f"the exchange does not hold the stop for {refused.symbol}: "
    text += f"{refused.reason}; it works only while the desk is up"
    turn.notice("alarm", state.agent, text, refused.position, refused.reason)


def on_stop_gone(turn: Turn, gone: StopGone) -> None:
    for state in turn.states():
        stop = state.stops.get(gone.symbol)
        if stop is None or stop.id != gone.id:
            continue
        left = {key: each for key, each in state.stops.items() if key != gone.symbol}
        turn.put(replace(state, stops=left))
        text = f"the exchange no longer holds a stop for {gone.symbol}"
        turn.notice("info", state.agent, text, gone.id, "gone")


def _owner(turn: Turn, position: str, symbol: str) -> AgentState | None:
    for state in turn.states():
        for held, holding in state.holdings.items():
            if held == symbol and holding.id == position:
                return state
    for state in turn.states():  # it has ended meanwhile: the stop is known and can be taken back
        if any(each.request.position == position for each in state.intents.values()):
            return state
    return None
