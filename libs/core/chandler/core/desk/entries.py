"""Signals: each agent's answer to one, which is orders or a refusal with its reason."""

from collections.abc import Collection
from decimal import Decimal

from msgspec.structs import replace

from chandler.core.desk.closing import (
    Fault,
    Why,
    close_all,
    level,
    levels,
    meet_now,
    plan_of,
    quote_of,
)
from chandler.core.desk.eligibility import (
    AFTER_PLAN,
    BEFORE_PLAN,
    CLOSING,
    Look,
    first_fault,
    fresh_until,
)
from chandler.core.desk.requests import Wanted, request
from chandler.core.desk.sizing import order_of, price_in, terms_in
from chandler.core.desk.state import AgentState, day_of, marked, opening
from chandler.core.desk.turn import Turn
from chandler.core.events import Signal
from chandler.core.hashing import digest
from chandler.core.trading.events import Direction, OrderRequested, Refusal
from chandler.core.trading.modes import View


def on_signal(turn: Turn, signal: Signal) -> None:
    """Every agent that the signal is for acts on it or refuses it."""
    if turn.desk.shard == 0:
        for name in signal.agents:
            if name not in turn.desk.everyone:
                _refuse_stranger(turn, signal, name)
    for name in turn.desk.agents:
        if not signal.agents or name in signal.agents:
            act(turn, name, signal)


def act(
    turn: Turn,
    agent: str,
    signal: Signal,
    *,
    forced: bool = False,
    notional: Decimal | None = None,
) -> Fault | None:
    """One agent's answer; the fault where it refuses, which is said already.

    `notional`: of a forced entry, quote coin; None: as the agent sizes its entries.
    """
    state = turn.state(agent)
    holding = state.holdings.get(signal.symbol)
    if signal.side == "flat":
        fault = _flat(turn, agent, signal)
    elif (
        holding is not None
        and holding.position.side != signal.side
        and turn.desk.agents[agent].config.on_opposite != "ignore"
    ):
        fault = _opposite(turn, agent, signal, forced=forced)
    else:
        look = look_of(turn, agent, signal, forced=forced)
        look, fault = decide(look._replace(notional=notional))
        if fault is None:
            enter(turn, look)
    if fault is not None:
        turn.refuse(turn.state(agent), signal.symbol, signal.side, signal.id, signal.source, *fault)
    return fault


def look_of(
    turn: Turn, agent: str, signal: Signal, *, forced: bool = False, reversing: bool = False
) -> Look:
    """What the checks look at; for a flat signal the side is that of the open position."""
    state = turn.state(agent)
    holding = state.holdings.get(signal.symbol)
    side: Direction = "long"
    if signal.side != "flat":
        side = signal.side
    elif holding is not None:
        side = holding.position.side
    live = state.paper is None
    return Look(
        desk=turn.desk,
        agent=turn.agent(agent),
        state=state,
        others=tuple(each for each in turn.states() if each.agent != agent) if live else (),
        signal=signal,
        side=side,
        seen=turn.seen,
        at=turn.at,
        terms=terms_in(turn.seen),
        price=price_in(turn.seen, buys=side == "long"),
        forced=forced,
        reversing=reversing,
    )


def decide(look: Look, only: Collection[str] | None = None) -> tuple[Look, Fault | None]:
    """The checks in order, with the trading mode's plan among them. `only`: of these reasons."""
    fault = first_fault(BEFORE_PLAN, look, only)
    if fault is not None:
        return look, fault
    look = planned(look)
    return look, first_fault(AFTER_PLAN, look, only)


def planned(look: Look) -> Look:
    """With the trading mode's legs, what they come to, and what that would cost."""
    assert look.price is not None
    assert look.terms is not None
    assert look.seen.ticker is not None
    holding = None if look.reversing else look.state.holdings.get(look.signal.symbol)
    if holding is not None and holding.position.side != look.side:
        return look  # it is refused for its position
    position = None if holding is None else marked(holding, look.state, look.price)
    view = View(price=look.price, at=look.seen.ticker.at, position=position)
    legs, fault = plan_of(look.agent, look.signal, view)
    allowed = ("add",) if holding is not None else ("open", "add")
    legs = tuple(leg for leg in legs if leg.action in allowed)
    order = order_of(
        legs,
        config=look.agent.config,
        balance=look.state.balance,
        price=look.price,
        terms=look.terms,
        notional=look.notional,
    )
    look = look._replace(legs=legs, fault=fault, order=order)
    return look._replace(quote=quote_of(look))


