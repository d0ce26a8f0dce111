"""Closes: of a whole position by a signal or a person, and what the watch asks for (exits, adds).

A close is never held back by switches, guards or limits.
"""

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from chandler.core.desk.books import meet
from chandler.core.desk.config import ResolvedAgent
from chandler.core.desk.eligibility import ADDING, AFTER_PLAN, BEFORE_PLAN, Look, first_fault
from chandler.core.desk.requests import Wanted, cancelled, meets_now, request
from chandler.core.desk.sizing import closing_size, order_of, price_in, terms_in
from chandler.core.desk.state import AgentState, Holding, closable, marked, opening
from chandler.core.desk.turn import Turn
from chandler.core.events import Signal, Symbol
from chandler.core.granularity import Granularity
from chandler.core.trading import matching
from chandler.core.trading.events import ExitRequested, OrderRequested, Quote
from chandler.core.trading.modes import Leg, View, carried_out
from chandler.core.trading.money import places, ratio, times, to_step

Fault = tuple[str, str]  # reason, detail


class Why(NamedTuple):
    """Why something is closed."""

    leg: str
    cause: str
    source: str
    reason: str


def close_all(
    turn: Turn, agent: str, symbol: Symbol, why: Why, *, ready_ms: int
) -> list[OrderRequested]:
    """Closes all that is open and lets nothing more be opened: what is on its way is taken back
    on paper, and closed once it is filled on a live account."""
    for intent in opening(turn.state(agent), symbol):
        state = turn.state(agent)
        if state.paper is not None:
            cancelled(turn, agent, intent, "the position is to be closed")
        else:
            given_up = replace(intent, abandoned=True)
            turn.put(replace(state, intents={**state.intents, intent.request.id: given_up}))
    state = turn.state(agent)
    holding = state.holdings.get(symbol)
    size = closable(state, symbol)
    if holding is None or not size:
        return []
    state = replace(state, holdings={**state.holdings, symbol: replace(holding, closing=True)})
    turn.put(state)
    return [close(turn, agent, holding, size, why, ready_ms=ready_ms)]


def close(
    turn: Turn,
    agent: str,
    holding: Holding,
    size: Decimal,
    why: Why,
    *,
    ready_ms: int,
    retry: int = 0,
) -> OrderRequested:
    """Requests the close of a part or all of a position."""
    position = holding.position
    return request(
        turn,
        agent,
        Wanted(
            symbol=position.symbol,
            leg=why.leg,
            action="close",
            side=position.side,
            size=size,
            price=_closing_price(turn, holding),
            leverage=position.leverage,
            position=holding.id,
            cause=why.cause,
            source=why.source,
            reason=why.reason,
            stop=holding.stop,
            targets=tuple(holding.targets),
        ),
        ready_ms=ready_ms,
        retry=retry,
    )


def _closing_price(turn: Turn, holding: Holding) -> Decimal:
    """The touch where it was seen, else what the position cost on average."""
    position = holding.position
    ticker = turn.seen.ticker
    if ticker is not None and ticker.symbol == position.symbol:
        found = price_in(turn.seen, buys=position.side == "short")
        if found is not None:
            return found
    return places(ratio(position.cost, position.size))


def on_exit(turn: Turn, exit_: ExitRequested) -> None:
    """Carries out what the watch fired, or says why not. It is due now."""
    if exit_.agent not in turn.desk.agents:
        return
    state = turn.state(exit_.agent)
    holding = state.holdings.get(exit_.symbol)
    if holding is None or holding.id != exit_.position:
        _refused(turn, state, exit_, "position_gone", "the position has ended")
    elif exit_.id in holding.exits:
        _refused(turn, state, exit_, "processed", "it was acted on before")
    elif exit_.action == "add":
        _add(turn, exit_, holding)
    elif not closable(state, exit_.symbol):
        _refused(turn, state, exit_, "closing", "all that is open is being closed already")
    else:
        _reduce(turn, exit_, holding)


def _reduce(turn: Turn, exit_: ExitRequested, holding: Holding) -> None:
    agent, symbol = exit_.agent, exit_.symbol
    legs, fault = _legs(turn, exit_, holding)
    legs = tuple(leg for leg in legs if leg.action == "close")
    if fault:
        turn.notice("warning", agent, f"{fault}: closed as the watch asked", exit_.id)
        legs = carried_out(exit_)
    if not legs:
        detail = f"trading mode {turn.desk.agents[agent].mode.name} makes no order of it"
        _refused(turn, turn.state(agent), exit_, "mode_declined", detail)
        return
    _acted(turn, exit_, holding)
    made = None
    for leg in legs:
        why = Why(leg.leg, exit_.id, exit_.kind, exit_.reason)
        left = closable(turn.state(agent), symbol)
        wanted = times(left, leg.share) if leg.size is None else leg.size
        size = closing_size(wanted, left, terms_in(turn.seen))
        if size <= 0:
            continue
        if size == turn.state(agent).holdings[symbol].position.size:
            whole = close_all(turn, agent, symbol, why, ready_ms=turn.at)
            made = whole[0] if whole else made
        else:
            made = close(turn, agent, holding, size, why, ready_ms=turn.at)
    if made is None:
        detail = "what it would close is nothing: less than the venue's step, or on its way already"
        _refused(turn, turn.state(agent), exit_, "closing", detail)
    meet_now(turn, agent, made)


