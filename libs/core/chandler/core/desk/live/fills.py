"""A venue's fills and funding: each is booked once, also those that nobody asked for."""

from decimal import Decimal

from msgspec.structs import replace

from chandler.core.desk.books import Trade, book, say_balance
from chandler.core.desk.closing import Why, close_all
from chandler.core.desk.eligibility import REASONS
from chandler.core.desk.entries import decide, enter, look_of, remembered
from chandler.core.desk.live.replies import find, finish, keep
from chandler.core.desk.state import AgentState, Holding, Intent, day_of, opening, pending
from chandler.core.desk.turn import Turn
from chandler.core.events import Symbol
from chandler.core.granularity import DAY_MS
from chandler.core.trading.broker import VenueFill, VenueFunding
from chandler.core.trading.events import FundingPaid, OrderRequested
from chandler.core.trading.matching import mark_of
from chandler.core.trading.money import ZERO, minus, plus, shown, times
from chandler.core.trading.position import funded

KNOWN_MS = 2 * DAY_MS  # a trade is known for so long; venue's clock at 1x
QUOTED = frozenset(REASONS) - {"impact"}  # a reversal's quote was judged with its signal
STRANGE = Decimal("0.1")  # a fill so far off the price of the decision is told


def on_fill(turn: Turn, fill: VenueFill) -> None:
    """Books a fill, once: of an order of ours, of a stop at the venue, or of somebody else."""
    key = _key(fill)
    if any(_is_taken(state, key) for state in turn.states()) or fill.size <= 0:
        return
    intent = find(turn, fill.id, fill.venue_id)
    if intent is not None and intent.request.buys == fill.buys:
        _known(turn, intent.request.agent, key)
        _ours(turn, intent, fill)
    else:
        _others(turn, fill, key)


def _key(fill: VenueFill) -> str:
    return f"{fill.venue_id or fill.id}/{fill.trade}"


def _is_taken(state: AgentState, key: str) -> bool:
    return key in state.processed or any(_key(each) == key for each in state.early)


def _known(turn: Turn, agent: str, key: str) -> None:
    state = turn.state(agent)
    until = turn.at + round(KNOWN_MS * max(1.0, turn.desk.pace))
    turn.put(remembered(state, key, until, turn.at))


def _ours(turn: Turn, intent: Intent, fill: VenueFill) -> None:
    made = intent.request
    late = not intent.pending
    size = _bookable(turn, made, fill)
    total = plus(intent.filled, fill.size)
    whole = made.size if intent.known is None else min(made.size, intent.known)
    done = total >= whole
    if size:
        trade = Trade(fill.trade, fill.price, size, fill.fee, done, fill.at)
        book(turn, made.agent, made, trade)
    intent = replace(
        intent,
        filled=total,
        venue_id=fill.venue_id or intent.venue_id,
        phase="accepted" if intent.pending else "done",
    )
    if done:
        finish(turn, intent)
    else:
        keep(turn, intent)
    _tell_strange(turn, intent, fill, late=late, booked=size)
    if intent.abandoned and done:
        why = Why("abandoned", made.id, "person", "it was to be closed before it was filled")
        close_all(turn, made.agent, made.symbol, why, ready_ms=turn.at)
    settle(turn, made.agent, made.symbol)


def _bookable(turn: Turn, made: OrderRequested, fill: VenueFill) -> Decimal:
    """What of a fill is booked: a close closes no more than there is."""
    if not made.reduce_only:
        return fill.size
    holding = turn.state(made.agent).holdings.get(made.symbol)
    if holding is None or holding.position.side != made.side:
        return ZERO
    return min(fill.size, holding.position.size)


def _tell_strange(
    turn: Turn, intent: Intent, fill: VenueFill, *, late: bool, booked: Decimal
) -> None:
    made = intent.request
    told = []
    if booked != fill.size:
        told.append(f"{shown(minus(fill.size, booked))} of it closes nothing of ours")
    if intent.filled > made.size:
        told.append(f"{shown(intent.filled)} were filled of {shown(made.size)}")
    if late:
        told.append("the order had ended before")
    if abs(minus(fill.price, made.price)) > times(made.price, STRANGE):
        told.append(f"its price is {shown(fill.price)}, decided was at {shown(made.price)}")
    if told or not booked:
        text = f"fill {fill.trade} of order {made.id} ({made.agent} {made.symbol}): "
        turn.notice("alarm", made.agent, text + ", ".join(told), made.id, fill.trade)


def settle(turn: Turn, agent: str, symbol: Symbol) -> None:
    """Enters what was to follow a position that is closed now."""
    state = turn.state(agent)
    signal = state.reversals.get(symbol)
    if signal is None or symbol in state.holdings or pending(state, symbol):
        return
    left = {key: each for key, each in state.reversals.items() if key != symbol}
    turn.put(replace(state, reversals=left))
    look, fault = decide(look_of(turn, agent, signal), QUOTED)
    if fault is None:
        enter(turn, look)
    else:
        turn.refuse(turn.state(agent), symbol, signal.side, signal.id, signal.source, *fault)


def take_early(turn: Turn) -> None:
    """Takes the fills that waited for an order on its way, where that is known by now."""
    for state in turn.states():
        if state.early and not all(_waits_for(turn, fill) for fill in state.early):
            turn.put(replace(state, early=[]))
            for fill in state.early:
                on_fill(turn, fill)


