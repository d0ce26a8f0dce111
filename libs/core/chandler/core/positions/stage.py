"""positions: fills and tickers become open positions, marked at each tick, and exits.

One state per symbol, with the open positions of all agents of one variant. The fold is the same for
both; what differs is the order in which it gets its events:

- `positions` (paper money): by watermark, so that a ticker comes after every fill of an earlier
  time and before every fill of its own. Every exit is then exact: it is judged on each ticker after
  the fill's `at`, with all fills that were made until then, whatever the arrival was.
- `positions_live`: by arrival. A fill may come after tickers that are newer than it. Those are kept
  (TICKS_MAX of them while an order is pending, TICKS_IDLE else) and judged again after the fill.
  Exact are then: size, cost, realised PnL, fees and funding, always, for a sum has no order; peak,
  stop and what the first fill's position fires, as long as the kept ticks reach back to the fill
  (the same exits, with the same ids, prices and times, as if the fill had come in time). Not exact:
  a later fill, of an add or a part, finds ticks that were judged with the size and cost before it.
  What fired then has been asked for and stays so; what should have fired fires in the second
  judgement. A rule that reads neither size nor cost (a stop, a target) is exact there too.

A ticker that isn't newer than the newest decides nothing. Knows nothing of Kafka.
"""

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

import msgspec
from msgspec.structs import replace

from chandler.core.events import DeadLetter, Event, Symbol, Ticker
from chandler.core.positions import legs
from chandler.core.positions.rules import Rules, judge
from chandler.core.positions.state import (
    CLOSED_MAX,
    Open,
    SymbolPositions,
    Tick,
    figures,
    grown,
    held,
    marked,
    opened,
)
from chandler.core.stage import Output, Stage
from chandler.core.trading import events as tr
from chandler.core.trading.modes import Fired, Held, Prices, prices_of
from chandler.core.trading.position import Position, filled, funded

TICKS_MAX = 1_200  # kept while the end of an order is awaited
TICKS_IDLE = 16  # kept otherwise

Judge = Callable[[Held, Prices], tuple[Held, Fired | None]]
State = SymbolPositions
Outputs = list[Output]
V = TypeVar("V")


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """How positions are watched. Times are event time."""

    name: str  # of the stage: positions, positions_live
    judges: Mapping[str, Judge]  # agent → its trading mode's watch with its settings
    belongs: Callable[[str], bool]  # whether an account is of this variant
    latency_ms: int  # from the tick that fires an exit to when the desk takes it
    mark_every_ms: int  # between two PositionUpdated that only mark
    retry_ms: int  # a request without an order may fire again after it
    by_arrival: bool = False


def stage(watching: Watching) -> Stage[State]:
    """The stage of one variant."""
    return Stage(
        name=watching.name,
        state_type=SymbolPositions,
        key=lambda event: getattr(event, "symbol", ""),
        start=lambda symbol: SymbolPositions(symbol=Symbol(symbol)),
        step=lambda state, event: step(watching, state, event),
    )


def step(watching: Watching, state: State, event: Event) -> tuple[State, Outputs]:
    """The state after an event, and what is to be published."""
    if isinstance(event, Ticker):
        return _ticker(watching, state, event)
    if not watching.belongs(getattr(event, "account", "")):
        return state, []
    match event:
        case tr.OrderFilled():
            return _filled(watching, state, event)
        case tr.OrderRequested():
            return _requested(state, event), []
        case tr.FundingPaid():
            return _funded(state, event)
        case tr.Liquidated():
            return _liquidated(watching, state, event)
        case tr.Refusal():
            return _each(state, lambda each: legs.refused(each, event.cause, event.at)), []
        case tr.OrderRefused() | tr.OrderExpired():
            return _ended(state, event.id, event.at, took=False), []
        case tr.OrderCancelled():
            return _ended(state, event.id, event.at, took=event.filled > 0), []
    return state, []


def _ticker(watching: Watching, state: State, ticker: Ticker) -> tuple[State, Outputs]:
    if not state.open and not watching.by_arrival:
        return state, []  # a position's first fill is newer than all that came before it
    if ticker.at <= state.newest_ms:
        return state, []
    prices = prices_of(ticker)
    if prices is None:
        return state, []
    made: Outputs = []
    after: dict[str, Open] = {}
    for name, position in state.open.items():
        after[name], outputs = _judged(watching, position, prices)
        made += outputs
    ticks = state.ticks
    if watching.by_arrival:
        kept = TICKS_MAX if state.pending or _awaited(state) else TICKS_IDLE
        ticks = [*ticks[1 - kept :], Tick(*prices)]
    return replace(state, newest_ms=ticker.at, open=after, ticks=ticks), made


def _awaited(state: State) -> bool:
    return any(position.orders for position in state.open.values())


def _judged(watching: Watching, position: Open, prices: Prices) -> tuple[Open, Outputs]:
    """A position at a ticker: marked, and asked whether it is to end, if its fill is older."""
    if prices.at <= position.money.opened_ms:
        return position, []
    before = position.stop
    position = marked(position, prices)
    unable = legs.unable(position, prices.at, watching.retry_ms)
    fired: Fired | None = None
    made: Outputs = []
    if not legs.closing(position, unable):
        seen = held(position, unable)
        (after, fired), made = _asked(watching, seen, prices)
        position = _moved(position, seen, after)
    moved = position.stop != before
    if moved or prices.at >= position.marked_ms + watching.mark_every_ms:
        position = replace(position, marked_ms=prices.at)
        made.append(_updated(position, "stop" if moved else "mark", prices.at))
    if fired is not None and fired.leg not in unable:
        request = legs.request(position, fired, prices, watching.latency_ms)
        position = legs.asked(position, request)
        made.append(Output("exits", request.symbol, request))
    return position, made


