"""The books of an agent: fills, funding and liquidations change its money and its positions.

The paper venue's happenings and a live venue's fills go through the same arithmetic.
"""

from decimal import Decimal
from typing import Literal, NamedTuple

from msgspec.structs import replace

from chandler.core.desk.requests import cancelled, meets_now, placed, without
from chandler.core.desk.sizing import terms_in
from chandler.core.desk.state import AgentState, Holding, Intent, day_of, pending
from chandler.core.desk.turn import Turn
from chandler.core.events import Symbol, Ticker
from chandler.core.trading.events import (
    BalanceChanged,
    FundingPaid,
    Liquidated,
    OrderFilled,
    OrderRequested,
)
from chandler.core.trading.money import ZERO, minus, plus
from chandler.core.trading.paper import Dropped, Fill, Funding, Liquidation, on_ticker
from chandler.core.trading.position import Filled, filled, funded


class Trade(NamedTuple):
    """A fill in the desk's words."""

    trade: str
    price: Decimal
    size: Decimal
    fee: Decimal
    done: bool  # nothing of the order is left
    at: int


def book(turn: Turn, agent: str, made: OrderRequested, trade: Trade) -> None:
    """The fill of an order: position, money, and the events that say so."""
    state = turn.state(agent)
    holding = state.holdings.get(made.symbol)
    after = filled(
        None if holding is None else holding.position,
        symbol=made.symbol,
        buys=made.buys,
        price=trade.price,
        size=trade.size,
        fee=trade.fee,
        leverage=made.leverage,
        at=trade.at,
    )
    intent = state.intents.get(made.id)
    held = _held(holding, after, made, intent)
    holdings = {key: each for key, each in state.holdings.items() if key != made.symbol}
    if held is not None:
        holdings[made.symbol] = held
    turn.put(
        replace(
            state,
            holdings=holdings,
            day=day_of(state, turn.at),
            realised=plus(state.realised, after.realised),
            fees=plus(state.fees, trade.fee),
        )
    )
    _say_filled(turn, made, trade)
    say_balance(turn, agent, "fill", minus(after.realised, trade.fee), trade.trade, made.symbol)


def _held(
    holding: Holding | None, after: Filled, made: OrderRequested, intent: Intent | None
) -> Holding | None:
    if after.position is None:
        return None
    if holding is None or after.ended is not None:
        return Holding(
            id=made.position,
            position=after.position,
            source=made.source,
            stop=made.stop,
            targets=made.targets,
            closing=intent is not None and intent.abandoned,
        )
    if made.action != "add":
        return replace(holding, position=after.position)
    first = intent is None or not intent.filled
    return replace(
        holding,
        position=after.position,
        adds=holding.adds + (1 if first else 0),
        stop=holding.stop if made.stop is None else made.stop,
        targets=made.targets or holding.targets,
    )


def _say_filled(turn: Turn, made: OrderRequested, trade: Trade) -> None:
    turn.say(
        OrderFilled(
            id=made.id,
            trade=trade.trade,
            account=made.account,
            agent=made.agent,
            symbol=made.symbol,
            position=made.position,
            leg=made.leg,
            action=made.action,
            side=made.side,
            price=trade.price,
            size=trade.size,
            fee=trade.fee,
            done=trade.done,
            leverage=made.leverage,
            stop=made.stop,
            targets=made.targets,
            source=made.source,
            at=trade.at,
        )
    )


def say_balance(
    turn: Turn,
    agent: str,
    kind: Literal["fill", "funding", "liquidation", "transfer"],
    change: Decimal,
    cause: str,
    symbol: Symbol,
) -> None:
    """The balance after a change; nothing where there was none."""
    if not change:
        return
    state = turn.state(agent)
    turn.say(
        BalanceChanged(
            account=state.account,
            agent=agent,
            kind=kind,
            change=change,
            balance=state.balance,
            cause=cause,
            symbol=symbol,
            at=turn.at,
        ),
        agent,
    )