def _waits_for(turn: Turn, fill: VenueFill) -> AgentState | None:
    """Whose order on its way may have opened what the fill closes: its own fill comes after it.

    A venue's stop can fill before the executor knows of the entry: a push is faster than a lookup.
    """
    held = [each.position.size for _, each in _closed_by(turn, fill)]
    if held and held[0] >= fill.size:
        return None
    for state in turn.states():
        if any(each.request.buys != fill.buys for each in opening(state, fill.symbol)):
            return state
    return None


def _closed_by(turn: Turn, fill: VenueFill) -> list[tuple[AgentState, Holding]]:
    """Positions on the other side."""
    return [
        (state, holding)
        for state in turn.states()
        if (holding := state.holdings.get(fill.symbol)) is not None
        and (holding.position.side == "long") != fill.buys
    ]


def _others(turn: Turn, fill: VenueFill, key: str) -> None:
    """A fill of no intent: a stop that the venue held, or somebody at the account.

    What it takes off an agent's position is booked, so that the books stay right.
    """
    waiting = _waits_for(turn, fill)
    if waiting is not None:
        turn.put(replace(waiting, early=[*waiting.early, fill]))
        turn.kept = True
        return
    for state, holding in _closed_by(turn, fill):
        _known(turn, state.agent, key)
        size = min(fill.size, holding.position.size)
        stop = state.stops.get(fill.symbol)
        by_stop = stop is not None
        made = _unasked(turn, state, fill, size, "stop" if by_stop else "person")
        whole = size == holding.position.size
        book(
            turn,
            state.agent,
            made,
            Trade(fill.trade, fill.price, size, fill.fee, whole, fill.at),
        )
        text = f"{shown(size)} {fill.symbol} were closed at {shown(fill.price)} by "
        text += "the stop that the exchange held" if by_stop else "somebody else"
        turn.notice("warning", state.agent, text, key)
        settle(turn, state.agent, fill.symbol)
        return
    first = turn.states()[:1]
    if first:
        _known(turn, first[0].agent, key)
    side = "bought" if fill.buys else "sold"
    text = f"{shown(fill.size)} {fill.symbol} were {side} on account {turn.desk.account} by nobody"
    turn.notice("warning", "", f"{text} of the desk", key)


def _unasked(
    turn: Turn, state: AgentState, fill: VenueFill, size: Decimal, source: str
) -> OrderRequested:
    """The order that nobody requested, so that its fill can be booked like any other."""
    holding = state.holdings[fill.symbol]
    return OrderRequested(
        id=fill.id or fill.venue_id,
        shard=turn.desk.shard,
        seq=turn.seq,
        account=state.account,
        agent=state.agent,
        symbol=fill.symbol,
        position=holding.id,
        leg=source,
        action="close",
        side=holding.position.side,
        size=size,
        leverage=holding.position.leverage,
        price=fill.price,
        stop=holding.stop,
        targets=holding.targets,
        cause=fill.venue_id,
        source=source,
        reason="filled at the venue without a request",
        at=fill.at,
        ready_ms=fill.at,
    )


def _funding_of_nobody(turn: Turn, paid: VenueFunding) -> None:
    """A position that was never ours paid it: what of the wallet is nobody's is less by it."""
    for state in turn.states():
        if state.wallet_free is not None:
            turn.put(replace(state, wallet_free=minus(state.wallet_free, paid.amount)))
    text = f"account {turn.desk.account} paid funding of {shown(paid.amount)} in {paid.symbol}"
    turn.notice("info", "", f"{text}, which no agent of it held", paid.bill)


def on_funding(turn: Turn, paid: VenueFunding) -> None:
    """A funding payment goes to the agent that holds, or last held, the symbol."""
    key = f"funding/{paid.bill}"
    states = turn.states()
    if not states or any(key in state.processed for state in states):
        return
    holders = [each for each in states if paid.symbol in each.holdings]
    lately = [
        each
        for each in states
        if any(intent.request.symbol == paid.symbol for intent in each.intents.values())
    ]
    state = (holders or lately or states)[0]
    _known(turn, state.agent, key)
    if not holders and not lately:
        _funding_of_nobody(turn, paid)
        return
    state = turn.state(state.agent)
    holding = state.holdings.get(paid.symbol)
    holdings = state.holdings
    if holding is not None:
        position = funded(holding.position, amount=paid.amount, mark_ms=paid.at)
        holdings = {**holdings, paid.symbol: replace(holding, position=position)}
    turn.put(
        replace(
            state,
            day=day_of(state, turn.at),
            holdings=holdings,
            funding=plus(state.funding, paid.amount),
        )
    )
    ticker, rate = turn.seen.ticker, turn.seen.funding
    turn.say(
        FundingPaid(
            account=state.account,
            agent=state.agent,
            symbol=paid.symbol,
            position="" if holding is None else holding.id,
            rate=ZERO if rate is None else Decimal(rate.rate),
            mark=(None if ticker is None else mark_of(ticker)) or ZERO,
            size=ZERO if holding is None else holding.position.size,
            amount=paid.amount,
            settled_ms=paid.at,
            at=turn.at,
        )
    )
    say_balance(turn, state.agent, "funding", minus(ZERO, paid.amount), paid.bill, paid.symbol)