def _asked(
    watching: Watching, seen: Held, prices: Prices
) -> tuple[tuple[Held, Fired | None], Outputs]:
    """What the agent's trading mode says; core's own rules where it has none or it raises."""
    judgement = watching.judges.get(seen.position.agent)
    if judgement is None:
        return judge(Rules(), seen, prices), []
    try:
        return judgement(seen, prices), []
    except Exception as error:  # a plug-in's: its stop and targets still hold
        letter = DeadLetter(
            source=watching.name,
            cause="trading mode raised",
            detail=f"{seen.position.agent} {seen.position.symbol} at {prices.at}: "
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
        )
        made = [Output("dead-letters", watching.name, letter)]
        return judge(Rules(), seen, prices), made


def _moved(position: Open, seen: Held, after: Held) -> Open:
    """With what a watch may change."""
    if after is seen:
        return position
    return replace(
        position,
        stop=after.position.stop,
        targets=after.position.targets,
        trailing=after.trailing,
    )


def _filled(watching: Watching, state: State, event: tr.OrderFilled) -> tuple[State, Outputs]:
    position = state.open.get(event.position)
    if event.action == "close":
        if position is None:  # it has ended already
            return _ended(state, event.id, event.at, took=True), []
        return _reduced(watching, state, position, event, event.source)
    made: Outputs
    if position is None:
        position = opened(event, state.attempts.get(event.position, {}))
        first = tr.PositionOpened(position=figures(position), symbol=state.symbol, at=event.at)
        made = [Output("positions", state.symbol, first)]
    else:
        position = grown(position, event)
        made = [_updated(position, "fill", event.at)]
    return _again(watching, state, position, event, made)


def _reduced(
    watching: Watching,
    state: State,
    position: Open,
    event: tr.OrderFilled | tr.Liquidated,
    reason: str,
) -> tuple[State, Outputs]:
    """After a fill that closes. What it closes beyond the size is not this position's."""
    after = filled(
        position.money,
        symbol=event.symbol,
        buys=position.money.side == "short",
        price=event.price,
        size=min(event.size, position.money.size),
        fee=event.fee,
        leverage=position.money.leverage,
        at=event.at,
    )
    if after.ended is not None:
        return _closed(state, position, after.ended, reason, event)
    assert after.position is not None
    position = replace(position, money=after.position)
    return _again(watching, state, position, event, [_updated(position, "fill", event.at)])


def _again(
    watching: Watching,
    state: State,
    position: Open,
    event: tr.OrderFilled | tr.Liquidated,
    made: Outputs,
) -> tuple[State, Outputs]:
    """With a position that a fill changed; tickers that are newer than the fill judge it again."""
    position = replace(position, marked_ms=max(event.at, position.marked_ms))
    pending = state.pending
    if isinstance(event, tr.OrderFilled) and event.done:
        position = legs.ended(position, event.id, event.at, took=True)
        pending = _without(pending, event.id)
    for tick in state.ticks:
        if tick.at > event.at:
            position, outputs = _judged(watching, position, tick.prices)
            made = made + outputs
    return replace(state, open={**state.open, position.id: position}, pending=pending), made


def _closed(
    state: State,
    position: Open,
    money: Position,
    reason: str,
    event: tr.OrderFilled | tr.Liquidated,
) -> tuple[State, Outputs]:
    remaining = {name: each for name, each in state.open.items() if name != position.id}
    attempts = {
        **_without(state.attempts, position.id),
        position.id: {leg: each.attempt for leg, each in position.legs.items()},
    }
    for oldest in list(attempts)[:-CLOSED_MAX]:
        del attempts[oldest]
    closed = tr.PositionClosed(
        position=figures(position, money),
        symbol=state.symbol,
        reason=reason,
        exit_notional=money.exited,
        at=event.at,
    )
    return replace(state, open=remaining, attempts=attempts), [
        Output("positions", state.symbol, closed)
    ]


def _requested(state: State, event: tr.OrderRequested) -> State:
    if event.action != "close":
        state = replace(state, pending={**state.pending, event.id: event.at})
    position = state.open.get(event.position)
    if position is None:
        return state
    changed = legs.ordered(position, event)
    return replace(state, open={**state.open, position.id: changed})


def _funded(state: State, event: tr.FundingPaid) -> tuple[State, Outputs]:
    position = state.open.get(event.position)
    if position is None:
        return state, []
    money = funded(position.money, amount=event.amount, mark_ms=event.settled_ms)
    position = replace(position, money=money, marked_ms=max(event.at, position.marked_ms))
    after = replace(state, open={**state.open, position.id: position})
    return after, [_updated(position, "funding", event.at)]


def _liquidated(watching: Watching, state: State, event: tr.Liquidated) -> tuple[State, Outputs]:
    position = state.open.get(event.position)
    if position is None:
        return state, []
    return _reduced(watching, state, position, event, "liquidated")


def _ended(state: State, order: str, at: int, *, took: bool) -> State:
    if order in state.pending:
        state = replace(state, pending=_without(state.pending, order))
    return _each(state, lambda position: legs.ended(position, order, at, took=took))


def _each(state: State, change: Callable[[Open], Open]) -> State:
    """With every position changed; the same state where none is."""
    after = {name: change(position) for name, position in state.open.items()}
    if all(after[name] is position for name, position in state.open.items()):
        return state
    return replace(state, open=after)


def _without(table: dict[str, V], key: str) -> dict[str, V]:
    return {each: value for each, value in table.items() if each != key}


def _updated(position: Open, why: Literal["fill", "funding", "stop", "mark"], at: int) -> Output:
    symbol = position.money.symbol
    event = tr.PositionUpdated(position=figures(position), symbol=symbol, why=why, at=at)
    return Output("positions", symbol, event)