def enter(turn: Turn, look: Look, *, waiting: bool = False) -> None:
    """Requests the orders of an entry, or of an add to what is open."""
    agent, signal, order, terms = look.agent.name, look.signal, look.order, look.terms
    assert order is not None
    assert terms is not None
    _processed(turn, agent, signal)
    state = turn.state(agent)
    holding = None if look.reversing else state.holdings.get(signal.symbol)
    position = digest(agent, signal.symbol, signal.id) if holding is None else holding.id
    if holding is None:
        day = day_of(state, turn.at)
        made = day.entries.get(signal.symbol, 0) + 1
        day = replace(day, entries={**day.entries, signal.symbol: made})
        turn.put(replace(state, day=day))
    # Right after the close that it waits for, should both meet the same ticker.
    ready_ms = turn.at + turn.desk.latency_ms + (1 if waiting else 0)
    requested: OrderRequested | None = None
    for each in order.legs:
        stop = each.leg.stop
        requested = request(
            turn,
            agent,
            Wanted(
                symbol=signal.symbol,
                leg=each.leg.leg,
                action=each.leg.action,
                side=look.side,
                size=each.size,
                price=order.price,
                leverage=order.leverage,
                position=position,
                cause=signal.id,
                source=signal.source,
                reason=signal.reason,
                stop=None if stop is None else level(stop, terms.price_step),
                targets=levels(each.leg, terms.price_step),
            ),
            ready_ms=ready_ms,
            waiting=waiting,
        )
    meet_now(turn, agent, requested)


def _opposite(turn: Turn, agent: str, signal: Signal, *, forced: bool) -> Fault | None:
    """Closes what is open on the other side; a reversal enters once that is closed."""
    look = look_of(turn, agent, signal, forced=forced)
    fault = first_fault(BEFORE_PLAN, look, CLOSING)
    if fault is not None:
        return fault
    after: Fault | None = None
    if look.agent.config.on_opposite == "reverse":
        look, after = decide(look._replace(reversing=True))
    why = Why("opposite", signal.id, "opposite", signal.reason)
    made = close_all(turn, agent, signal.symbol, why, ready_ms=turn.at + turn.desk.latency_ms)
    if look.state.paper is not None or not look.reversing or after is not None:
        _processed(turn, agent, signal)
    if look.reversing and after is None:
        if look.state.paper is not None:
            enter(turn, look, waiting=True)
        else:  # decided on again when the position is closed; until then nothing else enters
            state = turn.state(agent)
            reversals = {**state.reversals, signal.symbol: signal}
            turn.put(replace(state, reversals=reversals))
    meet_now(turn, agent, made[-1] if made else None)
    if not made and after is None and not look.reversing:
        return "closing", "all that is open is being closed already"
    return after


def _flat(turn: Turn, agent: str, signal: Signal) -> Fault | None:
    state = turn.state(agent)
    look = look_of(turn, agent, signal)
    fault = first_fault(BEFORE_PLAN, look, CLOSING)
    if fault is not None:
        return fault
    if signal.symbol not in state.holdings and not opening(state, signal.symbol):
        return "nothing_to_close", f"nothing is open in {signal.symbol}"
    why = Why("flat", signal.id, "opposite", signal.reason)
    before = len(turn.outputs)
    made = close_all(turn, agent, signal.symbol, why, ready_ms=turn.at + turn.desk.latency_ms)
    if len(turn.outputs) == before:
        return "closing", "all that is open is being closed already"
    _processed(turn, agent, signal)
    meet_now(turn, agent, made[-1] if made else None)
    return None


def _processed(turn: Turn, agent: str, signal: Signal) -> None:
    """Remembers the signal for as long as it could be acted on again."""
    until = max(fresh_until(signal, turn.desk), turn.at)
    turn.put(remembered(turn.state(agent), signal.id, until, turn.at))


def remembered(state: AgentState, id_: str, until: int, at: int) -> AgentState:
    """With an id that was acted on; those that have expired are forgotten."""
    kept = state.processed
    if kept and min(kept.values()) < at:
        kept = {key: each for key, each in kept.items() if each >= at}
    return replace(state, processed={**kept, id_: until})


def _refuse_stranger(turn: Turn, signal: Signal, name: str) -> None:
    turn.say(
        Refusal(
            agent=name[:64],
            account="",
            symbol=signal.symbol,
            side=signal.side,
            cause=signal.id,
            source=signal.source,
            reason="unknown_agent",
            detail=f"there are {' '.join(sorted(turn.desk.everyone)) or 'no agents'}",
            seq=turn.seq,
            at=turn.at,
        )
    )