def meet(turn: Turn, agent: str, ticker: Ticker) -> None:
    """A paper agent meets a ticker: funding, liquidation, fills, and what waited for them."""
    state, terms = turn.state(agent), terms_in(turn.seen)
    assert state.paper is not None
    if terms is None or terms.symbol != ticker.symbol:
        return
    account, happened = on_ticker(
        state.paper, ticker, terms=terms, funding=turn.seen.funding, rules=turn.desk.rules
    )
    if not happened:
        return
    turn.put(replace(state, paper=account))
    for each in happened:
        match each:
            case Fill():
                _paper_filled(turn, agent, each)
            case Dropped():
                intent = turn.state(agent).intents[each.id]
                cancelled(turn, agent, intent, each.reason)
            case Funding():
                _funded(turn, agent, each)
            case Liquidation():
                _liquidated(turn, agent, each)
    settle(turn, agent, ticker.symbol)


def involved(state: AgentState, symbol: Symbol) -> bool:
    """Whether a ticker of the symbol can mean anything to a paper agent."""
    return symbol in state.holdings or any(
        each.request.symbol == symbol for each in state.intents.values()
    )


def settle(turn: Turn, agent: str, symbol: Symbol) -> None:
    """Places what waited for the position before it to be closed; takes it back if that failed."""
    state = turn.state(agent)
    here = pending(state, symbol)
    waiting = [each for each in here if each.phase == "waiting"]
    if not waiting or any(each.request.reduce_only for each in here):
        return
    ready: Ticker | None = None
    for intent in waiting:
        made = intent.request
        if symbol in turn.state(agent).holdings:
            cancelled(turn, agent, intent, "the position that it was to follow is still open")
            continue
        placed(turn, agent, made)
        ready = meets_now(turn, made)
    if ready is not None:
        meet(turn, agent, ready)


def _paper_filled(turn: Turn, agent: str, fill: Fill) -> None:
    state = turn.state(agent)
    intent = state.intents[fill.id]
    trade = Trade(fill.trade, fill.price, fill.size, fill.fee, fill.done, fill.at)
    book(turn, agent, intent.request, trade)
    state = turn.state(agent)
    left = replace(intent, filled=plus(intent.filled, fill.size))
    intents = without(state, fill.id) if fill.done else {**state.intents, fill.id: left}
    turn.put(replace(state, intents=intents))


def _funded(turn: Turn, agent: str, paid: Funding) -> None:
    state = turn.state(agent)
    holding = state.holdings[paid.symbol]
    position = funded(holding.position, amount=paid.amount, mark_ms=paid.settled_ms)
    turn.put(
        replace(
            state,
            day=day_of(state, turn.at),
            holdings={**state.holdings, paid.symbol: replace(holding, position=position)},
            funding=plus(state.funding, paid.amount),
        )
    )
    turn.say(
        FundingPaid(
            account=state.account,
            agent=agent,
            symbol=paid.symbol,
            position=holding.id,
            rate=paid.rate,
            mark=paid.mark,
            size=paid.size,
            amount=paid.amount,
            settled_ms=paid.settled_ms,
            at=paid.at,
        )
    )
    say_balance(turn, agent, "funding", minus(ZERO, paid.amount), holding.id, paid.symbol)


def _liquidated(turn: Turn, agent: str, gone: Liquidation) -> None:
    state = turn.state(agent)
    holding = state.holdings[gone.symbol]
    turn.put(
        replace(
            state,
            day=day_of(state, turn.at),
            holdings={key: each for key, each in state.holdings.items() if key != gone.symbol},
            realised=plus(state.realised, gone.realised),
            fees=plus(state.fees, gone.fee),
        )
    )
    turn.say(
        Liquidated(
            account=state.account,
            agent=agent,
            symbol=gone.symbol,
            position=holding.id,
            side=gone.side,
            price=gone.price,
            size=gone.size,
            fee=gone.fee,
            at=gone.at,
        )
    )
    change = minus(gone.realised, gone.fee)
    say_balance(turn, agent, "liquidation", change, holding.id, gone.symbol)
