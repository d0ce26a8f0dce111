"""Makes order requests: the intent, its id, and on paper the order at the paper venue."""

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from chandler.core.desk.sizing import terms_in
from chandler.core.desk.state import AgentState, Intent
from chandler.core.desk.turn import Turn
from chandler.core.events import Symbol, Ticker
from chandler.core.hashing import digest
from chandler.core.trading.events import (
    Action,
    Direction,
    OrderCancelled,
    OrderRefused,
    OrderRequested,
)
from chandler.core.trading.money import ZERO
from chandler.core.trading.paper import PaperOrder, cancel, place
from chandler.core.trading.terms import Terms

FINEST = Decimal("1E-18")  # a step that every size is a multiple of


class Wanted(NamedTuple):
    """An order as the desk decided it."""

    symbol: Symbol
    leg: str
    action: Action
    side: Direction  # of the position
    size: Decimal
    price: Decimal
    leverage: int
    position: str
    cause: str
    source: str
    reason: str
    stop: Decimal | None = None
    targets: tuple[Decimal, ...] = ()


def order_id(agent: str, cause: str, symbol: Symbol, leg: str, retry: int = 0) -> str:
    """The clientOid: the same decision always has the same."""
    return digest(agent, cause, f"{symbol}|{leg}", str(retry))


def request(
    turn: Turn,
    agent: str,
    wanted: Wanted,
    *,
    ready_ms: int,
    waiting: bool = False,
    retry: int = 0,
) -> OrderRequested:
    """Says the intent and keeps it; on paper the venue takes it at once, or when it may.

    `waiting`: on paper it is placed once the position before it is closed.
    """
    state = turn.state(agent)
    name = order_id(agent, wanted.cause, wanted.symbol, wanted.leg, retry)
    while name in state.intents:
        retry += 1
        name = order_id(agent, wanted.cause, wanted.symbol, wanted.leg, retry)
    made = OrderRequested(
        id=name,
        shard=turn.desk.shard,
        seq=turn.seq,
        account=state.account,
        agent=agent,
        symbol=wanted.symbol,
        position=wanted.position,
        leg=wanted.leg,
        action=wanted.action,
        side=wanted.side,
        size=wanted.size,
        leverage=wanted.leverage,
        price=wanted.price,
        stop=wanted.stop,
        targets=list(wanted.targets),
        cause=wanted.cause,
        source=wanted.source,
        reason=wanted.reason,
        at=turn.at,
        ready_ms=ready_ms,
        sent_ms=turn.seen.wall_ms if state.paper is None else 0,
    )
    turn.say(made)
    intent = Intent(request=made, phase="waiting" if waiting else "intended", retry=retry)
    turn.put(replace(state, intents={**state.intents, made.id: intent}))
    if state.paper is not None and not waiting:
        placed(turn, agent, made)
    return made


def placed(turn: Turn, agent: str, made: OrderRequested) -> None:
    """The paper venue takes the order, or refuses it."""
    state = turn.state(agent)
    assert state.paper is not None
    terms = terms_in(turn.seen)
    ticker = turn.seen.ticker
    if terms is not None and terms.symbol != made.symbol:
        terms = None  # a command about several symbols has seen one at most
    if made.reduce_only:
        terms = _closing_terms(made.symbol, terms)
    if terms is None:
        _refuse(turn, state, made, "no_instrument", "no instrument of that name is known")
        return
    order = PaperOrder(
        id=made.id,
        symbol=made.symbol,
        buys=made.buys,
        size=made.size,
        leverage=made.leverage,
        reduce_only=made.reduce_only,
        ready_ms=made.ready_ms,
    )
    account, refused = place(state.paper, order, terms=terms, ticker=ticker, rules=turn.desk.rules)
    if refused is not None:
        _refuse(turn, state, made, refused.code, refused.reason)
        return
    intent = replace(state.intents[made.id], phase="accepted")
    turn.put(replace(state, paper=account, intents={**state.intents, made.id: intent}))


def cancelled(turn: Turn, agent: str, intent: Intent, reason: str) -> None:
    """Takes a paper order back, or says that the rest of one is dropped."""
    state, made = turn.state(agent), intent.request
    assert state.paper is not None
    account, _ = cancel(state.paper, made.id)
    turn.put(replace(state, paper=account, intents=without(state, made.id)))
    turn.say(
        OrderCancelled(
            id=made.id,
            account=made.account,
            agent=agent,
            symbol=made.symbol,
            filled=intent.filled,
            reason=reason,
            at=turn.at,
        )
    )


def meets_now(turn: Turn, made: OrderRequested) -> Ticker | None:
    """The newest ticker, where it is the one that fills the order already."""
    ticker = turn.seen.ticker
    if ticker is None or ticker.symbol != made.symbol or ticker.at < made.ready_ms:
        return None
    return ticker


def without(state: AgentState, order: str) -> dict[str, Intent]:
    """The state's intents but one."""
    return {key: each for key, each in state.intents.items() if key != order}


def unclosed(state: AgentState, made: OrderRequested) -> AgentState:
    """After a close that came to nothing: the position may be added to and closed again."""
    holding = state.holdings.get(made.symbol)
    if holding is None or not made.reduce_only or not holding.closing:
        return state
    back = replace(holding, closing=False)
    return replace(state, holdings={**state.holdings, made.symbol: back})


def _refuse(turn: Turn, state: AgentState, made: OrderRequested, code: str, reason: str) -> None:
    turn.put(unclosed(replace(state, intents=without(state, made.id)), made))
    turn.say(
        OrderRefused(
            id=made.id,
            account=made.account,
            agent=made.agent,
            symbol=made.symbol,
            code=code,
            reason=reason,
            at=turn.at,
        )
    )


def _closing_terms(symbol: Symbol, terms: Terms | None) -> Terms:
    """For what reduces: any size that was once opened can be closed, whatever the steps now."""
    return Terms(
        symbol=symbol,
        price_step=FINEST,
        size_step=FINEST,
        size_min=ZERO,
        notional_min=ZERO,
        maker_fee=ZERO,
        taker_fee=ZERO,
        leverage_max=1_000,
        closes=terms is None or terms.closes,
    )