def add_look(turn: Turn, exit_: ExitRequested, holding: Holding) -> tuple[Look, Fault | None]:
    """An add as the checks see it, planned; it passes those of an entry, but for a signal's."""
    agent = turn.agent(exit_.agent)
    state = turn.state(agent.name)
    look = Look(
        desk=turn.desk,
        agent=agent,
        state=state,
        others=(),
        signal=_as_signal(exit_),
        side=holding.position.side,
        seen=turn.seen,
        at=turn.at,
        terms=terms_in(turn.seen),
        price=price_in(turn.seen, buys=holding.position.side == "long"),
    )
    if holding.closing:
        return look, ("closing", "the position is being closed")
    fault = first_fault(BEFORE_PLAN, look, ADDING)
    if fault is not None:
        return look, fault
    assert look.terms is not None
    assert look.price is not None
    legs, broken = _legs(turn, exit_, holding)
    legs = tuple(leg for leg in legs if leg.action == "add")
    if broken or not legs:
        detail = broken or f"trading mode {agent.mode.name} makes no order of it"
        return look, ("mode_declined", detail)
    order = order_of(
        legs, config=agent.config, balance=state.balance, price=look.price, terms=look.terms
    )
    look = look._replace(legs=legs, order=order)
    look = look._replace(quote=quote_of(look))
    return look, first_fault(AFTER_PLAN, look, ADDING)


def _add(turn: Turn, exit_: ExitRequested, holding: Holding) -> None:
    look, fault = add_look(turn, exit_, holding)
    if fault is not None:
        _refused(turn, look.state, exit_, *fault)
        return
    assert look.order is not None
    assert look.terms is not None
    _acted(turn, exit_, holding)
    made = None
    for each in look.order.legs:
        stop = each.leg.stop
        made = request(
            turn,
            exit_.agent,
            Wanted(
                symbol=exit_.symbol,
                leg=each.leg.leg,
                action="add",
                side=holding.position.side,
                size=each.size,
                price=look.order.price,
                leverage=look.order.leverage,
                position=holding.id,
                cause=exit_.id,
                source=exit_.kind,
                reason=exit_.reason,
                stop=holding.stop if stop is None else level(stop, look.terms.price_step),
                targets=levels(each.leg, look.terms.price_step) or tuple(holding.targets),
            ),
            ready_ms=turn.at,
        )
    meet_now(turn, exit_.agent, made)


def level(price: Decimal, step: Decimal) -> Decimal:
    """A stop's or target's price on the venue's grid, above 0."""
    return max(to_step(price, step), step)


def levels(leg: Leg, step: Decimal) -> tuple[Decimal, ...]:
    """A leg's targets on the venue's grid."""
    return tuple(level(each, step) for each in leg.targets)


def quote_of(look: Look) -> Quote | None:
    """What the order would cost: the matching model on paper, the venue's depth live."""
    if look.state.paper is None:
        return look.seen.quotes.get(look.agent.name)
    if look.order is None or look.terms is None or look.seen.ticker is None:
        return None
    return matching.quote(
        look.seen.ticker,
        buys=look.side == "long",
        size=look.order.size,
        terms=look.terms,
        slippage_percent=look.desk.rules.slippage_percent,
    )


def plan_of(
    agent: ResolvedAgent, cause: Signal | ExitRequested, view: View
) -> tuple[tuple[Leg, ...], str]:
    """The trading mode's legs; a mode that raises is a fault, one line."""
    try:
        return tuple(agent.mode.plan(agent.settings, cause, view)), ""
    except Exception as error:  # a plug-in's: the desk goes on without it
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return (), f"trading mode {agent.mode.name} failed: {said}"


def _legs(turn: Turn, exit_: ExitRequested, holding: Holding) -> tuple[tuple[Leg, ...], str]:
    agent, state = turn.desk.agents[exit_.agent], turn.state(exit_.agent)
    position = marked(holding, state, exit_.price)
    return plan_of(agent, exit_, View(price=exit_.price, at=exit_.at, position=position))


def _as_signal(exit_: ExitRequested) -> Signal:
    """The exit as the checks read a wish."""
    return Signal(
        id=exit_.id,
        symbol=exit_.symbol,
        side=exit_.side,
        strength=1.0,
        source=exit_.kind,
        granularity=Granularity("1m"),
        close_ms=exit_.at,
        expires_ms=exit_.due_ms,
        reason=exit_.reason,
        agents=[exit_.agent],
        inputs=[],
        config="",
        code="",
    )


def _acted(turn: Turn, exit_: ExitRequested, holding: Holding) -> None:
    state = turn.state(exit_.agent)
    known = replace(holding, exits=[*holding.exits, exit_.id])
    turn.put(replace(state, holdings={**state.holdings, exit_.symbol: known}))


def meet_now(turn: Turn, agent: str, made: OrderRequested | None) -> None:
    """On paper an order that is ready already meets the newest ticker."""
    if made is None or turn.state(agent).paper is None:
        return
    ticker = meets_now(turn, made)
    if ticker is not None:
        meet(turn, agent, ticker)


def _refused(turn: Turn, state: AgentState, exit_: ExitRequested, reason: str, detail: str) -> None:
    turn.refuse(state, exit_.symbol, exit_.side, exit_.id, exit_.kind, reason, detail)
